package deliver

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// POP3 has no envelope: what is left of it stands in fields that the server's MTA put in front at
// its final delivery (RFC 5321, section 4.4, and customs older than it). Anybody can write them.

// envelopeFields are what is looked for. Recipients come in the order of preference.
var envelopeFields = [...]string{"return-path", "delivered-to", "x-original-to", "envelope-to"}

// maxField bounds what is kept of a field, in octets. No address is longer than 320 (RFC 5321,
// section 4.5.3.1), whatever stands around it.
const maxField = 1000

const maxAddress = 320

// An envelope finds sender and recipient in the stored form of a message that is written to it,
// cut anywhere. The zero value is ready. Of a field that is there more than once the first is
// taken, since each MTA puts its own above; one without an address in it does not count.
type envelope struct {
	line  []byte // what came of the present field, up to maxField
	long  bool   // more than that came
	mid   bool   // the present line has begun
	done  bool   // the header has ended
	found [len(envelopeFields)]string
	null  bool // Return-Path: <>
}

// Sender is the address in Return-Path, "" if there is none or it is null (<>).
func (e *envelope) Sender() string { e.finish(); return e.found[0] }

// Recipient is the address in Delivered-To, X-Original-To or Envelope-To, "" if there is none.
func (e *envelope) Recipient() string {
	e.finish()
	for _, a := range e.found[1:] {
		if a != "" {
			return a
		}
	}
	return ""
}

// Write takes the next octets of the message. It never fails.
func (e *envelope) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && !e.done {
		if !e.mid {
			switch {
			case p[0] == '\n':
				e.finish()
				return n, nil
			case p[0] != ' ' && p[0] != '\t':
				e.field() // this line is not a continuation: the one before is complete
			}
			e.mid = true
		}
		part := p
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			part = p[:i]
			p = p[i+1:]
			e.mid = false
		} else {
			p = nil
		}
		e.keep(part)
	}
	return n, nil
}

// keep appends part of a line to the present field, as long as that can be one of ours.
func (e *envelope) keep(part []byte) {
	if e.long {
		return
	}
	if room := maxField - len(e.line); len(part) > room {
		part, e.long = part[:room], true
	}
	e.line = append(e.line, part...)
}

// finish ends the header.
func (e *envelope) finish() {
	if !e.done {
		e.field()
		e.done = true
	}
}

// field takes over the field that is complete.
func (e *envelope) field() {
	line, long := e.line, e.long
	e.line, e.long = e.line[:0], false
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || long {
		return
	}
	// Blanks before the colon are obsolete syntax (RFC 5322, section 4.5).
	name := bytes.TrimRight(line[:colon], " \t")
	for i, want := range envelopeFields {
		if e.found[i] != "" || i == 0 && e.null || !strings.EqualFold(string(name), want) {
			continue
		}
		value := strings.Trim(string(line[colon+1:]), " \t\r")
		if i == 0 && value == "<>" {
			e.null = true
			continue
		}
		e.found[i] = address(value)
	}
}

// address takes the address out of a field's value: what stands in angle brackets, else the only
// word, or the first of several between commas. "" if there is none, or none that can be told, or
// if it is longer than any address.
func address(value string) string {
	if i := strings.LastIndexByte(value, '<'); i >= 0 {
		value, _, _ = strings.Cut(value[i+1:], ">")
		// A route, which is to be ignored (RFC 5321, appendix C).
		if strings.HasPrefix(value, "@") {
			_, value, _ = strings.Cut(value, ":")
		}
	} else {
		value, _, _ = strings.Cut(value, ",")
	}
	value = strings.Trim(value, " \t\r")
	if len(value) > maxAddress || !utf8.ValidString(value) {
		return ""
	}
	// One word: it goes into a From_ line, an argument, the environment.
	if strings.ContainsFunc(value, func(c rune) bool { return c == ' ' || c == '<' || c == '>' || !unicode.IsPrint(c) }) {
		return ""
	}
	return value
}
