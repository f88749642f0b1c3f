package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
)

// A probed proposal was connected to, and told nothing.
type probed struct {
	proposal
	greeting string
	cs       *tls.ConnectionState // nil without TLS
	err      error
}

// probe connects to the proposals, makes the TLS connection and reads the greeting. No server is
// told who asks. It returns the first that answers, in their order, and why those before it did not.
func (f *fetcher) probe(ctx context.Context, found []proposal) (*probed, []error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // once one answers, nothing is asked of those behind it
	answers := make([]chan probed, len(found))
	for i, c := range found {
		answers[i] = make(chan probed, 1)
		// Side by side: each name that does not answer costs its time-out.
		go func() { answers[i] <- f.probeOne(ctx, c) }()
	}
	var errs []error
	for _, answer := range answers {
		p := <-answer
		if p.err == nil {
			return &p, errs
		}
		errs = append(errs, p.err)
		var refused *certificateError
		if p.named && errors.As(p.err, &refused) {
			break // it does speak TLS there: the other mode would only wait for nothing
		}
	}
	return nil, errs
}

func (f *fetcher) probeOne(ctx context.Context, c proposal) probed {
	p := probed{proposal: c}
	st, err := nothingKnown()
	if err != nil {
		p.err = err
		return p
	}
	a := c.account()
	s := &session{fetcher: f, a: a, st: st}
	if s.tls, p.err = tlsConfig(a); p.err != nil {
		return p
	}
	client, err := s.connect(ctx)
	if err != nil {
		p.err = fmt.Errorf("%s, tls = %q: %w", visible(c.server.Addr), c.tls, err)
		return p
	}
	defer client.Close()
	p.greeting = client.Greeting()
	if cs, ok := client.TLS(); ok {
		p.cs = &cs
	}
	_ = client.Quit().Wait() // all is known
	return p
}

// account is one that connects to the proposal, without user and secret.
func (c *proposal) account() *Account {
	return &Account{Name: "init", Server: c.server, TLS: c.tls, Auth: "auto", Timeout: seek, ConnectTimeout: seek}
}

// foreign tells whether nothing but a record or a file of unknown origin says that the server is the
// address' one: it is of another domain, and its certificate does not name the address' domain
// (RFC 6186, section 6).
func (p *probed) foreign(domain string) bool {
	if p.named || isWithin(p.server.Host, domain) {
		return false
	}
	return p.cs == nil || len(p.cs.PeerCertificates) == 0 || p.cs.PeerCertificates[0].VerifyHostname(domain) != nil
}
