package peer

import (
	"fmt"
	"slices"
	"strings"
)

// A fetchmailOption is one option with its arguments.
type fetchmailOption struct {
	line int
	name string // the long form
	no   bool
	args []string
	here bool // of is, to and user: a local name
}

func (o fetchmailOption) arg() string {
	if len(o.args) == 0 {
		return ""
	}
	return o.args[len(o.args)-1]
}

// A fetchmailEntry is what `poll`, `skip` or `defaults` begins.
type fetchmailEntry struct {
	line    int
	verb    string
	name    string
	options []fetchmailOption // before the first user
	users   []fetchmailUser
}

type fetchmailUser struct {
	line    int
	options []fetchmailOption // the first is "user"
}

// fetchmailArity says what follows an option: nothing, one word, words up to the next keyword, or
// names that may be pairs.
var fetchmailArity = fetchmailArities()

const (
	flagOption = iota
	wordOption
	listOption
	nameOption
)

func fetchmailArities() map[string]int {
	all := map[string]int{}
	for arity, names := range map[int]string{
		flagOption: "uidl dns checkalias tracepolls ssl sslcertck keep flush limitflush fetchall rewrite stripcr forcecr pass8bits " +
			"dropstatus dropdelivered mimedecode idle bouncemail spambounce softbounce syslog invisible showdots lmtp",
		wordOption: "via protocol service port interval authenticate timeout envelope qvirtual principal esmtpname esmtppassword bad-header " +
			"interface monitor plugin plugout user password mda bsmtp preconnect postconnect limit warnings batchlimit fetchlimit " +
			"fetchsizelimit fastuidl expunge properties smtpaddress smtpname sslkey sslcert sslproto sslcertfile sslcertpath " +
			"sslcommonname sslfingerprint logfile idfile pidfile daemon postmaster",
		listOption: "aka localdomains folder smtphost fetchdomains antispam",
		nameOption: "is to",
	} {
		for name := range strings.FieldsSeq(names) {
			all[name] = arity
		}
	}
	return all
}

// fetchmailLong gives the long form of a keyword.
var fetchmailLong = map[string]string{
	"server": "poll", "local": "localdomains", "proto": "protocol", "auth": "authenticate", "preauth": "authenticate",
	"preauthenticate": "authenticate", "username": "user", "pass": "password", "folders": "folder", "smtp": "smtphost",
	"pre": "preconnect", "post": "postconnect", "pass8": "pass8bits", "mimedec": "mimedecode",
}

// fetchmailServer are the options of a server; the others are a user's.
var fetchmailServer = strings.Fields("via protocol service port interval authenticate timeout envelope qvirtual aka localdomains interface monitor plugin plugout dns checkalias uidl tracepolls principal esmtpname esmtppassword bad-header")

// A fetchmailParser goes through the words of a fetchmailrc.
type fetchmailParser struct {
	src     Source
	tokens  []fetchmailToken
	last    string // the last option, for errors
	line    int    // of the last word
	sets    []fetchmailOption
	entries []*fetchmailEntry
}

// keyword gives the long form of the next word if it is a keyword, else "".
func (p *fetchmailParser) keyword() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return fetchmailKeyword(p.tokens[0])
}

func fetchmailKeyword(t fetchmailToken) string {
	if t.quoted || t.name {
		return ""
	}
	word := t.text
	if long := fetchmailLong[word]; long != "" {
		word = long
	}
	_, option := fetchmailArity[word]
	if option || slices.Contains([]string{"poll", "skip", "defaults", "set", "no", "here", "there"}, word) {
		return word
	}
	if rest, ok := strings.CutPrefix(word, "no"); ok && fetchmailFlag(rest) != "" {
		return "no-" + fetchmailFlag(rest)
	}
	return ""
}

// fetchmailFlag gives the long form of an option without arguments, "" if it is none.
func fetchmailFlag(word string) string {
	if long := fetchmailLong[word]; long != "" {
		word = long
	}
	if arity, ok := fetchmailArity[word]; ok && (arity == flagOption || word == "envelope") {
		return word
	}
	return ""
}

func (p *fetchmailParser) take() fetchmailToken {
	t := p.tokens[0]
	p.tokens, p.line = p.tokens[1:], t.line
	return t
}

// fail never names the word: it may be a password behind a mistake.
func (p *fetchmailParser) fail(line int, format string, args ...any) error {
	return &SyntaxError{p.src.Name, line, fmt.Sprintf(format, args...)}
}

