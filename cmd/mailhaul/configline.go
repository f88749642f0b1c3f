package main

import (
	"strings"

	"github.com/BurntSushi/toml"
)

// keyLines maps the joined path of every key and table of a TOML text to its line. The text has
// been decoded without an error, so this reads no more of the grammar than it takes to tell keys
// from values: the library itself keeps no positions.
func keyLines(text string) map[string]int {
	s := &lineScanner{text: strings.TrimPrefix(text, "\ufeff"), line: 1, lines: map[string]int{}}
	var table []string
	for {
		s.space(true)
		switch {
		case s.end():
			return s.lines
		case s.peek() == '[':
			at := s.line
			for s.peek() == '[' || s.peek() == ' ' || s.peek() == '\t' {
				s.pos++
			}
			table = s.key()
			s.note(table, at)
			for !s.end() && s.peek() != '\n' { // ] or ]], and a comment
				s.pos++
			}
		default:
			s.pair(table)
		}
	}
}

// joinKey makes a path one string that no other path makes.
func joinKey(key toml.Key) string { return strings.Join(key, "\x00") }

type lineScanner struct {
	text  string
	pos   int
	line  int
	lines map[string]int
}

func (s *lineScanner) end() bool { return s.pos >= len(s.text) }

func (s *lineScanner) peek() byte {
	if s.end() {
		return 0
	}
	return s.text[s.pos]
}

// note keeps the first line of a path, and of the tables that it implies.
func (s *lineScanner) note(path []string, line int) {
	for n := 1; n <= len(path); n++ {
		joined := joinKey(path[:n])
		if _, ok := s.lines[joined]; !ok {
			s.lines[joined] = line
		}
	}
	s.lines[joinKey(path)] = line
}

// space skips blanks and comments, and line ends if asked to.
func (s *lineScanner) space(lines bool) {
	for !s.end() {
		switch c := s.peek(); {
		case c == ' ' || c == '\t' || c == '\r':
			s.pos++
		case c == '\n' && lines:
			s.line++
			s.pos++
		case c == '#' && lines:
			for !s.end() && s.peek() != '\n' {
				s.pos++
			}
		default:
			return
		}
	}
}

// key reads a dotted key.
func (s *lineScanner) key() []string {
	var path []string
	for {
		s.space(false)
		switch c := s.peek(); c {
		case '"', '\'':
			path = append(path, s.quoted())
		default:
			start := s.pos
			for !s.end() && !strings.ContainsRune(" \t\r\n.=]#", rune(s.peek())) {
				s.pos++
			}
			path = append(path, s.text[start:s.pos])
		}
		s.space(false)
		if s.peek() != '.' {
			return path
		}
		s.pos++
	}
}

// pair reads key = value within a table.
func (s *lineScanner) pair(table []string) {
	at, start := s.line, s.pos
	path := append(append([]string(nil), table...), s.key()...)
	s.note(path, at)
	s.space(false)
	if s.peek() == '=' {
		s.pos++
	}
	s.space(false)
	s.value(path)
	if s.pos == start { // nothing that we know: never stand still
		s.pos++
	}
}

// value skips a value; path is its key's, for the keys of an inline table.
func (s *lineScanner) value(path []string) {
	switch s.peek() {
	case '"', '\'':
		s.quoted()
	case '[', '{':
		open := s.peek()
		s.pos++
		for {
			s.space(true)
			switch c := s.peek(); {
			case s.end():
				return
			case c == ']' || c == '}':
				s.pos++
				return
			case c == ',':
				s.pos++
			case open == '{':
				s.pair(path)
			default:
				start := s.pos
				s.value(path)
				if s.pos == start {
					s.pos++
				}
			}
		}
	default:
		for !s.end() && !strings.ContainsRune(",]}#\n", rune(s.peek())) {
			s.pos++
		}
	}
}

// quoted skips a string of any of the four kinds and returns its content, the escapes undone for
// keys that use them.
func (s *lineScanner) quoted() string {
	q := s.text[s.pos : s.pos+1]
	if strings.HasPrefix(s.text[s.pos:], q+q+q) {
		s.pos += 3
		for !s.end() && !strings.HasPrefix(s.text[s.pos:], q+q+q) {
			s.step(q)
		}
		for !s.end() && s.text[s.pos:s.pos+1] == q { // a string may end in up to two quotes of its own
			s.pos++
		}
		return ""
	}
	start := s.pos
	s.pos++
	for !s.end() && s.text[s.pos:s.pos+1] != q && s.peek() != '\n' {
		s.step(q)
	}
	if !s.end() && s.peek() != '\n' {
		s.pos++
	}
	raw := s.text[start:s.pos]
	var one struct{ K string }
	if _, err := toml.Decode("K = "+raw, &one); err != nil {
		return raw
	}
	return one.K
}

// step passes one octet of a string, or an escaped pair.
func (s *lineScanner) step(q string) {
	if s.peek() == '\\' && q == `"` && s.pos+1 < len(s.text) {
		s.pos++
	}
	if s.peek() == '\n' {
		s.line++
	}
	s.pos++
}
