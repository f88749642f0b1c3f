package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

func (m *program) checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "try what fetch needs, and change nothing",
		ArgsUsage: "[ACCOUNT...]",
		Description: `Prints one line for each thing that fetch needs: configuration, state, destination, name,
connection, TLS, certificate, login, capabilities, maildrop. What is wrong goes to standard
error. Nothing is written, retrieved or deleted.

   mailhaul check                    all accounts
   mailhaul check 'sales-*'          some of them
   mailhaul check --config-only      the configuration alone, without any connection
   mailhaul check work | grep pin    the line that pins the server's key
   mailhaul check --json | jq -c 'select(.result=="failed")'`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "config-only", DisableDefaultText: true, Usage: "check only the configuration"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object a line"},
			excludeFlag(),
		},
		Action: m.check,
	}
}

// check looks at each account in turn. The exit status is that of the first thing that is wrong
// and does not pass by itself.
func (m *program) check(c *cli.Context) error {
	m.report.json = c.Bool("json")
	sel, err := selected(c)
	if err != nil {
		return err
	}
	cfg, err := loadConfig(m.configPath, func(name string) bool { return sel.takes(name) && !canAsk() })
	var accounts []*Account
	if err == nil {
		accounts, err = sel.from(cfg)
	}
	if err != nil {
		m.report.failure(nil, err)
		m.checkTotal(0, 0, exitStatus(err))
		return &toldError{err}
	}
	f := m.newFetcher(cfg)
	f.dryRun = true
	var errs []error
	for _, a := range accounts {
		k := &checker{fetcher: f, a: a}
		k.configuration()
		if !c.Bool("config-only") {
			k.local(c.Context)
			k.server(c.Context)
		}
		if err := errors.Join(k.errs...); err != nil {
			errs = append(errs, err)
		}
		if c.Context.Err() != nil {
			break
		}
	}
	err = firstPermanent(errs)
	m.checkTotal(len(accounts), len(errs), exitStatus(err))
	if err != nil {
		return &toldError{err}
	}
	return nil
}

// A checker looks at one account.
type checker struct {
	*fetcher
	a    *Account
	st   *state.File // what is known; empty if it cannot be read
	errs []error
}

// configuration has been read by now; what remains are the files that it names.
func (k *checker) configuration() {
	if _, err := tlsConfig(k.a); err != nil {
		k.failed("configuration", err)
		return
	}
	what := "retrieve and delete"
	switch {
	case k.a.Keep && k.a.DeleteAfter > 0:
		what = "retrieve, delete after " + durationText(k.a.DeleteAfter)
	case k.a.Keep:
		what = "retrieve and keep"
	}
	k.ok("configuration", nil, "%s:%d: %s, tls %s, user %s: %s, into %s", visible(k.a.file), k.a.line,
		visible(k.a.Server.Addr), k.a.TLS, visible(k.a.User), what, visible(k.a.places()))
}

// local looks at what needs no session: state and destination.
func (k *checker) local(ctx context.Context) {
	st, err := state.Read(statePath(k.cfg, k.a.Name))
	if err == nil && !st.New() && !st.Identity().Equal(k.a.identity()) {
		err = &state.IdentityError{Path: st.Path(), Have: st.Identity(), Want: k.a.identity()}
	}
	if err == nil && st.New() {
		err = k.orphan(k.a)
	}
	if err == nil {
		err = mayWrite(k.cfg.StateDir)
	}
	switch {
	case err != nil:
		k.failed("state", err)
		if st, err = nothingKnown(); err != nil {
			k.failed("state", err)
			return
		}
	case st.New():
		k.ok("state", nil, "%s: none yet, this account was never fetched", visible(st.Path()))
	case len(st.Damage()) > 0:
		for _, d := range st.Damage() {
			k.warn("state", nil, "%s: %s", visible(st.Path()), d)
		}
	case st.Len() == 0:
		k.ok("state", nil, "%s: no message is known", visible(st.Path()))
	default:
		k.ok("state", nil, "%s: %d known, the newest of %s", visible(st.Path()), st.Len(), st.Newest().Local().Format("2006-01-02 15:04"))
	}
	k.st = st
	k.writable(ctx, k.a, st)
	for _, b := range k.a.others() {
		st, err := state.Read(statePath(k.cfg, b.stateName()))
		if err != nil {
			k.failed("state", err)
			continue
		}
		k.writable(ctx, b, st)
	}
}

// writable looks at one destination.
func (k *checker) writable(ctx context.Context, a *Account, st *state.File) {
	if err := k.destination(ctx, a, st); err != nil {
		k.failed("destination", err)
		return
	}
	what := "can be written to"
	switch {
	case len(a.Deliver.Command) > 0:
		what = "can be run"
	case a.Deliver.Receiver != nil:
		what = "takes mail"
	}
	k.ok("destination", nil, "%s %s", visible(a.Deliver.String()), what)
}

