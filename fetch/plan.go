package fetch

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"mailhaul/fetch/state"
)

// A plan says what is to be done with each message of the listing.
type plan struct {
	retrieve []*item
	identify []*item // recorded in an earlier session: deleted if it is still the same message
	remove   []*item // to be deleted; retrieve and identify add to it
	skip     []*item // left on purpose
	left     []*item // wanted, but cannot be had

	shared map[string]shared // by unique-id
}

// A shared is what was planned for the first of several messages with one unique-id, and so for all: there may
// be thousands.
type shared struct {
	of     *item
	to     *[]*item // nil: it is wanted
	reason string
	passes bool
}

// Reasons stand in events, in the JSON output and in the manual.
const (
	reasonSeen     = "seen: taken over from another program"
	reasonKept     = "kept on the server"
	reasonThere    = "already delivered there"
	reasonLimit    = "over the limit of messages for this run"
	reasonDone     = "delivered"
	reasonDelete   = "delivered by an earlier run"
	reasonExpired  = "kept long enough"
	reasonHeld     = "another destination does not have it yet"
	reasonTomb     = "deleted by an earlier run, but listed again"
	reasonCopies   = "its unique-id stands for several messages"
	reasonNoHash   = "recorded without a hash: cannot be told from another message"
	reasonNoUID    = "no unique-id: it cannot be kept, nor told from messages that are known and not listed"
	reasonNew      = "new"
	reasonAside    = "refused again and again: to the quarantine"
	reasonAgain    = "failed before, tried again"
	reasonNewAgain = "the unique-id now stands for another message"
)

// plan splits the listing. It looks only at the listing, the state and the options: no octet is
// sent or written.
func (r *run) plan() *plan {
	p := &plan{shared: map[string]shared{}}
	r.missing = sync.OnceValue(r.lacks)
	for i := range r.items {
		r.place(p, &r.items[i])
	}
	// What failed before comes last, so that a message which breaks the session (an endless
	// one) does not keep the others from coming. The rest goes by number, as it is listed.
	// But what is in doubt comes first of all: the next mark in the state wipes that out, unless its
	// entry says so, too.
	slices.SortStableFunc(p.retrieve, func(a, b *item) int {
		switch doubt := !a.doubt && r.inDoubt(a); {
		case doubt == (!b.doubt && r.inDoubt(b)):
			return cmp.Compare(a.tries, b.tries)
		case doubt:
			return -1
		}
		return 1
	})
	if len(p.identify) > 0 {
		// A session that deletes must come to its QUIT: what may keep it from that waits
		// for one in which nothing is to be deleted. Where each deletes, it has its turn: a day
		// after it was tried, it waits for one more session and no longer. (Of several with one unique-id
		// none is noted to have waited.)
		p.retrieve = slices.DeleteFunc(p.retrieve, func(it *item) bool {
			it.late = !r.recently(it.tried)
			if !it.breaks() && !it.aside && (it.tries == 0 || !r.caps.ExpiresRetrieved()) || it.late && (it.waited || it.listed > 1) {
				return false
			}
			it.reason = it.why
			p.left = append(p.left, it)
			return true
		})
	}
	if max := r.opts.MaxMessages; max > 0 && len(p.retrieve) > max {
		for _, it := range p.retrieve[max:] {
			it.reason = reasonLimit
			p.skip = append(p.skip, it)
		}
		p.retrieve = p.retrieve[:max]
	}
	return p
}

