package peer

import (
	"slices"
	"strings"
)

// A fdmToken is a word, a string, a number, a macro, a command or a sign of fdm.conf.
type fdmToken struct {
	line  int
	kind  byte       // 'w', '"', '0', '$', '(' or the sign itself
	text  string     // of a macro: with its $ or %
	parts []fdmToken // of a string: its texts and the macros in it
	first bool       // the first of its line
}

func (t fdmToken) is(words ...string) bool { return t.kind == 'w' && slices.Contains(words, t.text) }

// string tells whether a token begins what fdm takes for a string.
func (t fdmToken) string() bool {
	return t.kind == '"' || t.kind == '$' && t.text[0] == '$' || t.kind == '(' && t.text[0] == '$'
}

// A fdmLexer goes through the characters of fdm.conf, as fdm's lex.c does.
type fdmLexer struct {
	src  Source
	text string
	line int
}

func (l *fdmLexer) fail(why string) error { return &SyntaxError{l.src.Name, l.line, why} }

func lexFdm(src Source) ([]fdmToken, error) {
	l := &fdmLexer{src: src, text: string(src.Text), line: 1}
	var tokens []fdmToken
	for l.text != "" {
		begun := l.line
		switch c := l.text[0]; {
		case c == '\n':
			l.line++
			l.text = l.text[1:]
			continue
		case c == ' ' || c == '\t' || c == '\r':
			l.text = l.text[1:]
			continue
		case c == '#':
			n := strings.IndexByte(l.text+"\n", '\n')
			l.text = l.text[n:]
			continue
		}
		t, err := l.token()
		if err != nil {
			return nil, err
		}
		t.line = begun
		t.first = len(tokens) == 0 || tokens[len(tokens)-1].line < begun
		tokens = append(tokens, t)
	}
	return tokens, nil
}

func fdmWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

func (l *fdmLexer) token() (fdmToken, error) {
	c := l.text[0]
	switch {
	case c == '"' || c == '\'':
		l.text = l.text[1:]
		parts, err := l.quoted(c)
		return fdmToken{kind: '"', parts: parts}, err
	case c == '$' || c == '%':
		if strings.HasPrefix(l.text[1:], "(") {
			l.text = l.text[2:]
			command, err := l.command()
			return fdmToken{kind: '(', text: string(c) + command}, err
		}
		name, ok := l.macro(l.text[1:])
		if !ok {
			return fdmToken{}, l.fail("$ or % without a name behind it")
		}
		return fdmToken{kind: '$', text: string(c) + name}, nil
	case fdmWord(c):
		n := 0
		kind := byte('w')
		for n < len(l.text) && fdmWord(l.text[n]) && (kind == 'w' || l.text[n] >= '0' && l.text[n] <= '9') {
			if n == 0 && c >= '0' && c <= '9' {
				kind = '0'
			}
			n++
		}
		t := fdmToken{kind: kind, text: l.text[:n]}
		l.text = l.text[n:]
		return t, nil
	case strings.IndexByte("~+(),<>{}*=!", c) >= 0:
		l.text = l.text[1:]
		return fdmToken{kind: c, text: string(c)}, nil
	}
	return fdmToken{}, l.fail("a character that fdm does not expect here")
}

// macro takes the name of a macro, in braces or not.
func (l *fdmLexer) macro(text string) (name string, ok bool) {
	inner := strings.TrimPrefix(text, "{")
	n := 0
	for n < len(inner) && fdmWord(inner[n]) {
		n++
	}
	name, rest := inner[:n], inner[n:]
	if inner != text {
		if !strings.HasPrefix(rest, "}") {
			return "", false
		}
		rest = rest[1:]
	}
	l.text = rest
	return name, name != ""
}

// quoted takes a string up to its quote. In double quotes there are escapes and macros.
func (l *fdmLexer) quoted(quote byte) (parts []fdmToken, err error) {
	var b strings.Builder
	for {
		if l.text == "" {
			return nil, l.fail("a string has no end")
		}
		c := l.text[0]
		l.text = l.text[1:]
		switch {
		case c == quote:
			return append(parts, fdmToken{kind: '"', text: b.String()}), nil
		case c == '\\' && quote == '"' && l.text != "":
			e := l.text[0]
			l.text = l.text[1:]
			if n := strings.IndexByte("rnt", e); n >= 0 {
				e = "\r\n\t"[n]
			} else if e == '\n' {
				l.line++
			}
			b.WriteByte(e)
			continue
		case (c == '$' || c == '%') && quote == '"' && strings.HasPrefix(l.text, "{"):
			name, ok := l.macro(l.text)
			if !ok {
				return nil, l.fail("a macro in a string has no name or no }")
			}
			parts = append(parts, fdmToken{kind: '"', text: b.String()}, fdmToken{kind: '$', text: string(c) + name})
			b.Reset()
			continue
		case c == '\n':
			l.line++
		}
		b.WriteByte(c)
	}
}

// command takes what is in $( ) as it is, strings with their quotes.
func (l *fdmLexer) command() (string, error) {
	nesting := 0
	quote := byte(0)
	for i := 0; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == '\n':
			l.line++
		case quote != 0:
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			nesting++
		case c == ')':
			if nesting == 0 {
				command := l.text[:i]
				l.text = l.text[i+1:]
				return command, nil
			}
			nesting--
		}
	}
	return "", l.fail("a command has no )")
}
