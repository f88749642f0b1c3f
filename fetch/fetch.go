package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// grace is how long the current messages may take when the context has ended.
const grace = 5 * time.Second

// A run is what the steps of one Run share.
type run struct {
	c    *pop3.Client
	st   *state.File
	t    deliver.Target
	find deliver.Finder // t, if it is one
	opts Options
	host string
	now  time.Time
	sum  Summary

	caps    pop3.Caps
	ahead   bool // commands are sent ahead of replies
	noUIDL  bool
	stat    int   // messages by STAT, -1 if it was refused
	octets  int64 // of those, by STAT; -1 unknown
	items   []item
	kept    []pop3.Unique // the whole listing, in place of items, where all of it stays as it is
	roll    *state.Roll   // of kept
	known   []state.Entry // those of the item that plan looks at
	missing func() bool   // see lacks; asked once
	sizes   sizes
	widest  int           // RETRs of this session that were unanswered at once and came back proven
	nonce   string        // of the state's Begin; "" before it
	next    string        // what the state says is given out next (targets that are no Finder)
	doubt   string        // what an interrupted run had given out (targets that are no Finder)
	failed  []state.Entry // entries of messages that stay, not yet recorded
	order   []*item       // what is to be identified, as far as the session comes
	later   int           // messages left to be deleted by the next run: see portion
	unsure  bool          // a fate is unknown: a Commit or a Record failed
	undone  bool          // retrieved, but not delivered: with EXPIRE 0 no QUIT
	over    bool          // a message that did not end was abandoned: no other reply can come
	refused int           // deletions that the server refused
	done    bool          // QUIT has been answered
	left    LeftError
}

// Run does one session's work with a client that is logged in: see the package comment. It ends
// the session with QUIT or closes the connection, unless another Run follows in it (Summary.Open). It
// takes st and t as they are and closes neither. The error may join several (errors.Join).
//
// When ctx ends, Run finishes the messages under way (for at most a few seconds), commits and
// records what is proven, and closes the connection without QUIT.
func Run(ctx context.Context, c *pop3.Client, st *state.File, t deliver.Target, opts Options) (Summary, error) {
	r := &run{c: c, st: st, t: t, opts: opts, caps: opts.Caps, now: time.Now()}
	r.find, _ = t.(deliver.Finder)
	if h, err := os.Hostname(); err == nil {
		r.host = h
	}
	r.left.Temporary, r.undone = true, opts.Others.Undone
	stop := context.AfterFunc(ctx, func() { c.Interrupt(grace) })
	defer stop()

	err := r.run(ctx)
	switch {
	case ctx.Err() == nil || r.done:
	case err == nil || c.Err() != nil:
		err = fmt.Errorf("%w: %w", ErrStopped, context.Cause(ctx))
	case errors.Is(err, ErrStopped):
		err = fmt.Errorf("%w: %w", err, context.Cause(ctx))
	}
	r.sum.Left, r.sum.Quarantined = r.left.Messages, r.left.Quarantined
	if r.left.Messages+r.left.Quarantined > 0 {
		err = errors.Join(err, &r.left)
	}
	n, _ := c.Unanswered()
	r.sum.Undone = r.undone
	r.sum.Open = opts.Others.More && c.Err() == nil && n == 0 && !r.over && ctx.Err() == nil
	if !r.sum.Open {
		c.Close()
	}
	return r.sum, err
}

// run is the order of things.
func (r *run) run(ctx context.Context) error {
	if err := r.list(); err != nil {
		return err
	}
	if !r.opts.DryRun {
		if err := r.settle(); err != nil {
			return err
		}
		if err := r.claim(); err != nil {
			return err
		}
		if err := r.listed(); err != nil {
			return err
		}
	}
	p := r.plan()
	r.announce(p)
	if r.opts.DryRun {
		if !r.opts.Others.More {
			r.c.Quit().Wait()
		}
		return nil
	}
	if err := errors.Join(r.report(p), r.confirmClock()); err != nil {
		return err
	}
	main := &retrieval{ctx: ctx, r: r, p: p, t: r.t, find: r.find}
	usual, aside := split(p.retrieve)
	err := main.run(usual)
	if err == nil && ctx.Err() == nil && !r.over {
		var others []*item
		if others, err = r.identify(ctx, p); err == nil {
			err = main.run(r.limit(p, others))
		}
	}
	if err == nil {
		err = r.quarantine(ctx, p, aside)
	}
	// What was in doubt before stays so until it is recorded.
	if r.nonce != "" && !r.unsure && (r.doubt == "" || r.next != r.doubt) {
		err = errors.Join(err, r.end())
	}
	if err != nil || ctx.Err() != nil || r.over {
		return err
	}
	if !r.opts.Others.More {
		return r.remove(p)
	}
	if err := r.compared(p); err != nil || r.later == 0 {
		return err
	}
	return fmt.Errorf("%w (%d messages)", ErrNotCompared, r.later)
}
