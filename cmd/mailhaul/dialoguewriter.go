package main

import (
	"os"
	"strings"
)

// A dialogueWriter puts the account's name before each line of the dialogue.
type dialogueWriter struct {
	report  *report
	account string
	rest    []byte
}

func (d *dialogueWriter) Write(p []byte) (int, error) {
	d.rest = append(d.rest, p...)
	for {
		line, rest, ok := strings.Cut(string(d.rest), "\n")
		if !ok {
			return len(p), nil
		}
		d.rest = []byte(rest)
		d.report.write(os.Stderr, safeLine(visible(d.account)+": "+line))
	}
}