// parse takes the whole file.
func (p *fetchmailParser) parse() error {
	for _, t := range p.tokens {
		if t.open {
			return p.fail(t.line, "a string goes beyond the end of its line: a quotation mark is missing, here or further up")
		}
	}
	for len(p.tokens) > 0 {
		word, line := p.keyword(), p.tokens[0].line
		switch word {
		case "set":
			p.take()
			o, err := p.option()
			if err != nil {
				return err
			}
			p.sets = append(p.sets, o)
		case "poll", "skip", "defaults":
			p.take()
			e := &fetchmailEntry{line: line, verb: word}
			if word != "defaults" {
				if len(p.tokens) == 0 || p.keyword() != "" {
					return p.fail(line, "%s has no name", word)
				}
				e.name = p.take().text
			}
			p.last = word
			p.entries = append(p.entries, e)
			if err := p.entry(e); err != nil {
				return err
			}
		default:
			return p.fail(line, "not understood, after %s", p.before())
		}
	}
	return nil
}

func (p *fetchmailParser) before() string {
	if p.last == "" {
		return "the beginning"
	}
	return p.last
}

// entry takes the options and users of one entry.
func (p *fetchmailParser) entry(e *fetchmailEntry) error {
	for len(p.tokens) > 0 {
		if slices.Contains([]string{"poll", "skip", "defaults", "set"}, p.keyword()) {
			return nil
		}
		o, err := p.option()
		switch {
		case err != nil:
			return err
		case o.name == "user":
			e.users = append(e.users, fetchmailUser{o.line, []fetchmailOption{o}})
		case len(e.users) == 0 || slices.Contains(fetchmailServer, o.name):
			e.options = append(e.options, o)
		default:
			u := &e.users[len(e.users)-1]
			u.options = append(u.options, o)
		}
	}
	return nil
}

// option takes one option with what belongs to it.
func (p *fetchmailParser) option() (o fetchmailOption, err error) {
	if len(p.tokens) == 0 {
		return o, p.fail(p.line, "it ends after %s", p.before())
	}
	o.line = p.tokens[0].line
	name := p.keyword()
	switch {
	case name == "no":
		p.take()
		if len(p.tokens) > 0 && !p.tokens[0].quoted {
			o.name = fetchmailFlag(p.tokens[0].text)
		}
		if o.name == "" {
			return o, p.fail(o.line, "not understood, after no")
		}
		p.take()
		o.no = true
		return o, nil
	case strings.HasPrefix(name, "no-"):
		p.take()
		o.name, o.no = name[3:], true
		return o, nil
	}
	arity, ok := fetchmailArity[name]
	if !ok {
		return o, p.fail(o.line, "not understood, after %s (fetchmail has no such option, or a word is too many)", p.before())
	}
	p.take()
	o.name, p.last = name, name
	return o, p.arguments(&o, arity)
}

func (p *fetchmailParser) arguments(o *fetchmailOption, arity int) error {
	more := func() bool { return len(p.tokens) > 0 && p.keyword() == "" }
	if more() && p.tokens[0].text == "=" && !p.tokens[0].quoted { // set logfile = "x"
		p.take()
	}
	if o.name == "authenticate" && len(p.tokens) > 0 { // `auth password`
		o.args = []string{p.take().text}
		return nil
	}
	if arity != flagOption && !more() {
		return p.fail(o.line, "%s has no value", o.name)
	}
	switch arity {
	case wordOption:
		t := p.take()
		o.args = []string{t.text}
		if o.name == "envelope" && !t.quoted && strings.Trim(t.text, "0123456789") == "" && more() {
			o.args = append(o.args, p.take().text)
		}
	case listOption, nameOption:
		for more() {
			o.args = append(o.args, p.take().text)
		}
	}
	if o.name == "user" { // local names may be several, up to here
		n := 0
		for n < len(p.tokens) && fetchmailKeyword(p.tokens[n]) == "" {
			n++
		}
		if n > 0 && n < len(p.tokens) && !p.tokens[n].quoted && p.tokens[n].text == "here" {
			for range n {
				o.args = append(o.args, p.take().text)
			}
		}
	}
	if arity == nameOption || o.name == "user" {
		switch p.keyword() {
		case "here":
			o.here = true
			p.take()
		case "there":
			p.take()
			if o.name != "user" {
				o.name = "remote" // `is NAME there` names the user on the server
			}
		default:
			o.here = arity == nameOption
		}
	}
	return nil
}
