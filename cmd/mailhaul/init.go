package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"
)

func (m *program) initCommand() *cli.Command {
	return &cli.Command{
		Name:      "init",
		Usage:     "find the server of an address, try the login, print a configuration",
		ArgsUsage: "ADDRESS",
		Description: `Looks for the POP3 server of a mail address: SRV records, the domain's configuration file for
mail programs, the usual names; always with TLS. Shows what it found, asks whether that is your
server, asks for the password, tries the login, and prints the account for the configuration.
The password goes to no server that you have not confirmed, and is not stored unless
--password-file says where.

   mailhaul init alice@example.com
   mailhaul init --write alice@example.com          puts it into the configuration
   mailhaul init --server pop.example.com alice@example.com
   mailhaul init --yes --password-file ~/.mailhaul-pass alice@example.com     without a terminal`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "server", Usage: "do not search: it is `HOST[:PORT]`"},
			&cli.StringFlag{Name: "tls", DefaultText: "implicit, then starttls", Usage: "with --server: `MODE` is implicit, starttls or none"},
			&cli.StringFlag{Name: "user", DefaultText: "the address, then what is before its @", Usage: "log in as `USER`"},
			&cli.StringFlag{Name: "name", DefaultText: "of the domain", Usage: "call the account `NAME`"},
			&cli.StringFlag{Name: "maildir", DefaultText: "~/Mail/NAME", Usage: "deliver to the maildir `PATH`"},
			&cli.StringFlag{Name: "password-file", Usage: "the password is in `FILE`; if that is missing, it is asked for and put there"},
			&cli.BoolFlag{Name: "write", DisableDefaultText: true, Usage: "append to the configuration in the place of printing"},
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, DisableDefaultText: true, Usage: "do not ask whether the server is the right one, if it is of the address' domain or named by --server"},
		},
		Action: func(c *cli.Context) error {
			return m.init(c, &discovery{resolver: net.DefaultResolver, web: newWebClient()})
		},
	}
}

// A setup is what init is asked for, and what it has found out.
type setup struct {
	*fetcher
	*discovery
	address, local, domain string
	name                   string
	maildir                string   // as the configuration is to have it
	users                  []string // to log in as, one after the other
	passwordFile           string   // absolute, "" for none
	named                  []proposal
	yes                    bool

	tried string // how the login went, for a comment; "" if it was not tried
	asked string // the password that was typed
}

func (m *program) init(c *cli.Context, find *discovery) error {
	if c.Args().Len() != 1 {
		return usagef("usage: mailhaul init ADDRESS")
	}
	s := &setup{fetcher: m.newFetcher(&Config{}), discovery: find, yes: c.Bool("yes")}
	s.dryRun = true
	if err := s.takeAddress(c.Args().First()); err != nil {
		return err
	}
	if err := s.takeOptions(c); err != nil {
		return err
	}
	path := ""
	if c.Bool("write") {
		var err error
		if path, err = s.writable(m.configPath); err != nil {
			return err
		}
	}
	best, err := s.search(c.Context)
	if err != nil {
		return err
	}
	a := best.account()
	a.Name, a.User = s.name, s.users[0]
	switch err := s.confirm(c.Context, best); {
	case errors.Is(err, errDeclined):
		s.remark("nothing was sent there; to name another server: --server")
		return nil
	case errors.Is(err, errUnasked):
		by := "--yes"
		if best.foreign(s.domain) { // for which --yes is not enough
			by = "--server and --yes"
		}
		s.remark("the login was not tried: only you can say whether this is your server: %s", by)
		if path != "" {
			return usagef("--write needs a server that is confirmed: by %s", by)
		}
	case err != nil:
		return err
	default:
		if err := s.login(c.Context, a, best.user); err != nil {
			return m.about(a, err)
		}
	}
	if err := s.keepPassword(); err != nil {
		return err
	}
	text := s.text(a)
	if path == "" {
		m.report.write(m.report.out, strings.TrimSuffix(text, "\n"))
		return nil
	}
	if err := s.append(path, text); err != nil {
		return err
	}
	return m.tell("%s: account %s is in the configuration; next: %s", visible(path), visible(s.name), m.report.cures.command("check "+shellWord(s.name)))
}

