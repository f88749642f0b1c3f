package main

import (
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// isTerminal tells whether a file is read by a person.
func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// screenColumns is how wide the terminal is, 80 if it does not say.
func screenColumns(f *os.File) int {
	if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
		return n
	}
	return 80
}

// columnsOf is how many columns of a terminal a character takes.
func columnsOf(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r < 0x1100:
		return 1
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// fit cuts text that is fit for a terminal to n columns, at least one.
func fit(s string, n int) string {
	used, cut := 0, 0 // cut: where the text ends if a mark of the cut is to have its place
	for i, r := range s {
		c := columnsOf(r)
		if used+c > n {
			return s[:cut] + "…"
		}
		if used+c <= n-1 {
			cut = i + len(string(r))
		}
		used += c
	}
	return s
}

// pad fills text with blanks to n columns.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(n-columnsIn(s), 0)) }

func columnsIn(s string) int {
	used := 0
	for _, r := range s {
		used += columnsOf(r)
	}
	return used
}
