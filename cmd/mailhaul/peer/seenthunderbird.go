package peer

import (
	"bytes"
	"strings"
)

// thunderbirdSeen reads popstate.dat of Thunderbird (nsPop3Protocol.cpp): comments, a heading
// "*HOST USER" for each list, then "FLAG UNIQUE-ID UNIXTIME". The flag is k for a message that is
// kept on the server and d for one that is to be deleted there; f and b are messages of which only
// the header, or a beginning, was retrieved, and not taken for seen. On Windows lines end in CRLF.
type thunderbirdSeen struct{ host, user string }

func (m *thunderbirdSeen) line(l *seenLines) (Seen, bool, error) {
	text := bytes.TrimRight(l.text, " \t\r")
	if len(text) == 0 || text[0] == '#' {
		return Seen{}, false, nil
	}
	if mailbox, ok := bytes.CutPrefix(text, []byte("*")); ok {
		host, user, _ := bytes.Cut(mailbox, []byte(" "))
		if len(host) == 0 || len(user) == 0 {
			return Seen{}, false, l.wrong("not the heading of a list, *host user")
		}
		m.host, m.user = serverHost(host), string(user)
		return Seen{}, false, nil
	}
	fields := strings.FieldsFunc(string(text), func(r rune) bool { return r == ' ' || r == '\t' })
	switch {
	case m.host == "":
		return Seen{}, false, l.wrong("a list begins with a heading, *host user")
	case len(fields) < 2 || len(fields) > 3 || len(fields[0]) != 1 || !strings.Contains("kdfb", fields[0]):
		return Seen{}, false, l.wrong("not a line of popstate.dat, which has a flag (k, d, f or b), a unique-id and a time")
	}
	s := Seen{Host: m.host, User: m.user, UID: fields[1]}
	if len(fields) == 3 {
		t, ok := moment([]byte(fields[2]))
		if !ok {
			return Seen{}, false, l.wrong("the time is no number")
		}
		s.Time = t
	}
	return s, fields[0] == "k" || fields[0] == "d", nil
}
