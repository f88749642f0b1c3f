package peer

import (
	"strings"
)

// A fdmValue is a string of fdm.conf. command is what stands for it, if it is the output of one.
type fdmValue struct {
	line    int
	text    string
	command string
	unclear bool // it has the output of a command, or an unknown macro, among other text
}

// A fdmAction is where an action puts mail: kind is "maildir", "mbox", "pipe" or whatever else.
type fdmAction struct {
	line int
	kind string
	arg  fdmValue
	more bool // it has users, several parts or options that are not understood
}

// A fdmRule is a `match`.
type fdmRule struct {
	line      int
	accounts  []string // patterns; nil for all
	simple    bool     // it looks at nothing but the account
	action    string
	inline    *fdmAction
	unclear   bool // the action is more than one
	continues bool
}

// A fdmFile is what a file says.
type fdmFile struct {
	*Import
	src      Source
	site     Site
	tokens   []fdmToken
	macros   map[string]fdmValue
	sets     map[string]fdmSet
	actions  map[string]fdmAction
	rules    []fdmRule
	accounts []*fdmAccount
}

type fdmSet struct {
	line  int
	value fdmValue
	words []string // numbers, units and words behind the option
}

func (f *fdmFile) note(line int, option, text string) {
	f.Findings = append(f.Findings, Finding{f.src.Name, line, option, text})
}

func (f *fdmFile) at(i int) fdmToken {
	if i < len(f.tokens) {
		return f.tokens[i]
	}
	return fdmToken{}
}

func (f *fdmFile) skip(n int) { f.tokens = f.tokens[min(n, len(f.tokens)):] }

// stringEnd is the index behind the string expression at i: strings and macros with + between.
func (f *fdmFile) stringEnd(i int) int {
	if !f.at(i).string() {
		return i
	}
	for i++; f.at(i).kind == '+' && f.at(i+1).string(); i += 2 {
	}
	return i
}

// value takes a string expression.
func (f *fdmFile) value() fdmValue {
	v := fdmValue{line: f.at(0).line}
	n := f.stringEnd(0)
	parts := 0
	add := func(w fdmValue) {
		parts++
		v.text += w.text
		v.unclear = v.unclear || w.unclear
		if w.command != "" {
			if v.command != "" {
				v.unclear = true
			}
			v.command = w.command
		}
	}
	for _, t := range f.tokens[:n] {
		switch t.kind {
		case '"':
			for _, p := range t.parts {
				switch {
				case p.kind == '$':
					add(f.macro(p.text))
				case p.text != "" || len(t.parts) == 1:
					add(fdmValue{text: p.text})
				}
			}
		case '$':
			add(f.macro(t.text))
		case '(':
			add(fdmValue{command: t.text[1:]})
		}
	}
	if v.command != "" && parts > 1 {
		v.unclear = true
	}
	f.skip(n)
	return v
}

// macro gives the value of a macro. In a string one that is unknown is empty to fdm; it may come
// from its command line.
func (f *fdmFile) macro(name string) fdmValue {
	if v, ok := f.macros[name]; ok {
		return v
	}
	return fdmValue{unclear: true}
}

// number takes a number or its macro.
func (f *fdmFile) number() (text string, ok bool) {
	t := f.at(0)
	switch {
	case t.kind == '0':
		text = t.text
	case t.kind == '$' && t.text[0] == '%' && !f.macro(t.text).unclear:
		text = f.macro(t.text).text
	default:
		return "", false
	}
	f.skip(1)
	return text, true
}

// fdmActions are the kinds of actions.
var fdmActions = []string{"maildir", "mbox", "pipe", "exec", "write", "append", "imap", "imaps", "smtp", "lmtp", "stdout", "drop", "keep", "rewrite",
	"tag", "add-header", "remove-header", "remove-headers", "add-to-cache", "to-cache", "remove-from-cache"}

// begins tells whether a statement begins at i. `account` and `action` are also parts of a rule.
func (f *fdmFile) begins(i int) bool {
	t := f.at(i)
	switch {
	case t.is("set", "match", "include"):
		return true
	case t.is("cache"):
		return t.first
	case t.kind == '$':
		return f.at(i+1).kind == '='
	case t.is("action"):
		n := f.stringEnd(i + 1)
		after := f.at(n)
		return n > i+1 && (after.is(fdmActions...) || after.is("user", "users") || after.kind == '{')
	case t.is("account"):
		n := f.stringEnd(i + 1)
		after := f.at(n)
		return n > i+1 && (after.is("user", "users", "disabled", "stdin", "maildir", "maildirs", "mbox", "mboxes") ||
			strings.HasPrefix(after.text, "pop3") || strings.HasPrefix(after.text, "imap") || strings.HasPrefix(after.text, "nntp"))
	}
	return false
}

