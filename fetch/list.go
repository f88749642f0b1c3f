package fetch

import (
	"errors"
	"fmt"
	"strings"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// list asks for everything that the plan needs: what the server can do, how many messages there
// are, their unique-ids and sizes. Where the server pipelines, in one flight (protocol: RFC 2449,
// section 6.6; all four are replies of the TRANSACTION state that change nothing).
func (r *run) list() error {
	r.ahead = r.opts.Pipelining && !r.opts.NoCapa && r.caps.Has("PIPELINING")
	var capa *pop3.CapaCmd
	var stat *pop3.StatCmd
	var uidl *pop3.UIDLCmd
	var list *pop3.ListCmd
	flight := func() {
		stat, uidl = r.c.Stat(), r.c.UIDL()
		if !r.quiet() {
			list = r.c.List()
		}
	}
	unanswered := func() int { n, _ := r.c.Unanswered(); return n }
	if r.ahead {
		capa = r.c.Capa()
		flight()
	} else if !r.opts.NoCapa {
		capa = r.c.Capa()
	}

	if capa != nil {
		// What is announced after the login is what counts (RFC 2449, section 6: some
		// capabilities differ between the states). An -ERR means unknown, not nothing.
		n := unanswered()
		caps, err := capa.Wait()
		if err == nil {
			r.caps = caps
			if !r.ahead && r.opts.Pipelining && caps.Has("PIPELINING") {
				r.ahead = true
				flight()
			}
		} else if r.c.Err() != nil {
			return r.lost(err, n)
		}
	}
	if stat == nil {
		stat = r.c.Stat()
	}
	n := unanswered()
	count, octets, err := stat.Wait()
	switch {
	case err == nil:
		r.stat, r.octets = count, octets
	case r.c.Err() != nil:
		return r.lost(err, n)
	default:
		r.stat = -1
	}
	if r.stat == 0 && uidl == nil {
		return nil // nothing to ask for, and two waits saved
	}
	if uidl == nil {
		uidl = r.c.UIDL()
	}
	n = unanswered()
	ids, err := uidl.Wait(max(r.stat, 0))
	if err != nil {
		if r.c.Err() != nil {
			return r.lost(err, n)
		}
		if e, _ := errors.AsType[*pop3.Error](err); e != nil && e.Code == "" && r.stat == 0 {
			if list != nil { // there is nothing to list
				list.Wait(0)
			}
			return r.c.Err()
		}
		if err := r.withoutUIDL(err); err != nil {
			return err
		}
	}
	if list == nil {
		if r.allKept(ids) {
			r.kept = ids.Messages
			return nil
		}
		list = r.c.List()
	}
	var sizes *pop3.Listing
	if list != nil {
		n = unanswered()
		if sizes, err = list.Wait(max(r.stat, 0)); err != nil {
			if r.c.Err() != nil {
				return r.lost(err, n)
			}
			sizes = nil // LIST refused: go on without sizes
			if ids == nil && r.stat < 0 {
				return fmt.Errorf("%w: %w", ErrUIDLRefused, err) // and STAT, too: nothing is known
			}
		}
	}
	if v, _ := r.st.Note(noteUIDL); ids != nil && len(ids.Messages) > 0 && v == "" && !r.caps.Has("UIDL") && !r.opts.DryRun {
		if err := r.st.SetNote(noteUIDL, "1", r.now); err != nil {
			return err
		}
	}
	if r.ahead && !r.caps.Has("PIPELINING") {
		r.ahead = false // it was announced before the login, or long ago, and is not now
	}
	r.items = merge(ids, sizes, max(r.stat, 0), r.noUIDL)
	if ids != nil && ids.Ignored > 0 {
		return r.warnDaily(noteGarbled, fmt.Sprintf("%d lines of the unique-id listing were not understood", ids.Ignored))
	}
	return nil
}

// noteGarbled is the state's note that lines of the listing were not understood, which was warned of.
const noteGarbled = "garbled"

// many is how many messages a state knows before LIST waits until it is needed: the sizes of a
// large maildrop of which all is kept cost the server more than one round trip costs us.
const many = 1000

// quiet tells whether the listing will probably bring nothing new.
func (r *run) quiet() bool {
	_, interrupted := r.st.Interrupted()
	return r.opts.Keep && r.st.Len() >= many && !interrupted
}

// allKept tells whether each listed message is one that stays where it is: then neither sizes nor a
// plan are needed. STAT must agree: a message without a unique-id stands in LIST alone.
func (r *run) allKept(ids *pop3.UIDListing) bool {
	if ids == nil || !r.quiet() || len(ids.Messages) != r.stat || ids.Ignored > 0 {
		return false
	}
	r.roll = r.st.Roll()
	for _, m := range ids.Messages {
		k := r.roll.Call(m.UID)
		stays := k.Status == state.Seen || k.Status == state.Delivered && k.Reason == "" && !r.due(k.Time)
		if !stays || k.Again || k.Entries != 1 {
			r.roll = nil
			return false
		}
	}
	return true
}

// noteUIDL is the state's note that the server has listed unique-ids, kept where CAPA does not tell:
// after a maildrop was emptied nothing else would.
const noteUIDL = "uidl"

// noteNumbers is the state's note that the run which has begun knows messages by their numbers alone.
const noteNumbers = "numbers"

// withoutUIDL decides what a refused UIDL means: a server that never had unique-ids is served
// without them in delete mode; from one that has them, a refusal is trouble that passes, and going
// on would retrieve everything again.
func (r *run) withoutUIDL(refused error) error {
	seen, _ := r.st.Note(noteUIDL)
	_, interrupted := r.st.Interrupted()
	if numbers, _ := r.st.Note(noteNumbers); numbers != "" {
		interrupted = false // there were no unique-ids then, either
	}
	var e *pop3.Error
	trouble := errors.As(refused, &e) && (strings.HasPrefix(e.Code, "SYS/") || e.Code == "IN-USE")
	if r.caps.Has("UIDL") || r.st.Len() > 0 || seen != "" || interrupted || trouble {
		return fmt.Errorf("%w: %w", ErrUIDLRefused, refused)
	}
	if r.opts.Keep {
		return ErrKeepNeedsUIDL
	}
	r.noUIDL = true
	return nil
}
