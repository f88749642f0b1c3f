package pop3

import (
	"bytes"
	"slices"
	"strings"
)

type statusKind int

const (
	statusBad       statusKind = iota
	statusOK                   // "+OK"
	statusErr                  // "-ERR"
	statusChallenge            // "+", within AUTH only (RFC 5034, section 4)
)

const blanks = " \t"

// parseStatus reads a status line without its line end. It is lenient about case, blanks and a
// missing text, and strict about the word: who takes anything that begins with "+" for success
// takes a challenge for a login.
func parseStatus(line []byte) (kind statusKind, text []byte) {
	word := line
	if i := bytes.IndexAny(line, blanks); i >= 0 {
		word, text = line[:i], bytes.Trim(line[i:], blanks)
	}
	switch {
	case bytes.EqualFold(word, []byte("+OK")):
		return statusOK, text
	case bytes.EqualFold(word, []byte("-ERR")):
		return statusErr, text
	case string(word) == "+":
		return statusChallenge, text
	}
	return statusBad, nil
}

// readStatus reads a status line as readLine reads a line.
func (c *Client) readStatus(limit int, what, name string) (kind statusKind, line, text []byte, err error) {
	if line, err = c.readLine(limit, what, name); err != nil {
		return statusBad, nil, nil, err
	}
	kind, text = parseStatus(line)
	c.dialogue.status(line, kind, text)
	return kind, line, text, nil
}

// maxCode bounds a response code; those in use have under a dozen octets.
const maxCode = 64

// knownCodes are the response codes with a meaning for a client that only retrieves and deletes
// (RFC 2449, section 8.1; RFC 3206, section 4; RFC 6856, section 5).
var knownCodes = [...]string{"IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM", "AUTH", "UTF8"}

// responseCode returns the response code at the beginning of a status line's text, or "". Of a
// known code the deeper levels are cut off, since a client has to ignore those that it does not
// know (RFC 2449, section 8). Brackets elsewhere are text.
func responseCode(text []byte) string {
	if len(text) == 0 || text[0] != '[' {
		return ""
	}
	end := bytes.IndexByte(text, ']')
	if end < 2 || end > maxCode {
		return ""
	}
	for _, b := range text[1:end] {
		if b <= ' ' || b > '~' || b == '[' {
			return ""
		}
	}
	code := strings.ToUpper(string(text[1:end]))
	for _, known := range knownCodes {
		if rest, ok := strings.CutPrefix(code, known); ok && (rest == "" || rest[0] == '/') {
			return known
		}
	}
	return code
}

func knownCode(code string) bool { return slices.Contains(knownCodes[:], code) }
