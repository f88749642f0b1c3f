package fetch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/state"
)

// commit makes what is staged durable and records it, until nothing is staged.
func (v *retrieval) commit() error {
	ctx := v.ctx
	for len(v.staged) > 0 {
		if ctx.Err() != nil && v.find == nil {
			v.t.Drop(len(v.staged))
			v.staged = nil
			return nil // the caller tells that it was stopped
		}
		if err := v.name(); err != nil {
			return err
		}
		// What is under way is finished, also when the run is to end: its fate would be unknown.
		// Only the wait for the lock of an mbox is not worth it.
		cctx := ctx
		if v.find == nil {
			cctx = context.WithoutCancel(ctx)
		}
		got, err := v.commitAwake(cctx)
		if rerr := v.record(got); rerr != nil {
			v.r.unsure = true
			return rerr
		}
		de, _ := errors.AsType[*deliver.Error](err)
		switch {
		case err == nil && len(got) == 0:
			v.r.unsure = true
			return fmt.Errorf("%d staged messages were not committed", len(v.staged))
		case err == nil:
		case de != nil && de.Message && len(v.staged) > 0:
			it := v.staged[0].it
			v.staged = v.staged[1:]
			v.r.undone = true
			if err := v.r.leave(it, err, de.Temporary); err != nil {
				return err
			}
		default:
			switch {
			case noRoom(err) && len(v.staged) == 1:
				v.r.attempted(v.staged[0].it, errNoRoom, false)
			case de != nil && de.Broke && len(v.staged) > 0 && ctx.Err() == nil:
				why := errReceiver
				if errors.Is(err, deliver.ErrLogin) {
					why = errDemand
				}
				v.r.attempted(v.staged[0].it, why, !de.Untouched)
			}
			v.staged = nil
			v.r.undone = true
			// Of an I/O error nobody knows what it has destroyed: nothing that is found
			// later may be trusted, so the doubt is ended as "not delivered". What was
			// never executed, or never reached its receiver, leaves none either.
			v.r.unsure = !errors.Is(err, syscall.EIO) && !errors.Is(err, deliver.ErrCreate) && (de == nil || !de.Untouched)
			return err
		}
	}
	v.octets = 0
	return nil
}

// name tells the state, for a target that cannot be asked later, which message is given out next.
func (v *retrieval) name() error {
	if v.find != nil {
		return nil
	}
	next := v.staged[0].it.nextKey()
	if v.r.next == next {
		return nil
	}
	if v.r.doubt != "" && v.r.next == v.r.doubt { // if that was refused, its entry says so before the mark is wiped out
		if err := v.r.recordFailed(); err != nil {
			return err
		}
	}
	if err := v.r.st.Record("", next); err != nil {
		return err
	}
	v.r.next = next
	return nil
}

// commitAwake is Commit, during which a server that has nothing to send hears from us.
func (v *retrieval) commitAwake(ctx context.Context) ([]deliver.Receipt, error) {
	r := v.r
	if n, _ := r.c.Unanswered(); n > 0 || r.c.Err() != nil {
		return v.t.Commit(ctx)
	}
	type outcome struct {
		got []deliver.Receipt
		err error
	}
	// A goroutine, because a command may run for minutes and the server must not take our
	// silence for our death. The target is used by it alone until it is done.
	done := make(chan outcome, 1)
	go func() {
		got, err := v.t.Commit(ctx)
		done <- outcome{got, err}
	}()
	alarm := time.NewTimer(nudge - time.Since(v.spoke))
	defer alarm.Stop()
	for {
		select {
		case o := <-done:
			return o.got, o.err
		case <-alarm.C:
			r.c.Noop().Wait() // a failure shows at the next command
			v.spoke = time.Now()
			alarm.Reset(nudge)
		}
	}
}

// record writes the receipts to the state, and only then tells of them.
func (v *retrieval) record(got []deliver.Receipt) error {
	if len(got) == 0 {
		return nil
	}
	es, err := v.entries(got)
	if err != nil {
		return err
	}
	hint, err := v.r.hint()
	if err != nil {
		return err
	}
	next := v.nextBehind(len(got), es)
	if !v.aside {
		if err := v.r.recording(); err != nil {
			return err
		}
	}
	if err := v.r.st.Record(hint, next, es...); err != nil {
		return err
	}
	v.r.next = next
	for i, g := range got {
		v.tell(v.staged[i], g)
	}
	v.staged = v.staged[len(got):]
	return nil
}

// entries are the state's of the messages staged first, which have receipts. One without a unique-id has none.
func (v *retrieval) entries(got []deliver.Receipt) ([]state.Entry, error) {
	if len(got) > len(v.staged) {
		return nil, fmt.Errorf("the target has %d receipts for %d messages", len(got), len(v.staged))
	}
	r := v.r
	es := make([]state.Entry, 0, len(got))
	for i, g := range got {
		it := v.staged[i].it
		if g.ID != it.id {
			return nil, fmt.Errorf("the target has a receipt for %s where that of %s was due", g.ID, it.id)
		}
		if it.uid == "" {
			continue
		}
		e := r.entry(it.uid, it.copy, g)
		if v.aside {
			e.Quarantine = r.opts.Quarantine.Path
		}
		if e.Reason = r.short(it, v.staged[i].octets); e.Reason != "" {
			e.Reported = r.now
		}
		es = append(es, e)
	}
	return es, nil
}

// nextBehind is what is given out next when the entries of the n messages staged first are recorded, for
// a target that cannot be asked later.
func (v *retrieval) nextBehind(n int, es []state.Entry) string {
	next := v.r.next
	switch {
	case v.aside && !slices.ContainsFunc(es, func(e state.Entry) bool { return next == nextKey(e.UID, e.Copy) }):
		return next // what the command has had is as it was
	case !v.aside && v.find == nil && len(v.staged) > n:
		return v.staged[n].it.nextKey()
	}
	return ""
}
