package fetch

import (
	"errors"
	"slices"
	"strings"
	"time"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// doubtField marks the entry of a message that stays although a command may have delivered it, so
// that the doubt outlives the runs in which it is not tried again.
const doubtField = "doubt=1"

// passesField marks the entry of a message that failed for a reason which may pass by itself, for the
// runs in which it is not tried.
const passesField = "temporary=1"

// waitedField marks the entry of a message that was to be tried and has waited for a session to delete.
const waitedField = "waited=1"

// mark puts a field into an entry, or takes it away.
func mark(e *state.Entry, field string, on bool) {
	switch has := slices.Contains(e.Rest, field); {
	case on && !has:
		e.Rest = append(e.Rest, field)
	case !on && has:
		e.Rest = slices.DeleteFunc(e.Rest, func(f string) bool { return f == field })
	}
}

// again is after how long a trouble is told of once more, if it is the same.
const again = 24 * time.Hour

// recently tells whether a trouble that was told of at that time need not be told of again yet.
func (r *run) recently(told time.Time) bool { return r.now.Sub(told) < again && !r.now.Before(told) }

// report tells of the messages that cannot be had, by plan.
func (r *run) report(p *plan) error {
	for _, it := range p.left {
		if err := r.remember(it, it.reason, attempt{temporary: it.passes}); err != nil {
			return err
		}
		r.count(it, errors.New(it.reason), it.passes)
	}
	return r.recordFailed()
}

// leave notes that a message which was asked for stays on the server. What ails the server as a
// whole (RFC 3206, section 4: SYS) is no failure of the message, and no reason to try it less often.
func (r *run) leave(it *item, why error, temporary bool) error {
	pe, refused := errors.AsType[*pop3.Error](why)
	a := attempt{temporary: temporary, counts: !refused || !strings.HasPrefix(pe.Code, "SYS/")}
	// That it may pass counts against the message only where another was taken: a destination that is
	// away says so of each message.
	a.refused = aboutMessage(why) && (!temporary || r.sum.Delivered > 0)
	err := r.remember(it, why.Error(), a)
	r.count(it, why, temporary)
	return err
}

// count tells of a message that stays on the server, and adds it to the run's outcome.
func (r *run) count(it *item, why error, temporary bool) {
	r.left.Messages++
	if !temporary {
		r.left.Temporary = false
	}
	r.itemEvent(Failed, it, Event{Err: why, Reason: why.Error(), Repeated: it.told, Attempts: it.tries, Next: it.next})
}

// An attempt is what remember is to know of one beside its reason. The zero value is none.
type attempt struct {
	counts    bool // it is a failure of the message
	refused   bool // by its destination
	temporary bool // the reason may pass by itself
}

// remember prepares the state's entry for a message that stays: how often it was tried, why it
// failed, when that was told last and when it is tried again. Nothing is written for what is known and
// was told today.
func (r *run) remember(it *item, reason string, a attempt) error {
	if it.uid == "" || it.listed > 1 {
		return nil
	}
	e := state.Entry{UID: it.uid, Copy: 1, Status: state.Failed, Size: max(it.size, 0)}
	if known := r.st.Lookup(it.uid); len(known) > 0 {
		e = known[0]
	}
	failed := e.Status == state.Failed
	// Of one that is recorded, Reason is why it is never deleted: of another trouble there is only the time.
	it.told = (e.Reason == reason || !failed && e.Reason == "") && r.recently(e.Reported)
	if e.Body == "" && !failed {
		return nil
	}
	doubt, waits := r.inDoubt(it) && !slices.Contains(e.Rest, doubtField), it.late && !it.waited
	if it.told && !(a.counts && failed) && !doubt && !waits {
		return nil
	}
	if doubt {
		mark(&e, doubtField, true)
	}
	if failed {
		if a.counts || e.Time.IsZero() {
			e.Time = r.now
		}
		if a.refused {
			e.Refused++
		}
		if a.counts {
			e.Attempts++
			e.Next = nextAttempt(r.now, e.Attempts)
			if a.refused && r.quarantines(it, e.Refused) && !it.aside {
				e.Next = time.Time{} // there is nothing to wait for
			}
		} else if e.Reason != reason {
			e.Next = time.Time{}
		}
		e.Reason = reason
		mark(&e, passesField, a.temporary)
		mark(&e, waitedField, it.late && !a.counts)
		it.tries, it.next = e.Attempts, e.Next
	}
	if !it.told {
		e.Reported = r.now
	}
	r.failed = append(r.failed, e)
	return nil
}

// attempted prepares the entry of the message whose reply was due when the connection was lost, or
// for which there was no room. It may be the cause, and comes last from now on; the error that ended
// the session tells the user enough.
//
// had says that the destination may have the message.
func (r *run) attempted(it *item, why error, had bool) {
	known := r.st.Lookup(it.uid)
	inDoubt := (why == errReceiver || why == errDemand) && (r.inDoubt(it) || had && r.find == nil && r.next == it.nextKey())
	if it.reason == reasonNewAgain { // then what is recorded is deleted without it
		if inDoubt && it.listed == 1 && len(known) == 1 {
			mark(&known[0], doubtField, true)
			r.failed = append(r.failed, known[0])
		}
		r.beginBehind(it)
		r.shrink(1)
		return
	}
	if it.uid == "" || len(known) > 0 && known[0].Status != state.Failed {
		return
	}
	// Of several with one unique-id nobody knows later which it was: all of them come last.
	e := state.Entry{UID: it.uid, Copy: 1, Status: state.Failed, Size: max(it.size, 0)}
	if len(known) > 0 {
		e = known[0]
	}
	e.Time, e.Reason, e.Next = r.now, why.Error(), time.Time{}
	mark(&e, passesField, why == errReceiver) // as the error that ended the session did
	mark(&e, waitedField, false)
	if inDoubt {
		mark(&e, doubtField, true) // it is not the first of the next run
	}
	switch {
	case why != errNoRoom && why != errDemand:
		e.Attempts++
		e.Next = nextAttempt(r.now, e.Attempts-mayBeChance)
	case e.Attempts < 2:
		e.Attempts++ // no more than the plan needs to know (breaks): a full disk is not its fault, nor what is configured
	}
	r.failed = append(r.failed, e)
}

// recordFailed writes what remember has prepared, less what has been delivered since: another with the same
// unique-id.
func (r *run) recordFailed() error {
	es := slices.DeleteFunc(r.failed, func(e state.Entry) bool {
		known, ok := r.st.LookupCopy(e.UID, e.Copy)
		return ok && known.Status != state.Failed && e.Status == state.Failed
	})
	r.failed = nil
	return r.save(es...)
}