// place puts one message into the plan.
func (r *run) place(p *plan, it *item) {
	put := func(to *[]*item, reason string) {
		if it.listed > 1 && it.nth == 1 {
			p.shared[it.uid] = shared{it, to, reason, it.passes}
		}
		if to == nil {
			r.want(p, it, reason)
			return
		}
		it.reason = reason
		*to = append(*to, it)
	}
	it.copy = it.nth
	if it.uid == "" {
		if r.opts.Keep || r.opts.Others.Hold != nil || !r.noUIDL && r.missing() {
			put(&p.left, reasonNoUID)
			return
		}
		r.want(p, it, reasonNew)
		return
	}
	if s, ok := p.shared[it.uid]; ok {
		it.tries, it.tried, it.why, it.doubt, it.passes, it.aside = s.of.tries, s.of.tried, s.of.why, s.of.doubt, s.passes, s.of.aside
		put(s.to, s.reason)
		return
	}
	r.known = r.st.AppendLookup(r.known[:0], it.uid)
	known := r.known
	failed := len(known) > 0 && known[0].Status == state.Failed
	if failed {
		it.tries, it.tried, it.why = known[0].Attempts, known[0].Time, known[0].Reason
		it.doubt = slices.Contains(known[0].Rest, doubtField)
		it.passes = slices.Contains(known[0].Rest, passesField)
		it.waited = slices.Contains(known[0].Rest, waitedField)
		it.aside = r.quarantines(it, known[0].Refused)
		// Of several nobody knows which it was; but the destinations that follow must have their turn.
		if (it.listed == 1 || r.opts.Others.More) && r.waits(known[0]) {
			it.next = known[0].Next
		}
	}
	known = slices.DeleteFunc(known, func(e state.Entry) bool {
		// A tombstone without a hash tells nothing of what is listed now.
		return e.Status == state.Failed || e.Status == state.Deleted && e.Body == ""
	})
	switch {
	case len(known) == 0 && !it.next.IsZero() && !r.tooLarge(it):
		put(&p.left, it.why)
	case len(known) == 0 && it.aside:
		put(nil, reasonAside)
	case len(known) == 0 && failed:
		put(nil, reasonAgain)
	case len(known) == 0:
		put(nil, reasonNew)
	case slices.ContainsFunc(known, func(e state.Entry) bool { return e.Status == state.Seen }):
		put(&p.skip, reasonSeen)
	case slices.ContainsFunc(known, func(e state.Entry) bool { return e.Body == "" }):
		put(&p.skip, reasonNoHash)
	case it.listed == 1 && len(known) == 1:
		r.placeKnown(p, it, known[0])
	case r.opts.Keep && it.listed <= len(known) && !slices.ContainsFunc(known, func(e state.Entry) bool { return e.Status == state.Deleted || r.due(e.Time) }):
		put(&p.skip, r.stays())
	default:
		// Never by count: which is which only the body tells.
		put(&p.identify, reasonCopies)
	}
}

// placeKnown puts a message whose unique-id stands for one message here and in the state.
func (r *run) placeKnown(p *plan, it *item, e state.Entry) {
	it.copy = e.Copy
	switch {
	case e.Status == state.Deleted:
		it.reason = reasonTomb
	case e.Reason != "": // delivered, but short of what LIST promised: never deleted
		it.reason = e.Reason
		p.left = append(p.left, it)
		return
	case !r.opts.Keep:
		it.reason = reasonDelete
	case r.due(e.Time):
		it.reason = reasonExpired
	default:
		it.reason = r.stays()
		p.skip = append(p.skip, it)
		return
	}
	// What was deleted may be another message by now, which nothing holds before it is delivered.
	if e.Status != state.Deleted && r.holds(e) {
		it.reason = reasonHeld
		p.skip = append(p.skip, it)
		return
	}
	p.identify = append(p.identify, it)
}

// stays is why a message that is recorded is not to be deleted by this Run. Whether it will be, one for another
// destination decides, if that follows.
func (r *run) stays() string {
	if r.opts.Others.More {
		return reasonThere
	}
	return reasonKept
}

// holds tells whether a message that is recorded may not be deleted yet.
func (r *run) holds(e state.Entry) bool { return r.opts.Others.Hold != nil && r.opts.Others.Hold(e) }

// held is holds for a message that was delivered in this run.
func (r *run) held(it *item) bool {
	if r.opts.Others.Hold == nil {
		return false
	}
	e, ok := r.st.LookupCopy(it.uid, it.copy)
	return !ok || r.holds(e)
}

// want plans the retrieval of a message, unless it is too large.
func (r *run) want(p *plan, it *item, reason string) {
	if r.tooLarge(it) {
		it.reason, it.passes, it.next = tooLarge(it.size, r.opts.MaxSize), false, time.Time{}
		p.left = append(p.left, it)
		return
	}
	it.reason = reason
	p.retrieve = append(p.retrieve, it)
}

// breaks tells whether sessions do not survive the attempt to retrieve the message, or to hand it over.
// One lost connection may be chance.
func (it *item) breaks() bool {
	switch it.why {
	case errAbandoned.Error():
		return true
	case errBroke.Error(), errNoRoom.Error(), errReceiver.Error(), errDemand.Error():
		return it.tries > 1
	}
	return false
}

// lacks tells whether the state knows messages that are not listed: then one without a unique-id
// may be any of them, delivered or not to be touched.
func (r *run) lacks() bool {
	listed := make(map[string]bool, len(r.items))
	for i := range r.items {
		listed[r.items[i].uid] = true
	}
	for e := range r.st.All() {
		if !listed[e.UID] && (e.Status == state.Delivered || e.Status == state.Seen) {
			return true
		}
	}
	return false
}

func (r *run) tooLarge(it *item) bool { return r.opts.MaxSize > 0 && it.size > r.opts.MaxSize }

func tooLarge(size, max int64) string {
	return fmt.Sprintf("%d octets are more than max_size, %d", size, max)
}
