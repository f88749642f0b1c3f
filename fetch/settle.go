package fetch

import (
	"iter"
	"slices"
	"strings"

	"mailhaul/deliver"
	"mailhaul/fetch/state"
)

// settle ends the doubt that an interrupted run has left: what it delivered without recording it
// is found at the target and recorded (see "within Commit" in the package comment).
func (r *run) settle() error {
	b, ok := r.st.Interrupted()
	if !ok {
		return nil
	}
	if q, _ := r.st.Note(noteQuarantine); q != "" && b.Nonce != "" {
		if len(r.items) == 0 {
			return nil
		}
		if err := r.settleQuarantine(b, q); err != nil {
			return err
		}
	}
	if r.find == nil {
		if len(r.items) == 0 {
			return nil // as below
		}
		_, uid, _ := strings.Cut(b.Next, ":")
		for i := range r.items {
			if r.items[i].uid == uid && uid != "" {
				r.doubt, r.next = b.Next, b.Next // retrieve marks it
				return r.doubtReused(uid)
			}
		}
		if err := r.keepDoubt(uid); err != nil {
			return err
		}
		return r.end()
	}
	r.doubt = b.Next // of a command, where the account has a maildir or an mbox now
	if b.Nonce == "" {
		return r.end()
	}
	if len(r.items) == 0 {
		return nil // only a listing tells whose they are: there will be another
	}
	found, err := r.find.Find(deliver.Begin{Nonce: b.Nonce, Hint: b.Hint, UID: r.uidOf(b.Nonce)})
	if err != nil {
		return err
	}
	if len(found) > 0 {
		if err := r.recordFound(b, found, ""); err != nil {
			return err
		}
	}
	return r.end()
}

// keepDoubt notes that a command may have had a message that is not listed: it is gone, or the listing is not
// all.
func (r *run) keepDoubt(uid string) error {
	e := state.Entry{UID: uid, Status: state.Failed, Time: r.now, Reason: errReceiver.Error(), Rest: []string{passesField}}
	if known := r.st.Lookup(uid); len(known) > 0 {
		e = known[0]
	}
	if uid == "" || e.Status != state.Failed {
		return r.doubtReused(uid)
	}
	mark(&e, doubtField, true)
	return r.st.Add(e)
}

// doubtReused notes that a command may have had a message with the unique-id of one that is recorded: it is
// retrieved only when it is known to be another, behind those that are new and perhaps in a later session.
func (r *run) doubtReused(uid string) error {
	known := r.st.Lookup(uid)
	if len(known) != 1 || known[0].Status != state.Delivered && known[0].Status != state.Deleted || slices.Contains(known[0].Rest, doubtField) {
		return nil
	}
	mark(&known[0], doubtField, true)
	return r.st.Add(known[0])
}

// settleQuarantine asks the quarantine of the interrupted run, which may be another than that of now.
func (r *run) settleQuarantine(b state.Begin, path string) error {
	q, err := r.openQuarantine(path)
	if err != nil {
		return err
	}
	defer q.Close()
	found, err := q.Find(deliver.Begin{Nonce: b.Nonce})
	if err != nil || len(found) == 0 {
		return err
	}
	return r.recordFound(b, found, path)
}

// recordFound records the found messages: those that are listed, and the others as unclaimed, because a
// server may not list all that it has. quarantine is the maildir they are in, "" for the
// destination.
func (r *run) recordFound(b state.Begin, found []deliver.Receipt, quarantine string) error {
	byID := make(map[string]deliver.Receipt, len(found))
	for _, f := range found {
		byID[f.ID] = f
	}
	var es []state.Entry
	var aside []func()
	for id, m := range r.ids(b.Nonce, func(id string) bool { _, ok := byID[id]; return ok }) {
		if f, ok := byID[id]; ok {
			e := r.entry(m.it.uid, m.copy, f)
			if e.Quarantine = quarantine; quarantine != "" {
				aside = append(aside, r.foundAside(m.it, f.Where))
			}
			e.Reason = m.short(f.Size)
			es = append(es, e)
			delete(byID, id)
		}
	}
	if len(byID) > 0 {
		for e := range r.st.All() { // recorded by that run itself, unless it is what was known before
			if id := deliveryID(b.Nonce, e.UID, max(e.Copy, 1)); e.Body == hexSum(byID[id].Sum) {
				delete(byID, id)
			}
		}
	}
	for n := 1; n <= maxGuess && len(byID) > 0; n++ {
		delete(byID, deliveryID(b.Nonce, numbered(n), 1)) // without a unique-id it would never be claimed
	}
	for id, f := range byID {
		e := r.entry(unclaimed+id, 1, f)
		e.Quarantine = quarantine
		es = append(es, e)
	}
	if len(es) == 0 {
		return nil
	}
	if quarantine == "" {
		if err := r.recording(); err != nil {
			return err
		}
	}
	if err := r.st.Record(b.Hint, b.Next, es...); err != nil {
		return err
	}
	for _, tell := range aside {
		tell()
	}
	return nil
}

// foundAside returns what tells of a message that an interrupted run has put into the quarantine, for when it
// is recorded: then the state knows no more why.
func (r *run) foundAside(it *item, where string) (tell func()) {
	if known := r.st.Lookup(it.uid); len(known) > 0 {
		it.tries, it.why = known[0].Attempts, known[0].Reason
	}
	return func() { r.tellQuarantined(it, where) }
}

// A candidate is a message that an interrupted run may have delivered.
type candidate struct {
	it   *item
	copy int
}

// short tells why it is not deleted, if that is what an interrupted run has of it.
func (m candidate) short(octets int64) string {
	if octets == 0 || m.it.listed == 1 && octets < m.it.size/4 {
		// Each line was an octet longer on its way: even so, not half of it came.
		return shortReason(octets, m.it.size)
	}
	return ""
}

// ids yields the delivery ids that the run with this nonce may have given to what is listed now. That run may
// have seen more copies of a unique-id: they are looked for as long as one is among those given.
func (r *run) ids(nonce string, given func(id string) bool) iter.Seq2[string, candidate] {
	return func(yield func(string, candidate) bool) {
		for i := range r.items {
			it := &r.items[i]
			if it.uid == "" || it.nth > 1 {
				continue // the first of an id looks for all its copies
			}
			last := 0 // numbers may have gaps: copies are forgotten one by one
			for _, e := range r.st.Lookup(it.uid) {
				last = max(last, e.Copy)
			}
			for copy := 1; ; copy++ {
				id := deliveryID(nonce, it.uid, copy)
				if copy > last+it.listed && !given(id) {
					break
				}
				if !yield(id, candidate{it, copy}) {
					return
				}
			}
		}
	}
}

// uidOf tells the unique-id by the delivery id, for a target that keeps it. Most never ask.
func (r *run) uidOf(nonce string) func(id string) string {
	var uids map[string]string
	return func(id string) string {
		if uids == nil {
			uids = make(map[string]string, len(r.items))
			for id, m := range r.ids(nonce, func(string) bool { return false }) {
				uids[id] = m.it.uid
			}
		}
		return uids[id]
	}
}
