package fetch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mailhaul/deliver"
)

// A message that could be retrieved whole, and that its destination has refused again and again, goes
// to a maildir of its own, through the same four steps. What becomes of it there is recorded as
// delivered, with the maildir's name. The state's Begin is that of the run: its nonce is in the
// delivery ids of both places, and after a crash both are asked (settle).

// A Quarantine is a maildir for messages that their destination has refused. The zero value is none.
type Quarantine struct {
	Path  string // "" = none
	After int    // how often the destination must have refused a message; 0 = once
	// Open opens the maildir at path, which after a crash may be another than Path. Run closes it. It is
	// to be made if it is missing only where create is set.
	Open func(path string, create bool) (deliver.Finder, error)
}

// noteQuarantine is the state's note that the run delivers to the maildir it names, so that one which
// is interrupted leaves word of where to look. It is forgotten with the end of the doubt.
const noteQuarantine = "quarantine"

// quarantines tells whether a message that its destination refused so often goes there now. With Retry
// the destination has one more chance, and so has a command that died with this message in its hands.
func (r *run) quarantines(it *item, refused int) bool {
	return r.opts.Quarantine.Path != "" && !r.opts.Retry && it.listed == 1 && refused >= max(r.opts.Quarantine.After, 1) &&
		(r.doubt == "" || r.doubt != it.nextKey())
}

// quarantine retrieves messages into the quarantine.
func (r *run) quarantine(ctx context.Context, p *plan, items []*item) error {
	if len(items) == 0 || ctx.Err() != nil || r.over {
		return nil
	}
	q, err := r.openQuarantine(r.opts.Quarantine.Path)
	if err != nil {
		return err
	}
	err = r.st.SetNote(noteQuarantine, r.opts.Quarantine.Path, r.now)
	if err == nil && r.nonce != "" {
		err = r.write() // the note must be on disk before the first delivery; else Begin sees to it
	}
	if err == nil {
		err = (&retrieval{ctx: ctx, r: r, p: p, t: q, find: q, aside: true}).run(items)
	}
	return errors.Join(err, q.Close())
}

// openQuarantine opens the maildir. It may be made as long as nothing of the state is in it.
func (r *run) openQuarantine(path string) (deliver.Finder, error) {
	create := true
	for e := range r.st.All() {
		if e.Quarantine == path {
			create = false
			break
		}
	}
	q, err := r.opts.Quarantine.Open(path, create)
	if err != nil {
		return nil, fmt.Errorf("quarantine: %w", err)
	}
	return q, nil
}

// split separates what goes to the destination from what goes to the quarantine.
func split(items []*item) (rest, aside []*item) {
	for _, it := range items {
		if it.aside {
			aside = append(aside, it)
		}
	}
	return slices.DeleteFunc(items, func(it *item) bool { return it.aside }), aside
}

// tellQuarantined tells of a message that is in the quarantine and recorded. It is told once: from then
// on it is a message that is delivered.
func (r *run) tellQuarantined(it *item, where string) {
	r.left.Quarantined++
	r.left.Temporary = false
	reason := "quarantined in " + where
	if it.why != "" {
		reason += ": " + it.why
	}
	r.itemEvent(Failed, it, Event{Err: errors.New(reason), Reason: reason, Destination: where, Attempts: it.tries, InDoubt: it.doubt})
}