// takeAddress takes the address apart. The domain must be fit for the DNS as it is.
func (s *setup) takeAddress(address string) error {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return usagef("%q is no mail address; want one like alice@example.com", address)
	}
	domain := strings.ToLower(strings.TrimSuffix(address[at+1:], "."))
	if strings.ContainsFunc(domain, func(r rune) bool { return r > 0x7f }) {
		return usagef("write the domain of %q in its form for the DNS, which begins with xn--", address)
	}
	if domain == "" || strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || strings.Contains(domain, "..") || strings.HasPrefix(domain, ".") {
		return usagef("%q has no domain", address)
	}
	s.address, s.local, s.domain = address, address[:at], domain
	s.name, _, _ = strings.Cut(domain, ".")
	s.users = []string{address, s.local}
	return nil
}

func (s *setup) takeOptions(c *cli.Context) (err error) {
	for _, name := range []string{"server", "tls", "user", "name", "maildir", "password-file"} {
		if c.IsSet(name) && c.String(name) == "" {
			return usagef("--%s is empty", name)
		}
	}
	if user := c.String("user"); user != "" {
		if strings.ContainsAny(user, "\r\n\x00") {
			return usagef("--user has a line break or a NUL in it")
		}
		s.users = []string{user}
	}
	if name := c.String("name"); name != "" {
		if strings.ContainsFunc(name, unicode.IsControl) {
			return usagef("--name has control characters in it")
		}
		s.name = name
	}
	if s.maildir = c.String("maildir"); s.maildir == "" {
		s.maildir = "~/Mail/" + fileName(s.name)
	} else if s.maildir, err = fromHere(s.maildir); err != nil {
		return usagef("--maildir: %v", err)
	} else {
		s.maildir = dollars(s.maildir)
	}
	if file := c.String("password-file"); file != "" {
		if s.passwordFile, err = fromHere(file); err != nil {
			return usagef("--password-file: %v", err)
		}
	}
	modes := []string{"implicit", "starttls"}
	switch mode := c.String("tls"); {
	case mode == "":
	case !c.IsSet("server"):
		return usagef("--tls needs --server")
	case mode != "implicit" && mode != "starttls" && mode != "none":
		return usagef("--tls: want implicit, starttls or none")
	default:
		modes = []string{mode}
	}
	if !c.IsSet("server") {
		return nil
	}
	for _, mode := range modes {
		n := proposal{tls: mode, source: "--server", named: true}
		if err := setServer(&n.server, c.String("server")); err != nil {
			return usagef("--server: %v", err)
		}
		if n.server.setPort(mode); mode == "none" && !n.server.Local() {
			return usagef("--tls none: the password would go in clear to %s", n.server.Addr)
		}
		s.named = append(s.named, n)
	}
	return nil
}

// fromHere makes a path of the command line absolute: in the configuration, relative ones are relative
// to that file.
func fromHere(path string) (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return expandPath(path, here)
}

// remark says something on the way.
func (s *setup) remark(format string, args ...any) {
	if s.report.verbose >= 0 {
		s.report.complain(prioInfo, fmt.Sprintf(format, args...))
	}
}

// A notFoundError says that no server was found that could be talked to.
type notFoundError struct {
	Domain string
	Tried  []error
}

func (e *notFoundError) Error() string {
	return fmt.Sprintf("no POP3 server with TLS was found for %q", e.Domain)
}

// search returns the best server that answers.
func (s *setup) search(ctx context.Context) (*probed, error) {
	if s.named != nil {
		best, errs := s.probe(ctx, s.named)
		if best != nil {
			return best, nil
		}
		a := s.named[0].account()
		a.Name = s.name
		return nil, s.about(a, firstPermanent(errs))
	}
	lost := &notFoundError{Domain: s.domain}
	for found, err := range s.stages(ctx, s.address, s.domain) {
		if err != nil {
			lost.Tried = append(lost.Tried, err)
		}
		best, errs := s.probe(ctx, found)
		if best != nil {
			return best, nil
		}
		lost.Tried = append(lost.Tried, errs...)
	}
	if ctx.Err() != nil {
		return nil, stopped(ctx)
	}
	if s.report.verbose > 0 {
		for _, err := range lost.Tried {
			s.remark("%v", err)
		}
	}
	return nil, lost
}

// keepPassword puts a password that was typed where it was said, for its owner alone, and over
// nothing that is there.
func (s *setup) keepPassword() error {
	if s.asked == "" || s.passwordFile == "" {
		return nil
	}
	path := s.passwordFile
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(s.asked + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}
