package peer

import (
	"strings"
	"unicode"
)

// A getmailValue is a parameter of a section.
type getmailValue struct {
	line int
	name string
	text string // of several lines with line breaks between them
}

type getmailSection struct {
	line   int
	name   string
	values []getmailValue
}

// get finds a parameter.
func (s *getmailSection) get(name string) (getmailValue, bool) {
	if s != nil {
		for _, v := range s.values {
			if v.name == name {
				return v, true
			}
		}
	}
	return getmailValue{}, false
}

// text is a parameter's value, "" if it is not there.
func (s *getmailSection) text(name string) string {
	v, _ := s.get(name)
	return v.text
}

// yes reads a switch as Python's getboolean does.
func (s *getmailSection) yes(name string, otherwise bool) bool {
	switch strings.ToLower(s.text(name)) {
	case "1", "yes", "true", "on":
		return true
	case "0", "no", "false", "off":
		return false
	}
	return otherwise
}

// parseGetmail reads a getmailrc as Python's RawConfigParser does: sections, "name = value" or
// "name: value", whole lines of comment that begin with # or ;. A line that is indented more than
// its parameter goes on with it.
func parseGetmail(src Source) ([]*getmailSection, error) {
	var sections []*getmailSection
	var section *getmailSection
	indent := 0
	inValue := false
	for i, raw := range strings.Split(string(src.Text), "\n") {
		line := i + 1
		text := strings.TrimSpace(raw)
		fail := func(why string) ([]*getmailSection, error) { return nil, &SyntaxError{src.Name, line, why} }
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		depth := len(raw) - len(strings.TrimLeftFunc(raw, unicode.IsSpace))
		if inValue && depth > indent {
			v := &section.values[len(section.values)-1]
			v.text = strings.TrimPrefix(v.text+"\n"+text, "\n")
			continue
		}
		indent, inValue = depth, false
		if text[0] == '[' && strings.Contains(text, "]") {
			name := text[1:strings.LastIndexByte(text, ']')]
			for _, s := range sections {
				if s.name == name {
					return fail("this section is already there")
				}
			}
			section = &getmailSection{line: line, name: name}
			sections = append(sections, section)
			continue
		}
		n := strings.IndexAny(text, "=:")
		switch {
		case section == nil:
			return fail("it begins without a [section]")
		case n <= 0:
			return fail("want name = value")
		}
		name := strings.ToLower(strings.TrimSpace(text[:n]))
		if _, twice := section.get(name); twice {
			return fail("this parameter is already there")
		}
		section.values = append(section.values, getmailValue{line, name, strings.TrimSpace(text[n+1:])})
		inValue = true
	}
	return sections, nil
}

// pythonTuple reads a tuple of strings, ('a', "b",), which getmail gives to Python. ok is false
// for any other expression.
func pythonTuple(text string) (items []string, ok bool) {
	s := strings.TrimSpace(text)
	if s == "" {
		return nil, true
	}
	if s[0] == '(' && s[len(s)-1] == ')' {
		s = s[1 : len(s)-1]
	} else if !strings.Contains(s, ",") {
		return nil, false
	}
	commas := 0
	for {
		s = strings.TrimSpace(s)
		if s == "" {
			return items, commas > 0 || len(items) == 0 // a single string in parentheses is no tuple
		}
		var item string
		strs := 0
		for s != "" && s[0] != ',' {
			part, rest, ok := pythonString(s)
			if !ok {
				return nil, false
			}
			item += part // strings that stand side by side are one
			s = strings.TrimSpace(rest)
			strs++
		}
		if strs == 0 {
			return nil, false
		}
		items = append(items, item)
		if s != "" {
			s = s[1:]
			commas++
		}
	}
}

// pythonString reads a literal with its prefix, and what is behind it.
func pythonString(s string) (text, rest string, ok bool) {
	raw := false
	for s != "" && strings.IndexByte("rRuUbB", s[0]) >= 0 {
		raw = raw || s[0] == 'r' || s[0] == 'R'
		s = s[1:]
	}
	if s == "" || s[0] != '\'' && s[0] != '"' || strings.HasPrefix(s, `"""`) || strings.HasPrefix(s, `'''`) {
		return "", "", false
	}
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == quote:
			return b.String(), s[i+1:], true
		case c == '\n':
			return "", "", false
		case c == '\\' && i+1 < len(s):
			i++
			const escapes, meanings = `\'"nrtab`, "\\'\"\n\r\t\a\b"
			n := strings.IndexByte(escapes, s[i])
			switch {
			case !raw && n >= 0:
				b.WriteByte(meanings[n])
			case !raw && strings.IndexByte("01234567xuUNfv\n", s[i]) >= 0:
				return "", "", false // none of these is likely in a command
			default:
				b.WriteByte('\\')
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}
