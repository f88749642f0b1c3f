package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// A mail is one message on the server, as the listings have it.
type mail struct {
	num  int
	uid  string // "" if the server gives none
	size int64  // octets by LIST; -1 unknown
	nth  int    // which of the messages with this unique-id it is, by number: 1, 2, …
}

// A maildrop is what the server of one session has.
type maildrop struct {
	mails []mail // in the order of the listing
	caps  pop3.Caps
	uids  bool // the server gives unique-ids
	ahead bool // commands may be sent ahead of replies
}

// knownState reads one of the account's states, without a lock. A command that only
// looks goes on without a state that is damaged or of another mailbox, and says so.
func (m *program) knownState(a *Account, path string) (*state.File, error) {
	st, err := a.readState(path)
	if err != nil {
		m.report.warn(a.Name, "what is known of the messages cannot be shown: %v", err)
		return nothingKnown()
	}
	m.report.damage(a.Name, st)
	return st, nil
}

// known are the states of all the destinations of an account.
type known []*state.File

// known gives what all destinations have, st being the account's state. open gives that of one whose state is
// another.
func (a *Account) known(cfg *Config, st *state.File, open func(b *Account, path string) (*state.File, error)) (all known, err error) {
	a = a.arranged(cfg, st)
	if a.leg == "" {
		all = known{st}
	}
	for _, b := range a.apart() {
		st, err := open(b, statePath(cfg, b.stateName()))
		if err != nil {
			return nil, errors.Join(err, closeStates(all))
		}
		all = append(all, st)
	}
	return all, nil
}

// status says what is known of a message; where one of the destinations lacks it, why.
func (k known) status(m mail) string {
	var all []string
	for _, st := range k {
		all = append(all, statusOfMail(st, m))
	}
	for _, lacks := range []string{"new", string(state.Failed), "quarantined"} {
		if len(all) == 0 || slices.Contains(all, lacks) {
			return lacks
		}
	}
	return all[0]
}

// nothingKnown is the state of an account that was never fetched: a file that does not exist is
// an empty one.
func nothingKnown() (*state.File, error) { return state.Read("/nonexistent/none.uidl") }

// visit logs in to the account, lists its maildrop and does the step, which ends the session by
// leave, or with an error. The state is only asked for what it remembers of the server.
func (m *program) visit(ctx context.Context, cfg *Config, a *Account, st *state.File, step func(*pop3.Client, *maildrop) error) error {
	f := m.newFetcher(cfg)
	f.dryRun = true
	s, err := f.newSession(ctx, a, st)
	if err != nil {
		return err
	}
	c, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return s.within(ctx, c, func() error {
		d, err := s.maildrop(c)
		if err != nil {
			return err
		}
		return step(c, d)
	})
}

// leave ends a session in which nothing was deleted. A server that deletes what was retrieved does so
// at QUIT only (RFC 2449, section 6.7), and is left without. All has been said
// and shown by then: what becomes of QUIT does not matter.
func (d *maildrop) leave(c *pop3.Client) {
	if !d.caps.ExpiresRetrieved() {
		_ = c.Quit().Wait()
	}
}

// maildrop asks for all listings, in one flight where the server pipelines (RFC 2449, section
// 6.6). What is announced after the login is what counts (section 5); an -ERR to CAPA means
// unknown, not nothing.
func (s *session) maildrop(c *pop3.Client) (*maildrop, error) {
	d := &maildrop{caps: s.caps, uids: true, ahead: s.pipelining && s.capa && s.caps.Has("PIPELINING")}
	var capa *pop3.CapaCmd
	var stat *pop3.StatCmd
	var uidl *pop3.UIDLCmd
	var list *pop3.ListCmd
	if s.capa {
		capa = c.Capa()
	}
	if d.ahead {
		stat, uidl, list = c.Stat(), c.UIDL(), c.List()
	}
	if capa != nil {
		switch caps, err := capa.Wait(); {
		case err == nil:
			d.caps = caps
		case c.Err() != nil:
			return nil, err
		}
	}
	if stat == nil {
		stat = c.Stat()
	}
	n, _, err := stat.Wait() // refused, it leaves the listings
	switch {
	case c.Err() != nil:
		return nil, err
	case err == nil && n == 0 && uidl == nil:
		return d, nil // nothing to ask for, and two waits saved
	}
	if uidl == nil {
		uidl = c.UIDL()
	}
	ids, err := uidl.Wait(n)
	if err != nil {
		if c.Err() != nil {
			return nil, err
		}
		if d.caps.Has("UIDL") {
			return nil, fmt.Errorf("%w: %w", fetch.ErrUIDLRefused, err)
		}
		d.uids, ids = false, &pop3.UIDListing{}
	}
	if list == nil {
		list = c.List()
	}
	sizes, err := list.Wait(n)
	if err != nil {
		if c.Err() != nil || !d.uids {
			return nil, err
		}
		sizes = &pop3.Listing{} // go on without sizes
	}
	d.ahead = d.ahead && d.caps.Has("PIPELINING")
	d.merge(ids, sizes)
	return d, nil
}

// merge joins the listings by message number.
func (d *maildrop) merge(ids *pop3.UIDListing, sizes *pop3.Listing) {
	at := make(map[int]int, len(ids.Messages))
	copies := make(map[string]int, len(ids.Messages))
	for _, id := range ids.Messages {
		copies[id.UID]++
		at[id.Num] = len(d.mails)
		d.mails = append(d.mails, mail{num: id.Num, uid: id.UID, size: -1, nth: copies[id.UID]})
	}
	for _, s := range sizes.Messages {
		if i, ok := at[s.Num]; ok {
			d.mails[i].size = s.Octets
			continue
		}
		at[s.Num] = len(d.mails)
		d.mails = append(d.mails, mail{num: s.Num, size: s.Octets, nth: 1})
	}
}
