package deliver

import (
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
	header headerFields
	found  [len(envelopeFields)]string
	null   bool // Return-Path: <>
}

// Sender is the address in Return-Path, "" if there is none or it is null (<>).
func (e *envelope) Sender() string { e.header.finish(e.take); return e.found[0] }

// Recipient is the address in Delivered-To, X-Original-To or Envelope-To, "" if there is none.
func (e *envelope) Recipient() string {
	e.header.finish(e.take)
	for _, a := range e.found[1:] {
		if a != "" {
			return a
		}
	}
	return ""
}

// Write takes the next octets of the message. It never fails.
func (e *envelope) Write(p []byte) (int, error) {
	e.header.write(p, e.take)
	return len(p), nil
}

// take takes over a field.
func (e *envelope) take(name, value []byte) {
	for i, want := range envelopeFields {
		if e.found[i] != "" || i == 0 && e.null || !strings.EqualFold(string(name), want) {
			continue
		}
		if i == 0 && string(value) == "<>" {
			e.null = true
			continue
		}
		e.found[i] = address(string(value))
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
