package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch"
	"mailhaul/fetch/state"
)

// An account may have several destinations. Each has a state of its own and is a fetch.Run of its own,
// so that what one of them refuses is repeated for it alone. The account's own, the first that is
// configured, comes last: it deletes, and only what all others have recorded.

// A leg is the way to one destination of an account.
type leg struct {
	a      *Account // with Deliver of this leg
	st     *state.File
	target deliver.Target // nil in a dry run
	err    error          // of this leg

	account *state.File     // that of the account, where it is of another destination: its lock keeps other runs out
	planned map[string]bool // unique-ids that a dry run would retrieve
}

// legs are those of one account, the account's own last.
type legs []*leg

// openLegs opens states and targets. An error is about a state: without it nobody knows what may be
// deleted. A target that cannot be opened is the error of its leg alone.
func (f *fetcher) openLegs(ctx context.Context, a *Account) (ls legs, err error) {
	st, err := f.openState(ctx, a)
	if err != nil {
		return nil, err
	}
	own := &leg{a: a.arranged(f.cfg, st), st: st}
	if own.a.leg != "" {
		own.account = st
		if own.st, err = f.openState(ctx, own.a); err != nil {
			return nil, errors.Join(err, st.Close())
		}
	}
	if !f.dryRun {
		if err := own.a.abandoned(st); err != nil {
			return append(ls, own), err
		}
	}
	for _, b := range own.a.others() {
		st, err := f.openState(ctx, b)
		if err != nil {
			return append(ls, own), err
		}
		ls = append(ls, &leg{a: b, st: st})
	}
	ls = append(ls, own)
	if deliveredTo(own.st) != "" && !f.dryRun {
		if err := ls.claim(); err != nil {
			return ls, err
		}
	}
	for _, l := range ls {
		if f.dryRun {
			continue
		}
		if l.target, l.err = f.openTarget(ctx, l.a, l.st); l.err != nil {
			l.target = nil
		}
	}
	if len(ls) > 1 && own.target != nil {
		if err := own.moved(); err != nil {
			return ls, err
		}
	}
	return ls, nil
}

// own is the account's own leg.
func (ls legs) own() *leg { return ls[len(ls)-1] }

// any tells whether a leg can be gone.
func (ls legs) any() bool {
	for _, l := range ls {
		if l.err == nil {
			return true
		}
	}
	return false
}

// failed joins the errors of the legs, the account's own first.
func (ls legs) failed() error {
	if len(ls) == 1 {
		return ls[0].err
	}
	errs := []error{ls.own().failure()}
	for _, l := range ls[:len(ls)-1] {
		errs = append(errs, l.failure())
	}
	return errors.Join(errs...)
}

// A legError is a failure of one of several destinations.
type legError struct {
	error
	destination string
}

func (e *legError) Unwrap() error { return e.error }

// failure is the leg's error, with the name of the destination in what is about that.
func (l *leg) failure() error {
	return each(l.err, func(part error) error {
		if !is[*deliver.Error](part) && !errors.Is(part, fetch.ErrNotCompared) {
			return part
		}
		return &legError{part, l.a.Deliver.String()}
	})
}

func (ls legs) close() error {
	var errs []error
	for _, l := range ls {
		if l.target != nil {
			errs = append(errs, l.target.Close())
		}
		errs = append(errs, l.st.Close())
		if l.account != nil {
			errs = append(errs, l.account.Close())
		}
	}
	return errors.Join(errs...)
}

// optionsOf are what a fetch.Run or a Comparison is to do for one of them. The last alone deletes; see hold
// for differ.
func (f *fetcher) optionsOf(ls legs, l *leg, differ map[string]state.Entry) fetch.Options {
	opts := f.options(l.a, l.st)
	if len(ls) > 1 {
		opts.Events = l.named(opts.Events)
	}
	if l == ls.own() {
		opts.Others.Hold = ls.hold(differ)
		begin := opts.Begin
		opts.Begin = func() error { return errors.Join(ls.claim(), begin()) }
	} else {
		opts.Keep, opts.DeleteAfter, opts.Others.More = true, 0, true
	}
	return opts
}

