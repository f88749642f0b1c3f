package fetch

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/state"
)

// settleLoose gives recorded messages that were not found by their delivery id a copy with the same
// text: a reader may have taken the name and the trace field away, or there never was one.
func (c *Comparison) settleLoose() {
	for _, r := range c.entries {
		if l := c.loose[r.Body]; r.at == nil && len(l) > 0 {
			r.at = &l[0]
			c.loose[r.Body] = l[1:]
		}
	}
	// The rest has the text of a recorded message and the id of another delivery: of one that
	// the state has forgotten, as when two messages were the same.
	for _, l := range c.loose {
		for _, s := range l {
			if s.ID != "" {
				c.unknown = append(c.unknown, s)
			}
		}
	}
	slices.SortStableFunc(c.unknown, func(a, b deliver.Stored) int {
		return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.Offset, b.Offset))
	})
}

// nonces groups what is left by the run that delivered it, so that the delivery id of each recorded
// or listed message is computed once for each run.
func (c *Comparison) nonces() map[string]map[string][]*deliver.Stored {
	all := map[string]map[string][]*deliver.Stored{}
	for i := range c.unknown {
		s := &c.unknown[i]
		nonce := s.ID[:len(s.ID)-deliveryHash]
		if all[nonce] == nil {
			all[nonce] = map[string][]*deliver.Stored{}
		}
		all[nonce][s.ID] = append(all[nonce][s.ID], s)
	}
	return all
}

// take takes the copies with one delivery id out of what is left of a run.
func take(left map[string][]*deliver.Stored, id string) []*deliver.Stored {
	found := left[id]
	for _, s := range found {
		s.ID = "" // done
	}
	delete(left, id)
	return found
}

// changed finds copies of recorded messages whose text is another one. Those that were found by
// their delivery id tell it; for the others it is computed for each run that something is left of.
func (c *Comparison) changed() {
	runs := c.nonces()
	var lost []*recorded
	tell := func(r *recorded, copies []*deliver.Stored) {
		for _, s := range copies {
			r.changed = true
			c.counts.Changed++
			c.findings = append(c.findings, Finding{Type: Changed, UID: r.UID, Copy: r.Copy, Size: s.Size,
				Reason: "its text is not what was delivered", Stored: s})
		}
	}
	for _, r := range c.entries {
		if r.at == nil || r.at.ID == "" {
			lost = append(lost, r)
			continue
		}
		tell(r, take(runs[r.at.ID[:len(r.at.ID)-deliveryHash]], r.at.ID))
	}
	for _, nonce := range slices.Sorted(maps.Keys(runs)) {
		for _, r := range lost {
			tell(r, take(runs[nonce], deliveryID(nonce, r.UID, r.Copy)))
		}
	}
	c.unknown = remaining(c.unknown)
}

// remaining gives those that are not done, apart: what findings point to stays as it is.
func remaining(all []deliver.Stored) []deliver.Stored {
	var left []deliver.Stored
	for _, s := range all {
		if s.ID != "" {
			left = append(left, s)
		}
	}
	return left
}

