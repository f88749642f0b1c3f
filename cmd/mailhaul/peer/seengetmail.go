package peer

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// getmailSeen reads an oldmail file of getmail 6: "UNIQUE-ID NUL UNIXTIME", in no order
// (getmailcore/_retrieverbases.py, write_oldmailfile). The list does not say whose it is; its file's
// name does, see GetmailFile. In a unique-id each "/" is stored as "-", see GetmailUID. It holds
// what was retrieved, also what getmail has deleted itself, until 30 days after it has vanished.
func getmailSeen(l *seenLines) (Seen, bool, error) {
	uid, at, ok := bytes.Cut(bytes.Trim(l.text, " \t\r"), []byte{0})
	if !ok {
		return Seen{}, false, l.wrong("not a line of an oldmail file, which has a unique-id, a NUL and a time")
	}
	if bytes.ContainsRune(uid, '/') { // UIDVALIDITY/UID
		return Seen{}, false, l.wrong("the unique-id is one of IMAP")
	}
	t, ok := moment(at)
	if !ok || len(uid) == 0 {
		return Seen{}, false, l.wrong("the line has no unique-id, or no time")
	}
	return Seen{UID: string(uid), Time: t}, true, nil
}

// GetmailUID is how getmail stores the unique-id of a POP3 server.
func GetmailUID(uid string) string { return strings.ReplaceAll(strings.Trim(uid, " \t\r"), "/", "-") }

// getmailStrips is what getmail does not allow in a file's name, and makes a "-" of (STRIP_CHAR_RE, in
// which the backslash only escapes the colon).
var getmailStrips = regexp.MustCompile(`[/:;<>|]+`)

// GetmailFile tells whether an oldmail file of getmail, oldmail-SERVER-PORT-USER, has the name that
// it has for host and user. Those of others may be the same.
func GetmailFile(file, host, user string) bool {
	name := filepath.Base(file)
	head := getmailStrips.ReplaceAllString("oldmail-"+host, "-") + "-"
	if len(name) < len(head) || !strings.EqualFold(name[:len(head)], head) {
		return false
	}
	port, name, ok := strings.Cut(name[len(head):], "-")
	_, err := strconv.ParseUint(port, 10, 16)
	return ok && err == nil && name == getmailStrips.ReplaceAllString(user, "-")
}
