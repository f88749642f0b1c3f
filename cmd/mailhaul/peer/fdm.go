package peer

import (
	"path"
	"slices"
	"strings"
)

// fdm reads the common part of fdm.conf (fdm.conf(5)): accounts, and rules that send an account's
// mail to one action.
func (imp *Import) fdm(src Source, site Site) error {
	tokens, err := lexFdm(src)
	if err != nil {
		return err
	}
	f := &fdmFile{Import: imp, src: src, site: site, tokens: tokens,
		macros: map[string]fdmValue{}, sets: map[string]fdmSet{}, actions: map[string]fdmAction{}}
	if err := f.parse(); err != nil {
		return err
	}
	for _, a := range f.accounts {
		f.complete(a)
	}
	return nil
}

// fdmSets say why an option is not carried over, "" if it is.
var fdmSets = map[string]string{
	"timeout": "", "maximum-size": "", "verify-certificates": "", "no-received": "", "lock-types": "", "lock-type": "", "proxy": "",
	"delete-oversized": "refused: it deletes messages that were never retrieved; larger ones than max_size stay and are reported",
	"purge-after":      "not needed: each message is recorded before it is deleted",
	"queue-high":       "not needed: memory does not grow with the number of messages", "queue-low": "not needed: memory does not grow with the number of messages",
	"ignore-errors": "not needed: a message that cannot be delivered stops no other", "allow-multiple": "not carried over: two runs of one account are never at work at once",
	"lock-file": "not needed: each account has its own lock", "lock-wait": "not carried over: mailhaul fetch --wait 5m waits", "lock-timeout": "not carried over: mailhaul fetch --wait 5m waits",
	"command-user": fdmUser, "default-user": fdmUser, "lookup-order": fdmUser, "file-group": fdmUser, "file-umask": "not carried over: mail is for its owner alone",
	"no-create": "not carried over: a maildir or mbox that is missing is made as long as nothing was delivered to it", "unmatched-mail": "not carried over: there are no rules",
	"strip-characters": "not carried over: mailhaul has no rules and no tags", "parallel-accounts": "not carried over: mailhaul fetch --jobs N",
}

const fdmUser = "not carried over: mailhaul delivers as the user who runs it"

// set takes a global option.
func (f *fdmFile) set() {
	t := f.at(0)
	f.skip(1)
	s := fdmSet{line: t.line, value: f.value()}
	for len(f.tokens) > 0 && !f.begins(0) && !f.at(0).is("ifdef", "ifndef", "endif") {
		if n, ok := f.number(); ok {
			s.words = append(s.words, n)
			continue
		}
		s.words = append(s.words, f.at(0).text)
		f.skip(1)
	}
	why, known := fdmSets[t.text]
	switch {
	case t.kind != 'w':
		f.note(t.line, "set", "not carried over: it is not understood")
	case !known:
		f.note(t.line, "set", "not carried over: it is none that is known of fdm")
	case why != "":
		f.note(t.line, "set "+t.text, why)
	}
	if known {
		f.sets[t.text] = s
	}
}

// A fdmAccount is an account with its options.
type fdmAccount struct {
	*draft
	name     fdmValue
	kind     string
	pass     *fdmValue
	verify   bool // not turned off
	noUIDL   bool
	cache    fdmValue
	startTLS bool
}

// account takes a definition. Options may come in any order.
func (f *fdmFile) account(line int) {
	a := &fdmAccount{draft: &draft{program: Fdm}, name: f.value(), verify: true}
	a.File, a.Line, a.Name = f.src.Name, line, a.name.text
	a.From = "fdm: account " + printable(a.Name)
	f.accounts = append(f.accounts, a)
	for len(f.tokens) > 0 && !f.begins(0) && !f.at(0).is("ifdef", "ifndef", "endif") {
		t := f.at(0)
		f.skip(1)
		if t.kind == 'w' && a.kind == "" && a.begin(f, t) {
			continue
		}
		if t.kind != 'w' || !a.option(f, t) {
			a.disable(t.line, "account", "something behind it is not understood")
		}
	}
}

// begin takes what is in front of the kind of an account, and the kind.
func (a *fdmAccount) begin(f *fdmFile, t fdmToken) bool {
	switch t.text {
	case "disabled":
		a.skip = true
	case "user", "users":
		a.note(t.line, t.text, fdmUser)
		if f.at(0).kind == '{' {
			for f.skip(1); f.at(0).string() || f.at(0).kind == '0' || f.at(0).kind == '$'; {
				if !f.at(0).string() {
					f.skip(1)
					continue
				}
				f.value()
			}
			f.skip(1)
		} else if f.at(0).string() {
			f.value()
		} else {
			f.skip(1)
		}
	case "pop3", "pop3s":
		a.kind = t.text
		if f.at(0).is("pipe") {
			f.skip(1)
			a.pipe(f.value())
		}
	default:
		a.kind = "other"
	}
	return true
}