// named tells of what happens in one of several with the name of its destination. What is deleted is deleted for all.
func (l *leg) named(tell func(fetch.Event)) func(fetch.Event) {
	return func(e fetch.Event) {
		if e.Destination == "" && e.Type != fetch.Deleted {
			e.Destination = l.a.Deliver.String()
		}
		if e.Planned && e.Type == fetch.Message {
			if l.planned == nil {
				l.planned = map[string]bool{}
			}
			l.planned[e.UID] = true
		}
		tell(e)
	}
}

// hold gives the condition under which a message is not deleted yet: another destination has not
// recorded one with the same text under the same unique-id. nil if there is no other. Those of which
// another destination has another text, so that waiting does not help, are put into differ; not where a
// unique-id stands for several, of which that destination may get this one yet.
func (ls legs) hold(differ map[string]state.Entry) func(state.Entry) bool {
	others := ls[:len(ls)-1]
	if len(others) == 0 {
		return nil
	}
	return func(e state.Entry) bool {
		for _, l := range others {
			if !l.has(e) {
				known := l.st.Lookup(e.UID)
				if len(known) == 1 && known[0].Status == state.Delivered && known[0].Body != e.Body && len(ls.own().st.Lookup(e.UID)) < 2 {
					differ[e.UID] = e
				}
				return true
			}
		}
		return false
	}
}

func (l *leg) has(e state.Entry) bool {
	if l.planned[e.UID] {
		return true
	}
	for _, o := range l.st.Lookup(e.UID) {
		switch {
		case o.Status == state.Seen:
			return true // it is not wanted there
		case (o.Status == state.Delivered || o.Status == state.Deleted) && o.Reason == "" && o.Body == e.Body && e.Body != "":
			return true
		}
	}
	return false
}

// bury tells the others what the account's own leg has deleted: they keep, and would take another message
// that gets the same unique-id for theirs.
func (ls legs) bury() error {
	own := ls.own().st
	for _, l := range ls[:len(ls)-1] {
		var gone []state.Entry
		for o := range own.All() {
			if o.Status != state.Deleted {
				continue
			}
			for _, e := range l.st.Lookup(o.UID) {
				if e.Status == state.Delivered && e.Body == o.Body {
					e.Status, e.Time = state.Deleted, time.Now()
					gone = append(gone, e)
				}
			}
		}
		if len(gone) > 0 {
			if err := l.st.Add(gone...); err != nil {
				return err
			}
		}
	}
	return nil
}

// remember notes the destination before the first record of what was delivered to it: what is deleted on
// the server leaves no other trace.
func (l *leg) remember() error {
	was, _ := l.st.Note(noteTarget)
	if was == l.a.Deliver.String() {
		return nil
	}
	if was != "" {
		if err := l.st.SetNote(former(was), was, time.Now()); err != nil {
			return err
		}
	}
	return l.st.SetNote(noteTarget, l.a.Deliver.String(), time.Now())
}

// former is the state's note of a destination that had messages before noteTarget's. A name for each,
// because there may be many, and a path may have any octet that could stand between two.
func former(destination string) string {
	return fmt.Sprintf("%s-%x", noteTarget, sha256.Sum256([]byte(destination)))[:len(noteTarget)+1+16]
}

// aboutTarget tells whether what failed is a destination or a message, so that another destination
// may do better.
func aboutTarget(err error) bool {
	if err == nil {
		return true
	}
	for _, part := range failures(err) {
		var left *fetch.LeftError
		var target *deliver.Error
		if !errors.As(part, &left) && !errors.As(part, &target) && !errors.Is(part, fetch.ErrNotCompared) {
			return false
		}
	}
	return true
}

// plus adds what one leg did to what others did. The messages on the server are the same ones.
func plus(sum, part fetch.Summary) fetch.Summary {
	part.Delivered += sum.Delivered
	part.Octets += sum.Octets
	part.Left += sum.Left
	part.Quarantined += sum.Quarantined
	part.Undone = part.Undone || sum.Undone
	return part
}
