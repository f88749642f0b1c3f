package deliver

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEnvelope(t *testing.T) {
	long := strings.Repeat("x", 320-len("@example.org")) + "@example.org"
	for _, c := range []struct{ stored, sender, recipient string }{
		{"", "", ""},
		{"\n", "", ""},
		{"no header at all\n", "", ""},
		{"Return-Path: <a@example.org>\nDelivered-To: b@example.org\n\n", "a@example.org", "b@example.org"},
		{"RETURN-path:a@example.org\ndelivered-TO :\t b@example.org \n\n", "a@example.org", "b@example.org"},
		{"Return-Path: <a@example.org>", "a@example.org", ""}, // neither line end nor empty line
		// Fields of the body are none.
		{"Subject: x\n\nReturn-Path: <a@example.org>\nDelivered-To: b@example.org\n", "", ""},
		{"\nReturn-Path: <a@example.org>\n\n", "", ""},
		// The first counts: it is of the last MTA.
		{"Return-Path: <a@x>\nReturn-Path: <b@x>\nDelivered-To: c@x\nDelivered-To: d@x\n\n", "a@x", "c@x"},
		{"Return-Path: <>\nReturn-Path: <b@x>\n\n", "", ""},
		{"Return-Path: \nReturn-Path: <b@x>\n\n", "b@x", ""},
		// The recipients' order of preference is not that of the header.
		{"Envelope-To: e@x\nX-Original-To: o@x\nDelivered-To: d@x\n\n", "", "d@x"},
		{"Envelope-To: e@x\nX-Original-To: o@x\n\n", "", "o@x"},
		{"Envelope-To: e@x, f@x\n\n", "", "e@x"},
		{"Delivered-To: mailing list a@x\nX-Original-To: b@x\n\n", "", "b@x"},
		{"Delivered-To: alice\n\n", "", "alice"},
		// Folded, and fields that only look like ours.
		{"Return-Path:\n <a@x>\nX-Return-Path: <b@x>\nDelivered-To-X: c@x\n\n", "a@x", ""},
		{"Subject: y\n Return-Path: <a@x>\n\tDelivered-To: b@x\n\n", "", ""},
		{"From a@b Mon Jan  1 00:00:00 2024\nReturn-Path: <a@x>\n\n", "a@x", ""},
		{"Return-Path: <a@x>\r\nDelivered-To: b@x\r\n\n", "a@x", "b@x"}, // was CR CR LF
		{"Return-Path: Some Body <a@x> (comment)\n\n", "a@x", ""},
		{"Return-Path: <@relay,@other:a@x>\n\n", "a@x", ""},
		{"Return-Path: <a@x\n\n", "a@x", ""},
		// Hostile ones are none.
		{"Return-Path: <a@x\nFrom b>\n\n", "a@x", ""},
		{"Return-Path: <a b@x>\nDelivered-To: a\x00@x\n\n", "", ""},
		{"Return-Path: <a\rb@x>\nDelivered-To: <a\x1b[2J@x>\n\n", "", ""},
		{"Return-Path: <a\n From x@y>\n\n", "", ""},
		{"Return-Path: <\xff@x>\nDelivered-To: <a\u202e@x>\n\n", "", ""},
		{"Return-Path: <grün@x.example>\n\n", "grün@x.example", ""},
		{"Return-Path: <" + long + ">\n\n", long, ""},
		{"Return-Path: <x" + long + ">\nReturn-Path: <b@x>\n\n", "b@x", ""},
		// A field that is cut is not taken for what is left of it.
		{"Return-Path: <a@x>" + strings.Repeat(" ", maxField) + "\nDelivered-To: b@x\n\n", "", "b@x"},
		{"Subject: " + strings.Repeat("x", 3*maxField) + "\nDelivered-To: b@x\n\n", "", "b@x"},
		// An option, for all that the header knows: it becomes none later.
		{"Return-Path: <-oQ/tmp@x>\n\n", "-oQ/tmp@x", ""},
	} {
		for _, size := range []int{1, 2, 7, 1 << 20} {
			var e envelope
			for rest := c.stored; rest != ""; {
				n, err := e.Write([]byte(rest[:min(size, len(rest))]))
				if err != nil || n == 0 {
					t.Fatal(n, err)
				}
				rest = rest[n:]
			}
			if e.Sender() != c.sender || e.Recipient() != c.recipient {
				t.Errorf("%.200q in pieces of %d: %q, %q; not %q, %q", c.stored, size, e.Sender(), e.Recipient(), c.sender, c.recipient)
			}
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("Return-Path: <a@example.org>\nDelivered-To: b@example.org\n\nbody\n"), 3)
	f.Add([]byte("Envelope-To: a@x, b@x\nReturn-Path:\n <>\n\n"), 1)
	f.Add([]byte("X-Original-To: \"a b\" <@r:c@x> (d)\r\n\r\n"), 5)
	f.Add([]byte("return-path: \xff\x00\n\t<\n\n"), 2)
	f.Fuzz(func(t *testing.T, stored []byte, size int) {
		var whole, cut envelope
		whole.Write(stored)
		size = max(1, size%64)
		for rest := stored; len(rest) > 0; {
			n := min(size, len(rest))
			cut.Write(rest[:n])
			rest = rest[n:]
		}
		if whole.Sender() != cut.Sender() || whole.Recipient() != cut.Recipient() {
			t.Errorf("whole %q, %q; in pieces of %d %q, %q", whole.Sender(), whole.Recipient(), size, cut.Sender(), cut.Recipient())
		}
		for _, a := range []string{whole.Sender(), whole.Recipient()} {
			if len(a) > maxAddress || !utf8.ValidString(a) ||
				strings.ContainsFunc(a, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) || c == '<' || c == '>' }) {
				t.Errorf("not one word: %q", a)
			}
			if head, _, _ := strings.Cut("\n"+string(stored), "\n\n"); !strings.Contains(head, a) {
				t.Errorf("%q does not stand in the header %q", a, head)
			}
		}
		if cap(whole.header.line) > 2*maxField {
			t.Errorf("%d octets kept of one field", cap(whole.header.line))
		}
	})
}
