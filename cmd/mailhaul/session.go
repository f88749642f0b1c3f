package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"syscall"
	"time"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// A session makes logged-in clients for one account, and learns from each attempt.
type session struct {
	*fetcher
	a          *Account
	st         *state.File
	tls        *tls.Config
	secret     Secret
	pipelining bool   // send ahead where the server announces it
	lockstep   string // what is to be noted of that it does not do it: once, lockstep, or "" for nothing
	loggedIn   bool
	listed     bool         // the server has told what is in the maildrop
	ready      *pop3.Client // logged in, and free for another fetch.Run
	used       string       // the mechanism of the last login

	capa    bool      // the server may be sent CAPA
	caps    pop3.Caps // what it said
	known   bool      // caps are known, from this session or from the state
	asked   bool      // in this run
	hungUp  bool      // it closed the connection at CAPA
	renewed bool      // the token was refused, and there is or was a new one to be had
	stale   Secret    // the refused token, until there is a new one
	noUTF8  bool      // it closed the connection at UTF8
	dropped bool      // it closed the connection when it refused a mechanism, and that was taken out of caps
}

// newSession gets the secret, and recalls what the server said in an earlier run: that saves a
// wait, and a wrong guess costs one, never a wrong result.
func (f *fetcher) newSession(ctx context.Context, a *Account, st *state.File) (*session, error) {
	s := &session{fetcher: f, a: a, st: st, capa: true}
	var err error
	if !f.byHand {
		if err = s.delayed(time.Now()); err != nil {
			return nil, err
		}
	}
	if s.tls, err = tlsConfig(a); err != nil {
		return nil, err
	}
	if a.TLSInsecure && len(a.TLSPin) == 0 {
		f.report.warn(a.Name, "tls_insecure: the server's certificate is not checked, anyone may read the password")
	}
	if !f.byHand && a.usesSecret() {
		resume := f.report.pause() // a person may be asked
		s.secret, err = readSecret(ctx, a, f.asker)
		resume()
		if err != nil {
			return nil, err
		}
	}
	now := time.Now()
	s.pipelining = !a.NoPipelining && s.recall(noteLockstep, now) != lockstep
	if mode, caps, ok := strings.Cut(s.recall(noteCaps, now), "\n"); ok && mode == a.TLS {
		switch caps {
		case noCaps:
			s.capa = false
		case once: // ask again
		default:
			s.caps, s.known = strings.Split(caps, "\n"), true
		}
	}
	return s, nil
}

// client gives a client that is logged in: that of the session which is still open, or a new one.
func (s *session) client(ctx context.Context) (*pop3.Client, error) {
	if c := s.ready; c != nil {
		s.ready = nil
		return c, nil
	}
	resume := func() {}
	if len(s.a.Tunnel) > 0 { // it may ask for a passphrase
		resume = s.report.pause()
	}
	defer resume()
	return s.open(ctx)
}

// close ends a session that was left open.
func (s *session) close() {
	if s.ready != nil {
		s.ready.Close()
	}
}

// open connects and logs in. It reconnects once without CAPA where the server hangs up on that
// (protocol: some do on any command that they do not know), and once for another mechanism where
// the server hangs up on refusing one, before a secret was sent.
func (s *session) open(ctx context.Context) (*pop3.Client, error) {
	if err := s.renewToken(ctx); err != nil {
		return nil, err
	}
	c, err := s.connect(ctx)
	if err == nil {
		err = s.within(ctx, c, func() error { return s.login(c) })
	}
	if errors.Is(err, errHungUp) && ctx.Err() == nil {
		if err := s.renewToken(ctx); err != nil {
			return nil, err
		}
		if c, err = s.connect(ctx); err == nil {
			err = s.within(ctx, c, func() error { return s.login(c) })
		}
	}
	if err != nil {
		if noting := s.refusedAsEarly(err); noting != nil {
			err = errors.Join(err, noting)
		}
		return nil, err
	}
	s.loggedIn = true
	return c, nil
}

