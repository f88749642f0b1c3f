package main

import "strings"

// A column is one of a table on a terminal.
type column struct {
	name  string
	width int  // of the widest text; of a flexible one the most that it is worth, 0 for any
	right bool // the text stands at the right
	least int  // flexible: gets what the others leave, and others go until it is so much; 0: fixed
	leave int  // it is left out first if 1, then 2, …; never if 0
}

const columnGap = "  "

// layout fits columns to the width of a terminal: a line that the terminal breaks is worse than one
// that lacks what list without --headers, or a wider window, shows. One column is flexible.
func layout(cols []column, screen int) []column {
	for {
		rest, first, flexible := screen, -1, 0
		for i, c := range cols {
			if i > 0 {
				rest -= len(columnGap)
			}
			if c.least > 0 {
				flexible = i
				continue
			}
			rest -= c.width
			if c.leave > 0 && (first < 0 || c.leave < cols[first].leave) {
				first = i
			}
		}
		c := &cols[flexible]
		least := c.least
		if c.width > 0 {
			least = min(least, c.width)
		}
		if rest >= least || first < 0 {
			if rest = max(rest, 1); c.width == 0 || c.width > rest {
				c.width = rest
			}
			return cols
		}
		cols = append(cols[:first:first], cols[first+1:]...)
	}
}

// screenLine puts one line of a table together. texts gives the text of each column by its name.
func screenLine(cols []column, texts map[string]string) string {
	var fields []string
	for _, c := range cols {
		text := fit(texts[c.name], c.width)
		if c.right {
			text = strings.Repeat(" ", max(c.width-columnsIn(text), 0)) + text
		} else {
			text = pad(text, c.width)
		}
		fields = append(fields, text)
	}
	return strings.TrimRight(strings.Join(fields, columnGap), " ")
}
