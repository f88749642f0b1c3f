package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

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
	if k.a.usesSecret() {
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
	case k.a.Keep || len(k.a.Also) > 0:
		k.failed("capabilities", fetch.ErrKeepNeedsUIDL)
	default:
		k.warn("capabilities", nil, "the server has no unique-ids (UIDL): after an interrupted run messages may come twice")
	}
}

func (k *checker) maildrop(d *maildrop) {
	octets, fresh := int64(0), 0
	for _, m := range d.mails {
		octets += max(m.size, 0)
		if s := k.known.status(m); s == "new" || s == string(state.Failed) {
			fresh++
		}
	}
	k.ok("maildrop", func(l *jsonLine) {
		l.number("messages", int64(len(d.mails)))
		l.number("octets", octets)
		l.number("retrieve", int64(fresh))
	}, "%s (%s), %d to retrieve", messages(len(d.mails)), sizeText(octets), fresh)
}
