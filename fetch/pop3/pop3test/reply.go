package pop3test

import "strings"

// A reply is what answers a command: first, then unit so many times, then last. All is in
// first but for RETR, whose text need not be in memory as often as it is repeated.
type reply struct {
	first string
	unit  string
	times int
	last  string
}

func (r reply) String() string {
	return r.first + strings.Repeat(r.unit, r.times) + r.last
}

// line is a reply of one line.
func line(text string) reply { return reply{first: text + "\r\n"} }

// multiline is a reply of several lines, none of which begins with a dot.
func multiline(first string, lines []string) reply {
	var b strings.Builder
	b.WriteString(first + "\r\n")
	for _, l := range lines {
		b.WriteString(l)
		b.WriteString("\r\n")
	}
	b.WriteString(".\r\n")
	return reply{first: b.String()}
}