// pipe makes a tunnel of a command, which fdm gives to a shell.
func (a *fdmAccount) pipe(v fdmValue) {
	if a.Host = strings.ToLower(a.name.text); !validHost(a.Host) {
		a.Host = "pipe"
	}
	switch {
	case v.unclear || v.command != "" || v.text == "":
		a.disable(v.line, "pipe", "not carried over: it has the output of a command, or an unknown macro in it")
	default:
		a.set("tunnel", program(argv(v.text)))
		a.note(v.line, "pipe", "server is only a name here: what is behind the tunnel has none in fdm.conf")
	}
}

// option takes one option of a POP3 account.
func (a *fdmAccount) option(f *fdmFile, t fdmToken) bool {
	text := func() string {
		v := f.value()
		if v.command != "" || v.unclear {
			a.disable(t.line, t.text, "not carried over: it has the output of a command, or an unknown macro in it")
			return ""
		}
		return v.text
	}
	switch t.text {
	case "server":
		a.Host = text()
	case "port":
		if n, ok := f.number(); ok {
			a.Port = n
		} else if p := text(); p == "pop3s" {
			a.Port = "995"
		} else if p == "pop3" {
			a.Port = "110"
		} else {
			a.Port = p
		}
	case "user":
		a.User = text()
	case "pass":
		v := f.value()
		a.pass = &v
	case "new-only":
	case "old-only":
		a.disable(t.line, "old-only", "not carried over: it deletes or delivers again what was retrieved before")
	case "cache":
		a.cache = f.value()
	case "no-apop":
	case "no-verify":
		a.verify = false
	case "no-uidl":
		a.noUIDL = true
		a.note(t.line, "no-uidl", "not carried over: mailhaul goes by unique-ids where the server has them")
	case "starttls":
		a.startTLS = true
	case "insecure", "no-tls1":
		a.note(t.line, t.text, "not carried over: mailhaul speaks TLS 1.2 and 1.3")
	case "keep":
		a.set("keep", true)
	default:
		return a.kind == "other"
	}
	return true
}

// complete makes an account of what is known at the end of the file.
func (f *fdmFile) complete(a *fdmAccount) {
	if a.kind != "pop3" && a.kind != "pop3s" {
		f.leaveOut(&a.Account, "it is not of POP3")
		return
	}
	_, verified := f.sets["verify-certificates"]
	a.insecure = !verified || !a.verify
	switch {
	case a.startTLS:
		a.draft.startTLS = true
	case a.kind == "pop3":
		a.plain, a.whyPlain = true, "fdm does not encrypt here (pop3)."
	}
	switch p := a.pass; {
	case p == nil || p.text == "" && p.command == "" && !p.unclear:
		a.set("netrc", true, "There is no password in the file: fdm looks into ~/.netrc.")
	case p.command != "" && !p.unclear:
		a.set("password_command", program(argv(p.command)))
	default:
		a.literal, a.literalLine = true, p.line
	}
	if a.cache.text != "" {
		cache, ok := f.tags(a, a.cache.text, "~")
		if ok {
			a.IDFile = f.site.absolute(cache)
		}
	}
	f.options(a)
	f.destination(a)
	f.add(a.draft, f.site)
}

// tags replaces the tags that are known before any message is: home is what stands for %h.
func (f *fdmFile) tags(a *fdmAccount, s, home string) (string, bool) {
	s = strings.NewReplacer("%%", "\x00", "%h", home, "%[home]", home, "%u", f.site.User, "%[user]", f.site.User,
		"%a", a.name.text, "%[account]", a.name.text).Replace(s)
	if strings.Contains(s, "%") {
		return "", false
	}
	return strings.ReplaceAll(s, "\x00", "%"), true
}

// destination follows the rules to the action for all mail of the account.
func (f *fdmFile) destination(a *fdmAccount) {
	for _, r := range f.rules {
		if r.accounts != nil && !slices.ContainsFunc(r.accounts, func(p string) bool {
			ok, err := path.Match(p, a.name.text)
			return ok && err == nil
		}) {
			continue
		}
		if !r.simple || r.unclear || r.continues {
			a.disable(r.line, "match", "not carried over: mailhaul has no rules; a command as destination can sort mail")
			continue
		}
		action, known := f.actions[r.action]
		if r.inline != nil {
			action = *r.inline
		} else if !known {
			a.disable(r.line, "match", "its action is not defined here; the maildir here is a guess")
			return
		}
		f.deliver(a, action)
		return
	}
	a.disable(a.Line, "match", "there is no rule for all mail of this account; the maildir here is a guess")
}
