package fetch

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"
)

// notePortion is the state's note of how many messages a session may identify. A link that breaks
// early would otherwise never let a session come from the first TOP to QUIT: what was identified
// counts for nothing without it.
const notePortion = "portion"

// noteCompared is the state's note of the message with which the next session begins: where not all could be
// identified, the one behind those that were, or behind the one at which the session broke. So neither one
// that always breaks it nor those that the server does not let go keep others from being deleted.
const noteCompared = "compared"

// listedKey names a message of a listing: which of those with its unique-id it is, and the unique-id.
func listedKey(it *item) string { return nextKey(it.uid, it.nth) }

// noteTop is the state's note of how many sessions, one after the other, broke at their first TOP.
const noteTop = "top"

const (
	maxTopBreaks = 2                   // one may be chance
	topBreaksAge = 30 * 24 * time.Hour // then TOP is tried again
)

// topBreaks tells whether the server hangs up at TOP, as some do at each command that they do not know.
func (r *run) topBreaks() bool {
	value, at := r.st.Note(noteTop)
	n, _ := strconv.Atoi(value)
	age := r.now.Sub(at)
	return n >= maxTopBreaks && age >= 0 && age < topBreaksAge
}

// noteBreak remembers at which message the session broke, and whether that was at its first TOP. That it
// cannot be written costs another session.
func (id *identifier) noteBreak() {
	r := id.r
	if id.broken == r.order[0] { // else those before it come without it
		r.beginBehind(id.broken)
		if r.opts.Others.More {
			r.st.SetNote(notePortion, "0", r.now) // that may be all there is: the destinations that follow have a turn
		}
	}
	if id.topping && !id.topped {
		value, _ := r.st.Note(noteTop)
		n, _ := strconv.Atoi(value)
		r.st.SetNote(noteTop, strconv.Itoa(n%maxTopBreaks+1), r.now)
	}
}

// beginBehind has the next session begin behind a message that this one was to identify.
func (r *run) beginBehind(it *item) error {
	i := slices.Index(r.order, it) + 1
	return r.st.SetNote(noteCompared, listedKey(r.order[i%len(r.order)]), r.now)
}

// portion cuts what is to be identified down to what the last session could do, and begins where that had
// come to.
func (r *run) portion(items []*item) []*item {
	if first, _ := r.st.Note(noteCompared); first != "" {
		i := max(0, slices.IndexFunc(items, func(it *item) bool { return listedKey(it) == first }))
		items = slices.Concat(items[i:], items[:i])
	}
	r.order = items
	value, _ := r.st.Note(notePortion)
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n == 0 && !r.opts.Others.More || n >= len(items) {
		return items
	}
	r.later = len(items) - n
	return items[:n]
}

// manyCompared is after how many a signal is taken for a time that was too short: timeout(1) sends one, too,
// to each run.
const manyCompared = 100

// shortOfTime tells whether the next run had better not begin with as many again.
func (id *identifier) shortOfTime(ctx context.Context) bool {
	return errors.Is(ctx.Err(), context.DeadlineExceeded) || ctx.Err() != nil && id.done >= manyCompared
}

// shrink remembers that a session broke, or was stopped, after it had identified done messages.
func (r *run) shrink(done int) {
	r.st.SetNote(notePortion, strconv.Itoa(max(1, done*3/4)), r.now)
}

// compared lets the next session do more than this one, which came to its end with a part, and begin behind
// that; or all, where this one did. That they could be deleted is not asked: else a few that cannot would stand
// in front of all others for ever.
func (r *run) compared(p *plan) error {
	if r.later == 0 {
		return errors.Join(r.st.SetNote(notePortion, "", r.now), r.st.SetNote(noteCompared, "", r.now))
	}
	done := len(p.identify) - r.later
	if done == 0 {
		return r.st.SetNote(notePortion, "1", r.now)
	}
	return errors.Join(r.st.SetNote(notePortion, strconv.Itoa(2*done), r.now), r.beginBehind(r.order[done-1]))
}
