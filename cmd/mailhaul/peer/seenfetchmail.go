package peer

import "bytes"

// fetchmailSeen reads .fetchids of fetchmail 6: "USER@HOST UNIQUE-ID", one list for all accounts
// (uid.c). The first blank behind the first "@" ends the host, whose "@" is the last one before
// that. A unique-id ends at its first blank, also that of the server: see FetchmailUID. The list
// holds what is still on the server; where messages are to be deleted, fetchmail would do that yet.
func fetchmailSeen(l *seenLines) (Seen, bool, error) {
	const want = "not a line of fetchids, which has user@host, a blank and a unique-id"
	if len(l.text) == 0 {
		return Seen{}, false, nil
	}
	first := bytes.IndexByte(l.text, '@')
	if first < 0 {
		return Seen{}, false, l.wrong(want)
	}
	end := bytes.IndexByte(l.text[first:], ' ')
	if end < 0 {
		return Seen{}, false, l.wrong(want)
	}
	mailbox, rest := l.text[:first+end], l.text[first+end+1:]
	at := bytes.LastIndexByte(mailbox, '@')
	uid := FetchmailUID(string(bytes.TrimLeft(rest, blanks)))
	if at == 0 || at == len(mailbox)-1 || uid == "" {
		return Seen{}, false, l.wrong(want)
	}
	return Seen{Host: serverHost(mailbox[at+1:]), User: string(mailbox[:at]), UID: uid}, true, nil
}

const blanks = " \t\r\v\f" // of C's %s

// FetchmailUID is how fetchmail stores the unique-id of a server: up to the first blank.
func FetchmailUID(uid string) string {
	for i := range len(uid) {
		if bytes.IndexByte([]byte(blanks), uid[i]) >= 0 {
			return uid[:i]
		}
	}
	return uid
}
