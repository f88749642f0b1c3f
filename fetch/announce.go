package fetch

import (
	"errors"
	"mailhaul/fetch/state"
	"slices"
	"time"
)

// announce tells what the listing and the plan say.
func (r *run) announce(p *plan) {
	r.sum.Messages = len(r.items) + len(r.kept)
	r.sum.Skipped = len(p.skip) + len(r.kept)
	octets := r.octets
	if !slices.ContainsFunc(r.items, func(it item) bool { return it.size < 0 }) && r.kept == nil {
		octets = 0
		for i := range r.items {
			octets += r.items[i].size
		}
	}
	r.event(Event{Type: Account, Messages: r.sum.Messages, Octets: octets, Retrieve: len(p.retrieve), RetrieveOctets: octetsOf(p.retrieve), First: r.st.New()})
	if r.noUIDL && len(r.items) > 0 {
		r.event(Event{Type: Failed, Warning: true, Reason: "the server has no unique-ids (UIDL): an interrupted run can deliver messages twice"})
	}
	if !r.opts.NoSkipped {
		r.announceSkipped(p)
	}
	if r.opts.DryRun {
		for _, it := range p.retrieve {
			r.itemEvent(Message, it, Event{Planned: true, Reason: it.reason})
		}
		for _, it := range p.identify {
			r.itemEvent(Deleted, it, Event{Planned: true, Reason: it.reason})
		}
		for _, it := range p.left {
			r.itemEvent(Failed, it, Event{Planned: true, Reason: it.reason, Err: errLeft, Attempts: it.tries, Next: it.next})
		}
	}
}

// announceSkipped tells of each message that is left on purpose.
func (r *run) announceSkipped(p *plan) {
	for _, it := range p.skip {
		r.itemEvent(Skipped, it, Event{Planned: r.opts.DryRun, Reason: it.reason})
	}
	for _, m := range r.kept {
		reason := r.stays()
		if es := r.st.Lookup(m.UID); len(es) > 0 && es[0].Status == state.Seen {
			reason = reasonSeen
		}
		r.event(Event{Type: Skipped, Num: m.Num, UID: m.UID, Planned: r.opts.DryRun, Reason: reason})
	}
}

var errLeft = errors.New("stays on the server")

// event sends e to whoever listens.
func (r *run) event(e Event) {
	if r.opts.Events == nil {
		return
	}
	e.Account = r.opts.Account
	e.Time = time.Now()
	r.opts.Events(e)
}

// itemEvent sends e with what is known of the message.
func (r *run) itemEvent(typ EventType, it *item, e Event) {
	e.Type, e.Num, e.UID = typ, it.num, it.uid
	if e.Size == 0 {
		e.Size = max(it.size, 0)
	}
	r.event(e)
}
