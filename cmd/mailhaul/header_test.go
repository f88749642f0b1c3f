package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestHeader(t *testing.T) {
	for _, c := range []struct{ name, text, from, subject, date string }{
		{"plain", "From: a@example.com\r\nSubject: hello\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\n\r\n", "a@example.com", "hello", "1997-11-21T09:55:06-06:00"},
		{"case, blanks and LF", "FROM : Alice <a@example.com>\nsubject:hello \n\nSubject: body\n", "Alice <a@example.com>", "hello", ""},
		{"folded", "Subject: one\r\n two\r\n\tthree\r\nFrom:\r\n  a@example.com\r\n\r\n", "a@example.com", "one two three", ""},
		{"the first counts", "Subject: one\r\nSubject: two\r\n three\r\n\r\n", "", "one", ""},
		{"no field passes", "From a@example.com Fri\r\nnonsense\r\n folded\r\nSubject: x\r\n\r\n", "", "x", ""},
		{"no end", "Subject: x", "", "x", ""},
		{"nothing", "", "", "", ""},

		// RFC 2047, section 8.
		{"RFC 2047", "From: =?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>\r\n" +
			"Subject: =?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=\r\n\r\n",
			"Keld Jørn Simonsen <keld@dkuug.dk>", "If you can read this you understand the example.", ""},
		{"other character sets", "Subject: =?windows-1252?Q?=80_5?= =?koi8-r?B?8NLJ18XU?= =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\r\n\r\n", "", "€ 5Привет日本", ""},
		{"a letter cut in two", "Subject: =?utf-8?B?w4PD?= =?utf-8?B?pA==?=\r\n\r\n", "", "Ãä", ""},
		{"an unknown set", "Subject: =?x-none?Q?caf=E9?= x\r\n\r\n", "", "caf\ufffd x", ""},
		{"no encoded word", "Subject: =?utf-8?B?!!?= =?utf-8?X?a?=\r\n\r\n", "", "=?utf-8?B?!!?= =?utf-8?X?a?=", ""},
		{"a second line in disguise", "Subject: =?utf-8?Q?a=0D=0AFrom:_b=00?=\r\n\r\n", "", "a From: b\x00", ""},
		{"raw octets", "Subject: \xe4\r\nFrom: \xe4 <a@example.com>\r\n\r\n", "\xe4 <a@example.com>", "\xe4", ""},
		{"several senders", "From: \"Doe, J\" <j@example.com>, k@example.com\r\n\r\n", "Doe, J <j@example.com>, k@example.com", "", ""},
		{"no address", "From: the postmaster\r\n\r\n", "the postmaster", "", ""},

		{"no day, no seconds", "Date: 1 Feb 2003 04:05 +0000 (comment)\r\n\r\n", "", "", "2003-02-01T04:05:00Z"},
		{"obsolete zone", "Date: Mon, 3 Mar 97 10:00:00 GMT\r\n\r\n", "", "", "1997-03-03T10:00:00Z"},
		{"RFC 3339", "Date: 2024-05-06T07:08:09+02:00\r\n\r\n", "", "", "2024-05-06T07:08:09+02:00"},
		{"no date", "Date: yesterday\r\n\r\n", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := readHeader(strings.NewReader(c.text))
			if err != nil {
				t.Fatal(err)
			}
			date := ""
			if !h.date.IsZero() {
				date = h.date.Format(time.RFC3339)
			}
			if h.from != c.from || h.subject != c.subject || date != c.date {
				t.Errorf("from %q\nsubject %q\ndate %q", h.from, h.subject, date)
			}
		})
	}
}

// A server that sends the whole message, or no end of header, costs no memory.
func TestHeaderTooLong(t *testing.T) {
	text := "Subject: x\r\n y\r\nX: " + strings.Repeat("z", maxHeader) + "\r\nFrom: a@example.com\r\n\r\n"
	in := strings.NewReader(text)
	h, err := readHeader(in)
	if err != nil || h.subject != "x y" || h.from != "" || in.Len() != 0 {
		t.Errorf("%+v, %v, %d octets left", h, err, in.Len())
	}
	h, err = readHeader(strings.NewReader("Subject: " + strings.Repeat("x\r\n ", maxHeader)))
	if err != nil || len(h.subject) > maxField {
		t.Errorf("%d octets, %v", len(h.subject), err)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("From: =?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\n\r\n"))
	f.Add([]byte("Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\r\n =?utf-8?Q?=1B[2J?=\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		h := parseHeader(text)
		for _, s := range []string{h.from, h.subject} {
			shown := visible(s)
			if strings.ContainsFunc(shown, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }) || !utf8.ValidString(shown) {
				t.Errorf("%q reaches the terminal", shown)
			}
		}
	})
}
