package fetch

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// remove deletes what is recorded, and ends the session. Only the +OK to QUIT makes the deletions
// count (RFC 1939, section 6); whatever else comes, the entries stay as they are and the next run
// deletes again.
func (r *run) remove(p *plan) error {
	if r.caps.ExpiresRetrieved() && (r.undone || r.lacksRetrieved()) {
		return fmt.Errorf("%w: the server may delete all that was retrieved (EXPIRE 0), and not all was delivered: the session was closed without QUIT", ErrNotDeleted)
	}
	gone, err := r.mark(p.remove)
	if err != nil {
		if n := len(p.identify) - r.later; n > 0 && r.c.Err() != nil && !errors.Is(err, ErrNoPipelining) {
			r.shrink(n) // there may never be time for so many DELEs behind so many TOPs
			if n == 1 {
				r.beginBehind(r.order[0]) // or its DELE is what the server hangs up at
			}
		}
		return err
	}
	if r.later > 0 { // whatever becomes of QUIT: some servers never answer it
		if err := r.compared(p); err != nil {
			return err
		}
	}
	if err := r.c.Quit().Wait(); err != nil {
		if len(gone) == 0 {
			return err
		}
		return fmt.Errorf("%w: %w", ErrNotDeleted, err)
	}
	r.done = true
	if err := r.bury(gone); err != nil {
		return err
	}
	if r.refused > 0 {
		return fmt.Errorf("%w (%d messages)", ErrNotDeleted, r.refused)
	}
	if r.later > 0 {
		return fmt.Errorf("%w (%d messages: the last session ended while they were looked at)", ErrNotDeleted, r.later)
	}
	return r.compared(p)
}

// lacksRetrieved tells whether a Run before in this session has retrieved what is not delivered here.
func (r *run) lacksRetrieved() bool {
	return r.opts.Others.Retrieved != nil && slices.ContainsFunc(r.items, func(it item) bool {
		known := r.st.Lookup(it.uid)
		return (len(known) == 0 || known[0].Status == state.Failed) && r.opts.Others.Retrieved(it.uid)
	})
}

// mark sends DELE for the messages and returns those that the server agreed to delete. In
// descending order, because some servers renumber what is behind a deleted message.
func (r *run) mark(items []*item) (gone []*item, err error) {
	if len(items) == 0 {
		return nil, nil
	}
	slices.SortFunc(items, func(a, b *item) int { return cmp.Compare(b.num, a.num) })
	window := 1
	if r.ahead {
		// As many as this session has proven to come back in order. Each refill finds three
		// quarters of them answered, which proves so many more.
		window = cmp.Or(r.widest, 100)
	}
	grow := false
	type pending struct {
		it  *item
		cmd *pop3.Cmd
	}
	var flight []pending
	var stat *pop3.StatCmd
	for next := 0; next < len(items) || len(flight) > 0; {
		// Refilled when a quarter is left, of the window or of the octets that may be unanswered:
		// few round trips, and many commands in a packet.
		_, octets := r.c.Unanswered()
		low := len(flight) <= window/4 && octets <= maxCommands/4
		if low && grow && window < maxCommands {
			window *= 2
		}
		grow = r.ahead
		for ; low && next < len(items) && len(flight) < window; next++ {
			if _, octets = r.c.Unanswered(); octets > maxCommands-64 {
				break
			}
			flight = append(flight, pending{items[next], r.c.Dele(items[next].num)})
		}
		if next == len(items) && stat == nil && r.stat >= 0 && r.ahead {
			stat = r.c.Stat()
		}
		p := flight[0]
		flight = flight[1:]
		n, _ := r.c.Unanswered()
		err := p.cmd.Wait()
		switch {
		case err == nil:
			gone = append(gone, p.it)
		case r.c.Err() != nil:
			return nil, r.unconfirmed(r.lost(err, n))
		default:
			r.refused++
			r.itemEvent(Failed, p.it, Event{Err: err, Reason: "DELE was refused: " + err.Error()})
		}
	}
	return gone, r.recount(stat, len(gone))
}

// recount compares STAT with what must be left: a server that counts less has deleted what it was
// not asked to. Without QUIT it has to take that back. More is new mail, or a server that counts
// what is only marked.
func (r *run) recount(stat *pop3.StatCmd, gone int) error {
	if r.stat < 0 {
		return nil
	}
	if stat == nil {
		stat = r.c.Stat()
	}
	n, _ := r.c.Unanswered()
	left, _, err := stat.Wait()
	switch {
	case r.c.Err() != nil:
		return r.unconfirmed(r.lost(err, n))
	case err != nil:
		return nil // refused this time: nothing is known, and nothing speaks against it
	case left < min(r.stat, len(r.items))-gone:
		return fmt.Errorf("%w: of %d messages %d were deleted, but STAT counts only %d; the session was closed without QUIT",
			pop3.ErrProtocol, r.stat, gone, left)
	}
	return nil
}

func (r *run) unconfirmed(err error) error {
	if errors.Is(err, ErrNoPipelining) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotDeleted, err)
}

// bury turns the entries of deleted messages into tombstones: a listing that still has them is
// looked at closely (plan), one without them forgets them.
func (r *run) bury(gone []*item) error {
	es := make([]state.Entry, 0, len(gone))
	for _, it := range gone {
		if e, ok := r.st.LookupCopy(it.uid, it.copy); ok {
			e.Status, e.Time = state.Deleted, r.now
			es = append(es, e)
		}
	}
	if err := r.save(es...); err != nil {
		return err
	}
	for _, it := range gone {
		r.sum.Deleted++
		r.itemEvent(Deleted, it, Event{Reason: it.reason})
	}
	return nil
}
