package peer

import (
	"bytes"
	"strconv"
)

// fdmSeen reads a cache of fdm's "new-only" (fetch-pop3.c): "LENGTH UNIQUE-ID", where the length is
// in octets and all octets are visible ASCII. It does not say whose it is. (The databases of fdm's
// "cache" are another thing.) It holds what was retrieved and is on the server, and what was deleted
// there in fdm's last run.
func fdmSeen(l *seenLines) (Seen, bool, error) {
	digits, uid, ok := bytes.Cut(l.text, []byte(" "))
	n, err := strconv.ParseUint(string(digits), 10, 16)
	if !ok || err != nil || n == 0 {
		return Seen{}, false, l.wrong("not a line of a cache of fdm's new-only, which has a length, a blank and a unique-id")
	}
	if uint64(len(uid)) != n {
		return Seen{}, false, l.wrong("the unique-id has %d octets, and the line says %d", len(uid), n)
	}
	if bytes.ContainsFunc(uid, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return Seen{}, false, l.wrong("not a unique-id: fdm accepts visible ASCII characters alone")
	}
	return Seen{UID: string(uid)}, true, nil
}
