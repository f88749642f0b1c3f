package peer

import (
	"slices"
	"strconv"
	"strings"
)

// A fetchmailToken is a word of a fetchmailrc.
type fetchmailToken struct {
	line   int
	text   string // of a string: without quotes and escapes
	quoted bool   // it was in quotes: never a keyword
	open   bool   // it was, and went on in the next line: most likely two strings that lack a quote, and a password between them
	name   bool   // it stands where fetchmail takes any word for a name
}

// fetchmailNames are the words after which fetchmail takes whatever comes for a name, be it a
// keyword or a number (rcfile_l.l, the state NAME).
var fetchmailNames = []string{"user", "username", "pass", "password", "is", "to", "="}

// fetchmailNoise are words that mean nothing.
var fetchmailNoise = []string{"with", "and", "has", "wants", "options"}

// lexFetchmail takes a fetchmailrc apart as fetchmail's rcfile_l.l does: strings in either kind of
// quotes, which end at the next such quote whatever is before it; words that end at a blank or one
// of = ; : and a comma; # begins a comment where a word may begin. The longer of the two counts:
// "a"b is a word, quotes and all, and so is a string without an end.
func lexFetchmail(src Source) []fetchmailToken {
	var tokens []fetchmailToken
	text := string(src.Text)
	line, name := 1, false
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r' || c == ';' || c == ':' || c == ',':
			i++
		case c == '\\' && i+1 < len(text) && text[i+1] == '\n':
			i++
		case c == '#':
			n := strings.IndexByte(text[i:], '\n')
			if n < 0 {
				n = len(text) - i
			}
			i += n
		case quotedLength(text[i:]) >= max(1, wordLength(text[i:])):
			n := quotedLength(text[i:])
			raw := text[i+1 : i+n-1]
			tokens = append(tokens, fetchmailToken{line: line, text: unescapeFetchmail(raw), quoted: true, name: name,
				open: strings.Contains(strings.ReplaceAll(raw, "\\\n", ""), "\n")})
			line += strings.Count(raw, "\n")
			i += n
			name = false
		case c == '=':
			tokens = append(tokens, fetchmailToken{line: line, text: "="})
			i++
			name = true
		default:
			n := wordLength(text[i:])
			word := text[i : i+n]
			i += n
			if !name && slices.Contains(fetchmailNoise, word) {
				continue
			}
			tokens = append(tokens, fetchmailToken{line: line, text: unescapeFetchmail(word), name: name})
			name = !name && slices.Contains(fetchmailNames, word) && !authPassword(tokens)
		}
	}
	return tokens
}

// quotedLength is the length of the string that a text begins with, quotes included; 0 if none.
func quotedLength(text string) int {
	if text[0] != '"' && text[0] != '\'' {
		return 0
	}
	n := strings.IndexByte(text[1:], text[0])
	if n < 0 {
		return 0
	}
	return n + 2
}

// wordLength is the length of the word that a text begins with.
func wordLength(text string) int {
	if n := strings.IndexAny(text, "=;:, \t\r\n"); n >= 0 {
		return n
	}
	return len(text)
}

// authPassword tells whether the last word is the kind of authentication.
func authPassword(tokens []fetchmailToken) bool {
	n := len(tokens)
	return n > 1 && strings.Contains(tokens[n-2].text, "auth") && !tokens[n-2].quoted && tokens[n-1].text == "password"
}

// unescapeFetchmail reads escapes: \n, \t, \b, \r, \0 and octal digits, decimal digits, \x and
// hexadecimal digits; up to three digits, two of hexadecimal ones (rcfile_l.l, escapes). A line
// break after a backslash goes.
func unescapeFetchmail(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		digits := func(set string, most int) string {
			n := i
			for n < len(s) && n < i+most && strings.IndexByte(set, s[n]) >= 0 {
				n++
			}
			return s[i:n]
		}
		number := func(d string, base int) {
			v, _ := strconv.ParseUint(d, base, 32)
			b.WriteByte(byte(v))
			i += len(d) - 1
		}
		switch c := s[i]; {
		case c == 'x' || c == 'X':
			i++
			number(digits("0123456789abcdefABCDEF", 2), 16)
		case c == '0':
			number(digits("01234567", 3), 8)
		case c >= '1' && c <= '9':
			number(digits("0123456789", 3), 10)
		case c == '\n':
		case c == 'n':
			b.WriteByte('\n')
		case c == 't':
			b.WriteByte('\t')
		case c == 'b':
			b.WriteByte('\b')
		case c == 'r':
			b.WriteByte('\r')
		default:
			b.WriteByte(c)
		}
	}
	// To fetchmail a NUL is the end.
	text, _, _ := strings.Cut(b.String(), "\x00")
	return text
}