// unrecorded judges copies that the state does not know. That alone is nothing: what is deleted on
// the server is forgotten. But one that is listed and not recorded will be delivered again.
func (c *Comparison) unrecorded(after *state.File, listing []Listed) {
	var fresh []Listed
	for _, l := range listing {
		if l.UID != "" && !isRecorded(after, l) {
			fresh = append(fresh, l)
		}
	}
	before := make(map[string]bool, len(c.entries))
	for _, r := range c.entries {
		before[nextKey(r.UID, r.Copy)] = true
	}
	var since []state.Entry // recorded while it was compared
	for e := range after.All() {
		if (e.Status == state.Delivered || e.Status == state.Deleted) && !before[nextKey(e.UID, e.Copy)] {
			since = append(since, e)
		}
	}
	begin, open := after.Interrupted()
	runs := c.nonces()
	for _, nonce := range slices.Sorted(maps.Keys(runs)) {
		all := runs[nonce]
		if open && nonce == begin.Nonce {
			for _, copies := range all {
				c.counts.Unsettled += len(copies)
				for _, s := range copies {
					s.ID = ""
				}
			}
			continue
		}
		for _, e := range since {
			take(all, deliveryID(nonce, e.UID, e.Copy))
		}
		for _, l := range fresh {
			for _, s := range take(all, deliveryID(nonce, l.UID, l.Nth)) {
				c.counts.Extra++
				c.findings = append(c.findings, Finding{Type: Extra, UID: l.UID, Copy: l.Nth, Size: s.Size,
					Reason: "delivered, and not recorded: the message is listed and will be delivered again", Stored: s})
			}
		}
	}
	first := map[string]string{}
	for _, s := range remaining(c.unknown) {
		if !c.ours(s) {
			continue
		}
		where, again := first[s.ID]
		switch {
		case again:
			c.counts.Extra++
			c.findings = append(c.findings, Finding{Type: Extra, Size: s.Size, Reason: "a second copy of the same delivery: the other is " + where, Stored: &s})
			continue
		case s.Altered:
			c.counts.Changed++
			c.findings = append(c.findings, Finding{Type: Changed, Size: s.Size, Reason: "its text is not what its trace field announces", Stored: &s})
		default:
			c.counts.Older++
			c.findings = append(c.findings, Finding{Type: Verified, Size: s.Size, Reason: "no longer in the state", Stored: &s})
		}
		first[s.ID] = s.Place()
	}
}

// undelivered gives the entry of a listed message that stays on the server for a reason other than to be kept: it
// failed, or came short. nil if there is none.
func undelivered(st *state.File, l Listed) *state.Entry {
	for _, e := range st.Lookup(l.UID) {
		if e.Reason != "" && (e.Status == state.Failed || e.Status == state.Delivered && e.Copy == l.Nth) {
			return &e
		}
	}
	return nil
}

func isRecorded(st *state.File, l Listed) bool {
	for _, e := range st.Lookup(l.UID) {
		if e.Status != state.Failed {
			return true
		}
	}
	return false
}

// listed judges the listing: what is recorded, due and still there was not deleted. What a run that
// goes on is about to delete looks the same: while one does, nothing is told of that.
func (c *Comparison) listed(after *state.File, listing []Listed, now time.Time, busy bool) {
	due := &run{st: after, opts: c.opts, now: now}
	before := make(map[string][]*recorded, len(c.entries))
	for _, r := range c.entries {
		before[r.UID] = append(before[r.UID], r)
	}
	for _, l := range listing {
		stays := undelivered(after, l)
		if stays != nil {
			c.counts.Undelivered++
			c.findings = append(c.findings, Finding{Type: Undelivered, UID: l.UID, Copy: l.Nth, Size: stays.Size, Reason: stays.Reason})
		}
		if l.UID == "" || !isRecorded(after, l) {
			if stays == nil {
				c.counts.New++
			}
			continue
		}
		c.onServer(l, before[l.UID])
		for _, r := range before[l.UID] {
			if busy || r.Copy != l.Nth || r.Reason != "" || c.opts.Keep && !due.due(r.Time) || r.Status != state.Deleted && due.holds(r.Entry) {
				continue
			}
			reason := "delivered, to be deleted, and still on the server"
			if r.Status == state.Deleted {
				reason = reasonTomb
			}
			c.counts.Undeleted++
			c.findings = append(c.findings, Finding{Type: Undeleted, UID: r.UID, Copy: r.Copy, Size: r.Size, Reason: reason})
		}
	}
}

// onServer compares the server's text of a message with what is recorded. Where a unique-id stands for
// several messages, which is which only the text tells.
func (c *Comparison) onServer(l Listed, known []*recorded) {
	if l.Text == nil || len(known) == 0 {
		return
	}
	body := hexSum(l.Text.Sum)
	if slices.ContainsFunc(known, func(r *recorded) bool { return r.Body == body }) {
		return
	}
	c.counts.Changed++
	c.findings = append(c.findings, Finding{Type: Changed, UID: l.UID, Copy: l.Nth, Size: l.Text.Size,
		Reason: "the server has another text than what was recorded"})
}
