package main

import (
	"fmt"
	"strings"
)

// A verb is a command of POP3 as the console knows it.
type verb struct {
	name string
	args string
	does string
	rfc  string
	// multi tells whether +OK is followed by a multiline response (RFC 1939, section 3), given
	// whether the command has arguments; nil is never.
	multi func(args bool) bool
}

func anyway(bool) bool     { return true }
func bare(given bool) bool { return !given }

// verbs are the commands of RFC 1939 and of the extensions in use, in the order of a session.
var verbs = []verb{
	{"CAPA", "", "what the server can do; the answer changes with STLS and the login", "RFC 2449, section 5", anyway},
	{"STLS", "", "begin TLS on this connection; nothing said before counts any more", "RFC 2595, section 4", nil},
	{"UTF8", "", "from now on user names, headers and texts may be UTF-8; before the login only", "RFC 6856, section 2.1", nil},
	{"LANG", "[TAG]", "the language of the server's texts; without TAG a list of those there are", "RFC 6856, section 3", bare},
	{"USER", "NAME", "log in with PASS: the name of the mailbox", "RFC 1939, section 7", nil},
	{"PASS", "PASSWORD", "log in with USER: the password, blanks included", "RFC 1939, section 7", nil},
	{"APOP", "NAME DIGEST", "log in: MD5, in hexadecimal, of the greeting's <…> and the password behind it", "RFC 1939, section 7", nil},
	{"AUTH", "[MECHANISM [RESPONSE]]", "log in by SASL; each + of the server is answered by a line of base64, or * to cancel", "RFC 5034, section 4", bare},
	{"STAT", "", "number of messages, and the octets of them all", "RFC 1939, section 5", nil},
	{"LIST", "[N]", "number and octets of each message, or of message N", "RFC 1939, section 5", bare},
	{"UIDL", "[N]", "number and unique-id of each message, or of message N", "RFC 1939, section 7", bare},
	{"TOP", "N LINES", "the header of message N, and so many lines of its body", "RFC 1939, section 7", anyway},
	{"RETR", "N", "the whole message N; some servers take it for read, and a few delete it at QUIT", "RFC 1939, section 5", anyway},
	{"DELE", "N", "mark message N; it is deleted at QUIT, and at nothing else", "RFC 1939, section 5", nil},
	{"RSET", "", "take back all marks of DELE", "RFC 1939, section 5", nil},
	{"NOOP", "", "nothing, but the server's clock for silent connections starts anew", "RFC 1939, section 5", nil},
	{"QUIT", "", "end the session; after the login what is marked is deleted", "RFC 1939, sections 4 and 6", nil},
}

func findVerb(name string) *verb {
	for i := range verbs {
		if strings.EqualFold(verbs[i].name, name) {
			return &verbs[i]
		}
	}
	return nil
}

// A request is a line of the user.
type request struct {
	line  string   // as it is to be sent
	name  string   // in upper case
	args  []string // without the blanks around them
	multi bool     // +OK is followed by a multiline response
	known bool     // it is of verbs, or the user said what its reply is
}

// parseRequest reads a line. "!" before a command says that its reply has several lines. What is
// unknown is sent as it is, and taken for a command of one.
func parseRequest(line string) request {
	line = strings.TrimLeft(line, " \t")
	line, bang := strings.CutPrefix(line, "!")
	line = strings.TrimLeft(line, " \t")
	r := request{line: line, multi: bang, known: bang}
	if words := strings.Fields(line); len(words) > 0 {
		r.name, r.args = strings.ToUpper(words[0]), words[1:]
	}
	if v := findVerb(r.name); v != nil {
		r.known = true
		r.multi = r.multi || v.multi != nil && v.multi(len(r.args) > 0)
	}
	return r
}

// explain is what `help` prints: all commands, or those named.
func explain(names []string) string {
	var b strings.Builder
	for _, n := range names {
		v := findVerb(n)
		if v == nil {
			fmt.Fprintf(&b, "%s: no command of POP3 that is known here; it is sent as it is\n", visible(n))
			continue
		}
		b.WriteString(strings.TrimRight(v.name+" "+v.args, " ") + "\n   " + v.does + "\n   " + v.rfc + "\n")
		if v.multi != nil {
			b.WriteString("   The reply has several lines, and ends with a dot alone")
			if !v.multi(true) {
				b.WriteString("; one line if there is an argument")
			}
			b.WriteString(".\n")
		}
	}
	if len(names) > 0 {
		return b.String()
	}
	for _, v := range verbs {
		fmt.Fprintf(&b, "%-28s  %s\n", strings.TrimRight(v.name+" "+v.args, " "), v.does)
	}
	b.WriteString(`
help COMMAND explains one, with its RFC. Anything else is sent as it is; !COMMAND says that the
reply has several lines. Ctrl-D leaves without QUIT, so that nothing is deleted.
`)
	return b.String()
}

// hiddenAfter tells whether what follows the beginning of a line, up to a blank, is a secret, and
// what it is called.
func hiddenAfter(begun string) (what string, hidden bool) {
	words := strings.Fields(strings.TrimPrefix(strings.TrimLeft(begun, " \t"), "!"))
	switch {
	case len(words) == 1 && strings.EqualFold(words[0], "PASS"):
		return "password", true
	case len(words) == 2 && strings.EqualFold(words[0], "APOP"):
		return "digest", true
	case len(words) == 2 && strings.EqualFold(words[0], "AUTH"):
		return "initial response", true
	}
	return "", false
}

// hasSecret tells whether a line is not to be remembered.
func hasSecret(line string) bool {
	for i, r := range line {
		if r == ' ' || r == '\t' {
			if _, hidden := hiddenAfter(line[:i]); hidden {
				return true
			}
		}
	}
	return false
}

// completeVerb completes the beginning of a line to what all commands that begin so have in
// common. Several are given if that is no step on.
func completeVerb(begun string) (line string, several []string) {
	names := []string{"help"}
	for _, v := range verbs {
		names = append(names, v.name)
	}
	before, word := "", begun
	if i := strings.LastIndexAny(begun, " \t!"); i >= 0 {
		before, word = begun[:i+1], begun[i+1:]
		if first := strings.TrimSpace(before); first != "" && first != "!" && !strings.EqualFold(first, "help") {
			return begun, nil // an argument
		}
	}
	var found []string
	for _, n := range names {
		if len(n) >= len(word) && strings.EqualFold(n[:len(word)], word) {
			found = append(found, n)
		}
	}
	if len(found) == 0 {
		return begun, nil
	}
	common := found[0]
	for _, n := range found[1:] {
		for !strings.HasPrefix(n, common) {
			common = common[:len(common)-1]
		}
	}
	switch {
	case len(found) == 1:
		return before + common + " ", nil
	case len(common) > len(word):
		return before + common, nil
	}
	return begun, found
}
