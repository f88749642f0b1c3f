package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible makes text from outside fit for a terminal and a log: what is no printable character
// is escaped as Go does it, so that no server moves a cursor or begins a line of its own. A
// backslash is doubled, so that nothing passes for an escape.
func visible(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || r == '\\' || !printable(r) }) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\\':
			b.WriteString(`\\`)
		case printable(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		s = s[n:]
	}
	return b.String()
}

// printable leaves out what turns the direction of the text round, too.
func printable(r rune) bool { return unicode.IsPrint(r) }

// safeLine is visible for text of our own that may quote what is from outside already escaped:
// only what would end the line or reach the terminal is escaped, backslashes stay.
func safeLine(s string) string {
	return strings.ReplaceAll(visible(s), `\\`, `\`)
}
