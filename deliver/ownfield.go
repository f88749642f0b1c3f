package deliver

import "bytes"

// The digits of a delivery id: a nonce, then 16 of a hash.
const (
	nonceLen = 12
	idLen    = 28
)

// ownTrace looks at the beginning of a stored message for our trace field of a run with this
// nonce, and returns the field's length with its line end, and the delivery id in it. The length
// is 0 if the message does not begin with one, or if first ends before the field does.
//
// The field is "Received: from HOST by HOST with POP3 id ID", then on this line or on a folded one
// "; DATE". No semicolon stands before that one, so the line with it is the last, also where the
// message itself begins with a line that looks like a folded one.
func ownTrace(first []byte, nonce string) (n int, id string) {
	const name, clause = "Received: from ", " with POP3 id "
	if !bytes.HasPrefix(first, []byte(name)) {
		return 0, ""
	}
	end := bytes.IndexByte(first, '\n')
	if end < 0 {
		return 0, ""
	}
	line := first[:end]
	at := bytes.Index(line, []byte(clause))
	if at < 0 || len(line) < at+len(clause)+idLen {
		return 0, ""
	}
	word := line[at+len(clause):]
	if len(word) > idLen && word[idLen] != ';' && word[idLen] != ' ' {
		return 0, ""
	}
	word = word[:idLen]
	if !isHex(word) || !bytes.HasPrefix(word, []byte(nonce)) {
		return 0, ""
	}
	n = end + 1
	for !bytes.Contains(line, []byte{';'}) {
		if n == len(first) || first[n] != '\t' {
			return 0, ""
		}
		end = bytes.IndexByte(first[n:], '\n')
		if end < 0 {
			return 0, ""
		}
		line = first[n : n+end]
		n += end + 1
	}
	return n, string(word)
}

// isHex tells whether p has nothing but lower-case hexadecimal digits.
func isHex(p []byte) bool {
	for _, c := range p {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