// connect makes the connection and its TLS.
func (s *session) connect(ctx context.Context) (*pop3.Client, error) {
	opts := &pop3.DialOptions{ConnectTimeout: s.a.ConnectTimeout, LocalAddr: s.a.localAddr()}
	opts.Timeout = s.a.Timeout
	if s.dialogue {
		opts.Dialogue = &dialogueWriter{report: s.report, account: s.a.Name}
	}
	if s.a.TLS == "implicit" {
		opts.TLS = s.tls
	}
	c, err := s.dial(ctx, opts)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, stopped(ctx)
	case err != nil:
		return nil, aboutCertificate(s.a, s.tls, err)
	}
	if s.a.TLS == "starttls" && !s.byHand {
		// STLS is not looked up in CAPA first: that answer would come in clear, from anyone
		// (RFC 2595, section 4), and a refusal ends the session either way.
		if err := s.within(ctx, c, func() error { return c.STLS(s.tls) }); err != nil {
			return nil, aboutCertificate(s.a, s.tls, err)
		}
	}
	return c, nil
}

// within does a step that ctx may end at once: nothing is under way yet that is worth finishing.
// On an error the connection is closed.
func (s *session) within(ctx context.Context, c *pop3.Client, step func() error) error {
	stop := context.AfterFunc(ctx, func() { c.Interrupt(0) })
	err := step()
	if !stop() && ctx.Err() != nil {
		err = stopped(ctx)
	}
	if err != nil {
		c.Close()
	}
	return err
}

// errHungUp says that another connection may do what this one did not.
var errHungUp = errors.New("the server hung up")

// login asks what the server can do, if that is not known, and logs in.
func (s *session) login(c *pop3.Client) error {
	fresh := !s.known
	if fresh {
		if err := s.ask(c); err != nil {
			return err
		}
	}
	if err := s.utf8(c); err != nil {
		return err
	}
	cred := pop3.Credentials{User: s.a.User, Password: s.secret.Reveal(), Host: s.a.Server.Host, Port: s.a.Server.portNumber()}
	if s.a.OAuth != nil || s.a.Auth == "xoauth2" || s.a.Auth == "oauthbearer" {
		cred.Token, cred.Password = cred.Password, ""
	}
	mask(c, s.secret.Reveal())
	used, err := pop3.Login(c, s.caps, s.known, s.a.Auth, cred)
	defer func() { s.used = used }()
	if errors.Is(err, pop3.ErrRefusedMechanism) && c.Err() == nil && !fresh {
		// What the state remembers is out of date.
		s.known = false
		if err := s.ask(c); err != nil {
			return err
		}
		used, err = pop3.Login(c, s.caps, s.known, s.a.Auth, cred)
	}
	if errors.Is(err, pop3.ErrRefusedMechanism) && c.Err() != nil && s.a.Auth == "auto" && !s.dropped {
		s.caps, s.dropped = s.caps.Without(used), true
		return errors.Join(errHungUp, err)
	}
	if err != nil && !fresh && !s.dryRun {
		// What is remembered may be why: the next run asks again. (SCRAM is refused by a
		// server that has learnt a -PLUS mechanism since, RFC 5802, section 6.)
		if serr := s.st.SetNote(noteCaps, "", time.Now()); serr != nil {
			return errors.Join(err, serr)
		}
	}
	if s.a.OAuth != nil && !s.renewed && refusesToken(err) {
		// Once more with a new one, on a new connection: many servers close this one.
		s.stale, s.renewed = s.secret, true
		return errors.Join(errHungUp, err)
	}
	return err
}

// ask sends CAPA. That it is refused means that nothing is known (RFC 2449, section 5).
func (s *session) ask(c *pop3.Client) error {
	if !s.capa || s.asked && s.known {
		return nil
	}
	gone := c.Gone() // then it is not CAPA that the server hangs up on
	caps, err := c.Capa().Wait()
	switch {
	case err == nil:
		s.caps, s.known, s.asked = caps, true, true
		return nil
	case c.Err() == nil:
		s.capa = false
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF) && !gone && !broken(err) && !s.hungUp:
		s.capa, s.hungUp = false, true
		return errors.Join(errHungUp, err)
	}
	return err
}

// broken tells a connection that broke from one that the server closed.
func broken(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