func (k *checker) destination(ctx context.Context, a *Account, st *state.File) error {
	t, err := k.openTarget(ctx, a, st)
	if err != nil {
		return err
	}
	if c, ok := t.(interface{ Check() error }); ok {
		err = c.Check()
	}
	return errors.Join(err, t.Close())
}

// server connects and logs in, one thing after the other: the first that fails is the last that
// is tried. Nothing that was remembered of the server is believed.
func (k *checker) server(ctx context.Context) {
	blank, err := nothingKnown()
	if err != nil {
		k.failed("state", err)
		return
	}
	s := &session{fetcher: k.fetcher, a: k.a, st: blank, capa: true, pipelining: !k.a.NoPipelining}
	if s.tls, err = tlsConfig(k.a); err != nil {
		return // told already
	}
	secretErr := error(nil)
	if k.a.Auth != "external" || k.a.Secret.Kind != "" {
		if s.secret, secretErr = readSecret(ctx, k.a, k.asker); secretErr != nil {
			k.failed("secret", secretErr)
		}
	}
	if !k.resolve(ctx) {
		return
	}
	c, err := s.connect(ctx)
	if err != nil {
		k.connectFailed(err)
		return
	}
	defer func() { c.Close() }()
	k.ok("connection", nil, "%s says %s", visible(k.a.Server.Addr), visible(c.Greeting()))
	k.tls(c)
	if secretErr != nil {
		return
	}
	if err := s.within(ctx, c, func() error { return s.login(c) }); err != nil {
		if errors.Is(err, errHungUp) && ctx.Err() == nil {
			var again *pop3.Client
			if again, err = s.open(ctx); err == nil {
				c = again
			}
		}
		if err != nil {
			k.failed("login", err)
			return
		}
	}
	k.loggedIn(s.used)
	err = s.within(ctx, c, func() error {
		d, err := s.maildrop(c)
		if err != nil {
			return err
		}
		k.capabilities(s, d)
		k.maildrop(d)
		d.leave(c)
		return nil
	})
	if err != nil {
		k.failed("maildrop", err)
	}
}

// resolve looks the server's name up; there is nothing to look up for an address or a socket, nor
// where a tunnel or a proxy does it.
func (k *checker) resolve(ctx context.Context) bool {
	host := k.a.Server.Host
	if _, err := netip.ParseAddr(host); err == nil || k.a.Server.Network == "unix" || len(k.a.Tunnel) > 0 || k.a.Proxy != nil {
		return true
	}
	limited, cancel := context.WithTimeout(ctx, k.a.Timeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(limited, host)
	if ctx.Err() != nil {
		err = stopped(ctx)
	}
	if err != nil {
		k.failed("name", err)
		return false
	}
	k.addresses(addrs)
	return true
}

func (k *checker) addresses(addrs []string) {
	k.ok("name", func(l *jsonLine) { l.list("addresses", addrs) }, "%s is %s", visible(k.a.Server.Host), visible(strings.Join(addrs, ", ")))
}

func (k *checker) loggedIn(mechanism string) {
	k.ok("login", func(l *jsonLine) { l.text("mechanism", mechanism) }, "as %s by %s", visible(k.a.User), mechanism)
}

func (k *checker) capabilities(s *session, d *maildrop) {
	// Some are announced only before the login, the mechanisms for one, and some only behind it.
	caps := slices.Clone(d.caps)
	for _, line := range s.caps {
		if !slices.Contains(caps, line) {
			caps = append(caps, line)
		}
	}
	fields := func(l *jsonLine) { l.list("capabilities", caps) }
	switch {
	case !s.capa:
		k.ok("capabilities", nil, "the server does not tell (it has no CAPA)")
	default:
		k.ok("capabilities", fields, "%s", visible(strings.Join(caps, ", ")))
	}
	if text := expireWarning(k.a, k.a.Keep, d.caps); text != "" {
		k.warn("capabilities", nil, "%s", text)
	}
	switch {
	case d.uids || len(d.mails) == 0 && (!s.capa || d.caps.Has("UIDL")):
	case k.a.Keep:
		k.failed("capabilities", fetch.ErrKeepNeedsUIDL)
	default:
		k.warn("capabilities", nil, "the server has no unique-ids (UIDL): after an interrupted run messages may come twice")
	}
}

func (k *checker) maildrop(d *maildrop) {
	octets, fresh := int64(0), 0
	for _, m := range d.mails {
		octets += max(m.size, 0)
		if s := statusOfMail(k.st, m); s == "new" || s == string(state.Failed) {
			fresh++
		}
	}
	k.ok("maildrop", func(l *jsonLine) {
		l.number("messages", int64(len(d.mails)))
		l.number("octets", octets)
		l.number("retrieve", int64(fresh))
	}, "%s (%s), %d to retrieve", messages(len(d.mails)), sizeText(octets), fresh)
}