// parse takes the file. What is between ifdef and endif counts if the macro is known by then.
func (f *fdmFile) parse() error {
	for len(f.tokens) > 0 {
		t := f.at(0)
		switch {
		case t.is("ifdef", "ifndef"):
			f.condition(t)
		case t.is("endif"):
			f.skip(1)
		case t.kind == '$' && f.at(1).kind == '=':
			f.skip(2)
			if n, ok := f.number(); ok {
				f.macros[t.text] = fdmValue{text: n}
			} else {
				f.macros[t.text] = f.value()
			}
			if len(f.tokens) > 0 && !f.begins(0) && !f.at(0).is("ifdef", "ifndef", "endif") {
				return &SyntaxError{f.src.Name, f.at(0).line, "not understood, after a macro"}
			}
		case t.is("include"):
			f.skip(1)
			f.value()
			f.note(t.line, "include", "is not followed: name that file beside this one, if accounts are in it")
		case t.is("set"):
			f.skip(1)
			f.set()
		case f.begins(0) && t.is("account"):
			f.skip(1)
			f.account(t.line)
		case f.begins(0) && t.is("action"):
			f.skip(1)
			name := f.value()
			f.actions[name.text] = f.action()
		case t.is("match"):
			f.skip(1)
			f.rule(t.line)
		case t.is("cache"):
			f.skip(1)
			f.value()
			f.note(t.line, "cache", "not carried over: rules that look at it are not either")
			f.rest()
		default:
			return &SyntaxError{f.src.Name, t.line, "not understood: no statement of fdm begins like that"}
		}
	}
	return nil
}

// rest takes what is left of a statement, but not the end of a condition.
func (f *fdmFile) rest() {
	n := 0
	for n < len(f.tokens) && !f.begins(n) && !f.at(n).is("ifdef", "ifndef", "endif") {
		n++
	}
	f.skip(n)
}

// condition leaves out what the macro forbids.
func (f *fdmFile) condition(t fdmToken) {
	name := f.at(1)
	f.skip(2)
	_, known := f.macros[name.text]
	if known == t.is("ifdef") {
		return
	}
	f.note(t.line, t.text, "left out with what is behind it up to endif: the macro "+map[bool]string{true: "is", false: "is not"}[known]+" set here")
	for depth := 1; len(f.tokens) > 0 && depth > 0; f.skip(1) {
		switch {
		case f.at(0).is("ifdef", "ifndef"):
			depth++
		case f.at(0).is("endif"):
			depth--
		}
	}
}

// action takes the kind of an action and what it works on.
func (f *fdmFile) action() fdmAction {
	a := fdmAction{line: f.at(0).line}
	if f.at(0).is("user", "users") || f.at(0).kind == '{' || f.at(0).kind == 0 {
		a.more = true
	} else {
		a.kind = f.at(0).text
		f.skip(1)
		a.arg = f.value()
	}
	n := len(f.tokens)
	f.rest()
	a.more = a.more || n != len(f.tokens)
	return a
}

// rule takes a match: all, or accounts, and one action are understood.
func (f *fdmFile) rule(line int) {
	r := fdmRule{line: line}
	switch t := f.at(0); {
	case t.is("all"):
		f.skip(1)
		r.simple = true
	case t.is("account"):
		f.skip(1)
		r.accounts, r.simple = []string{f.value().text}, true
	case t.is("accounts") && f.at(1).kind == '{':
		f.skip(2)
		r.accounts = []string{}
		for f.at(0).string() {
			r.accounts = append(r.accounts, f.value().text)
		}
		r.simple = f.at(0).kind == '}'
		f.skip(1)
	}
	if !f.at(0).is("action") {
		r.simple = false
		f.rest()
		f.rules = append(f.rules, r)
		return
	}
	f.skip(1)
	if f.at(0).string() {
		r.action = f.value().text
	} else {
		r.inline = &fdmAction{line: f.at(0).line, kind: f.at(0).text}
		f.skip(1)
		r.inline.arg = f.value()
	}
	if r.continues = f.at(0).is("continue"); r.continues {
		f.skip(1)
	}
	before := len(f.tokens)
	f.rest()
	r.unclear = before != len(f.tokens)
	f.rules = append(f.rules, r)
}
