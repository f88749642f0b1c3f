package peer

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// An mpopCommand is a line of an mpoprc.
type mpopCommand struct {
	line int
	arg  string
	own  bool // of the account itself or one that it inherits from, not of defaults
}

// An mpopAccount is what an account's commands say so far: the last of each name counts.
type mpopAccount struct {
	name     string
	line     int
	from     []string // what it inherits from
	commands map[string]mpopCommand
	evals    []mpopCommand // those that stand for an unknown line
	unknown  []Finding
	added    bool // it has a command of its own
}

// mpop reads an mpoprc (mpop(1), "USAGE"): a command a line, maybe with an argument in quotes.
func (imp *Import) mpop(src Source, site Site) error {
	defaults := &mpopAccount{commands: map[string]mpopCommand{}}
	var all []*mpopAccount
	var current *mpopAccount
	for i, text := range strings.Split(string(src.Text), "\n") {
		line := i + 1
		text = strings.Trim(strings.TrimSuffix(text, "\r"), " \t")
		if text == "" || text[0] == '#' {
			continue
		}
		command, arg := mpopSplit(text)
		switch {
		case command == "defaults":
			current = defaults
			continue
		case command == "account":
			a, err := mpopBegin(src, line, arg, defaults, all)
			if err != nil {
				return err
			}
			all, current = append(all, a), a
			continue
		case current == nil:
			return &SyntaxError{src.Name, line, "the first command must be account or defaults"}
		}
		current.command(src, line, command, arg, current != defaults)
	}
	for _, a := range all {
		imp.mpopAccount(src, site, a)
	}
	if len(all) == 0 && len(defaults.commands) > 0 {
		imp.Findings = append(imp.Findings, Finding{src.Name, 0, "defaults", "there is no account"})
	}
	return nil
}

// mpopSplit takes a line apart. Quotes count only if they are the first and the last character of
// the argument.
func mpopSplit(text string) (command, arg string) {
	n := strings.IndexAny(text, " \t")
	if n < 0 {
		return text, ""
	}
	return text[:n], mpopTrim(text[n:])
}

func mpopTrim(s string) string {
	s = strings.Trim(s, " \t")
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	return s
}

// mpopBegin begins an account: the defaults so far, then what the accounts behind the colon say.
func mpopBegin(src Source, line int, arg string, defaults *mpopAccount, all []*mpopAccount) (*mpopAccount, error) {
	fail := func(text string) (*mpopAccount, error) { return nil, &SyntaxError{src.Name, line, text} }
	name, list, inherits := strings.Cut(arg, ":")
	name = mpopTrim(name)
	find := func(name string) *mpopAccount {
		i := slices.IndexFunc(all, func(a *mpopAccount) bool { return a.name == name })
		if i < 0 {
			return nil
		}
		return all[i]
	}
	switch {
	case name == "":
		return fail("account has no name")
	case find(name) != nil:
		return fail("this account is already there")
	}
	a := defaults.inherit(name, line)
	for other := range strings.SplitSeq(list, ",") {
		if !inherits {
			break
		}
		from := find(mpopTrim(other))
		if from == nil {
			return fail("an account behind the colon is not defined before")
		}
		a.from = append(a.from, from.name)
		for name, c := range from.commands {
			if c.own {
				a.commands[name] = c
			}
		}
		a.evals = append(a.evals, from.evals...)
		a.unknown = append(a.unknown, from.unknown...)
	}
	return a, nil
}

// inherit makes an account of the defaults.
func (d *mpopAccount) inherit(name string, line int) *mpopAccount {
	a := &mpopAccount{name: name, line: line, commands: map[string]mpopCommand{}}
	for name, c := range d.commands {
		a.commands[name] = c
	}
	a.evals, a.unknown = slices.Clone(d.evals), slices.Clone(d.unknown)
	return a
}

// mpopCommands are the commands of an account.
var mpopCommands = strings.Fields("host port source_ip proxy_host proxy_port socket timeout connect_timeout pipelining auth user password passwordeval ntlmdomain " +
	"tls tls_starttls tls_trust_file tls_crl_file tls_fingerprint tls_key_file tls_cert_file tls_certcheck tls_priorities tls_host_override " +
	"tls_min_dh_prime_bits tls_force_sslv3 tls_nostarttls delivery uidls_file only_new keep killsize skipsize filter received_header")

// command takes one line in.
func (a *mpopAccount) command(src Source, line int, command, arg string, own bool) {
	a.added = true
	if command == "eval" {
		a.eval(line, arg, own)
		return
	}
	if !slices.Contains(mpopCommands, command) {
		option := "a command"
		if arg != "" && strings.Trim(command, "abcdefghijklmnopqrstuvwxyz_") == "" {
			option = command
		}
		a.unknown = append(a.unknown, Finding{src.Name, line, option, "not carried over: it is none that is known of mpop"})
		return
	}
	a.commands[command] = mpopCommand{line, arg, own}
}

// mpopPassword are the forms of an eval that stand for a password.
var (
	mpopPasswordCommand = regexp.MustCompile("^echo\\s+([\"']?)password(eval)?\\s+(?:\\$\\(([^()]+)\\)|`([^`]+)`)([\"']?)$")
	mpopPasswordWord    = regexp.MustCompile(`^echo\s+["']?password\s`)
)

// eval stands for a line that a command prints. The command is not run.
func (a *mpopAccount) eval(line int, command string, own bool) {
	if m := mpopPasswordCommand.FindStringSubmatch(command); m != nil && m[1] == m[5] && m[1] != "'" && m[2] == "" {
		delete(a.commands, "password")
		a.commands["passwordeval"] = mpopCommand{line, m[3] + m[4], own}
		return
	}
	if mpopPasswordWord.MatchString(command) && !strings.ContainsAny(command, "$`") {
		a.commands["password"] = mpopCommand{line, "in the eval", own}
		return
	}
	a.evals = append(a.evals, mpopCommand{line: line, own: own})
}

// is tells whether a command is set, and to what.
func (a *mpopAccount) is(command string) (mpopCommand, bool) {
	c, ok := a.commands[command]
	return c, ok && c.arg != ""
}

// on reads a switch: an empty argument is on.
func (a *mpopAccount) on(command string, otherwise bool) bool {
	c, ok := a.commands[command]
	if !ok {
		return otherwise
	}
	return c.arg == "" || c.arg == "on"
}

// mpopAccount makes an account of what was gathered.
func (imp *Import) mpopAccount(src Source, site Site, m *mpopAccount) {
	d := &draft{program: Mpop}
	d.Name, d.File, d.Line = m.name, src.Name, m.line
	d.From = "mpop: account " + m.name
	if len(m.from) == 1 && !m.added {
		imp.leaveOut(&d.Account, fmt.Sprintf("it is the account %s under another name", printable(m.from[0])))
		return
	}
	d.Findings = slices.Clone(m.unknown)
	for _, c := range m.evals {
		d.disable(c.line, "eval", "is not run: write the line that it stands for by hand, if the account lacks one")
	}
	d.mpopServer(m)
	d.mpopTLS(m)
	d.mpopLogin(m)
	d.mpopDelivery(m)
	d.mpopMessages(m)
	d.IDFile = "~/.mpop_uidls/%U_at_%H"
	if c, ok := m.is("uidls_file"); ok {
		d.IDFile = c.arg
	}
	d.IDFile = site.absolute(strings.NewReplacer("%U", d.User, "%H", strings.TrimPrefix(d.Host, "unix:")).Replace(d.IDFile))
	imp.add(d, site)
}
