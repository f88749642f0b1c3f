package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// Escape makes any octets safe for a line of the state file: all but the visible ASCII characters
// 0x21 to 0x7E, and the percent sign, become %XX. RFC 1939, section 7, allows a unique-id only
// those characters; servers send others, and what they send must neither end a line nor reach a
// terminal as it is.
func Escape(s string) string {
	for i := 0; i < len(s); i++ {
		if !plain(s[i]) {
			return string(appendEscaped(make([]byte, 0, len(s)+16), s))
		}
	}
	return s
}

// Unescape undoes Escape. A percent sign that is not followed by two hex digits, or an octet that
// Escape would not have left as it is, is an error.
func Unescape(s string) (string, error) {
	b, ok := appendUnescaped(nil, []byte(s))
	if !ok {
		return "", fmt.Errorf("%q is not escaped as in a state file", s)
	}
	return string(b), nil
}

func plain(c byte) bool { return c > 0x20 && c < 0x7F && c != '%' }

func appendEscaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; plain(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

func appendUnescaped(dst, s []byte) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if plain(c) {
			dst = append(dst, c)
			continue
		}
		if c != '%' || i+2 >= len(s) {
			return dst, false
		}
		high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
		if high > 15 || low > 15 {
			return dst, false
		}
		dst = append(dst, high<<4|low)
		i += 2
	}
	return dst, true
}

// hexDigit returns the value of a hex digit of either case, 255 for any other octet.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// FileName returns the name of an account's state file. Two accounts never get the same one:
// all but letters, digits and ._+@- is escaped, and a name that grows too long for a file system
// (255 octets, and suffixes follow) ends in ~ and a hash; ~ stands in no other name.
func FileName(account string) string {
	b := make([]byte, 0, len(account)+8)
	for i := 0; i < len(account); i++ {
		c := account[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("_+@-", c) >= 0, c == '.' && i > 0: // no hidden file, no ".."
			b = append(b, c)
		default:
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	switch {
	case len(b) == 0:
		b = append(b, '%') // no account's name is escaped to this
	case len(b) > 200:
		sum := sha256.Sum256([]byte(account))
		b = append(b[:160], '~')
		b = hex.AppendEncode(b, sum[:16])
	}
	return string(b) + suffix
}

var errHash = errors.New("a hash must be an even number of hex digits, at most 128")
