package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"mailhaul/deliver"
)

// A batch is committed and recorded when it has this many messages or octets, or is this old. The
// first two share the waits for the disk among many; the age bounds what a kill makes superfluous.
const (
	batchMessages = 2000
	batchOctets   = 64 << 20
	batchAge      = 5 * time.Second
	// chunkMessages is the batch of a command: nothing is outstanding while it runs.
	chunkMessages = 200
)

// nudge is after how much silence of ours the server is sent a NOOP, be it during one Commit or
// many: some end a session after a minute (RFC 1939, section 3, allows it after ten).
const nudge = 10 * time.Second

// A staged message is with the target and waits for its commit.
type staged struct {
	it     *item
	octets int64
}

// A retrieval is the retrieve step of one run, into one target.
type retrieval struct {
	ctx    context.Context // of the run: proven has no other way to it
	r      *run
	p      *plan
	t      deliver.Target
	find   deliver.Finder // t, if it is one
	aside  bool           // t is the quarantine
	staged []staged
	octets int64
	since  time.Time
	spoke  time.Time // when the server last had to do with us
}

// run gets the messages, delivers and records them, batch after batch. On an error of the
// connection or of the target, everything that is proven is committed and recorded first, so that
// each run makes progress.
func (v *retrieval) run(items []*item) error {
	ctx, r := v.ctx, v.r
	if len(items) == 0 || r.over {
		return nil
	}
	if r.nonce == "" {
		if err := v.begin(items[0]); err != nil {
			return err
		}
	}
	for len(items) > 0 && ctx.Err() == nil && !r.over {
		chunk := items
		if v.find == nil {
			// A command may take its time. Nothing is sent ahead of it that the server
			// would have to wait with.
			chunk = items[:chunkLen(items)]
		}
		items = items[len(chunk):]
		pl := &pull{r: r, text: r.c.Retr, whole: true, take: v.take, undo: v.t.Drop, proven: v.proven, came: r.opts.Came}
		err := pl.run(ctx, chunk)
		if err != nil {
			r.undone = true // what is not proven has come, perhaps, and is dropped
		}
		if errors.Is(err, errAbandoned) {
			err = r.abandon(pl.endless)
		}
		if noRoom(err) && pl.sick != nil {
			r.attempted(pl.sick, errNoRoom, false)
		}
		if cerr := v.commit(); cerr != nil {
			return errors.Join(err, cerr, r.recordFailed())
		}
		if err != nil {
			if pl.broken != nil && ctx.Err() == nil && !errors.Is(err, ErrNoPipelining) {
				r.attempted(pl.broken, errBroke, false)
			}
			return errors.Join(err, r.recordFailed())
		}
	}
	return r.recordFailed()
}

// chunkLen is how many messages are spooled before a command is run for each.
func chunkLen(items []*item) int {
	var octets int64
	for i, it := range items {
		octets += max(it.size, 0)
		if i == chunkMessages || octets > batchOctets && i > 0 {
			return i
		}
	}
	return len(items)
}

// begin tells the state that deliveries follow. A crash from here on leaves doubt.
func (v *retrieval) begin(first *item) error {
	hint, err := v.r.hint()
	if err != nil {
		return err
	}
	next := ""
	if v.find == nil {
		next = first.nextKey()
	}
	if v.r.opts.Begin != nil {
		if err := v.r.opts.Begin(); err != nil {
			return err
		}
	}
	if v.r.noUIDL {
		if err := v.r.st.SetNote(noteNumbers, "1", v.r.now); err != nil {
			return err
		}
	}
	b, err := v.r.st.Begin(hint, next)
	if err != nil {
		return err
	}
	v.r.nonce, v.r.next = b.Nonce, next
	return nil
}

// take stages one message.
func (v *retrieval) take(it *item, body io.Reader) error {
	r := v.r
	it.id = deliveryID(r.nonce, cmp.Or(it.uid, numbered(it.num)), it.copy)
	return v.t.Deliver(v.ctx, &deliver.Message{
		Account: r.opts.Account, Num: it.num, UID: it.uid, ID: it.id, Trace: r.received(it.id, time.Now()), Body: body,
		InDoubt: r.inDoubt(it)})
}

// numbered stands for the unique-id of a message that has none: no other has a NUL at its start and means this.
func numbered(num int) string { return fmt.Sprintf("\x00%d", num) }

// inDoubt tells whether the run before was interrupted with this message in the command's hands.
func (r *run) inDoubt(it *item) bool {
	return it.doubt || r.doubt != "" && it.uid != "" && r.doubt == it.nextKey()
}

// proven takes over messages that are staged and known to be those of their numbers.
func (v *retrieval) proven(results []result) error {
	v.spoke = time.Now()
	for _, res := range results {
		if res.err != nil {
			if !isRefusal(res.err) {
				v.r.undone = true
			}
			if err := v.r.leave(res.it, res.err, aboutTime(res.err)); err != nil {
				return err
			}
			continue
		}
		if len(v.staged) == 0 {
			v.since = time.Now()
		}
		v.staged = append(v.staged, staged{res.it, res.octets})
		v.octets += res.octets
	}
	if v.find != nil && (len(v.staged) >= batchMessages || v.octets >= batchOctets || len(v.staged) > 0 && time.Since(v.since) > batchAge) {
		return v.commit()
	}
	return nil
}

// tell tells of a message that is delivered and recorded, and plans its deletion.
func (v *retrieval) tell(s staged, g deliver.Receipt) {
	r := v.r
	if v.aside {
		r.tellQuarantined(s.it, g.Where)
	} else {
		r.sum.Delivered++
		r.sum.Octets += s.octets
		r.itemEvent(Message, s.it, Event{Size: s.octets, Destination: g.Where, Reason: s.it.reason, InDoubt: r.inDoubt(s.it)})
		if g.Warning != "" {
			r.itemEvent(Failed, s.it, Event{Reason: g.Warning, Warning: true})
		}
	}
	if reason := r.short(s.it, s.octets); reason != "" {
		r.undone = true // half of it
		r.count(s.it, errors.New(reason), false)
		return
	}
	switch {
	case r.held(s.it):
		r.undone = true // by another destination
	case !r.opts.Keep:
		s.it.reason = reasonDone
		v.p.remove = append(v.p.remove, s.it)
	}
}

// short tells why a message that was delivered is not deleted: its text is empty, or much less
// than LIST promised on a server whose LIST is right otherwise. The rest may still come one day.
func (r *run) short(it *item, octets int64) string {
	switch {
	case octets == 0, it.size >= 0 && octets < it.size/2 && r.sizes.mostly():
		return shortReason(octets, it.size)
	}
	return ""
}

func shortReason(octets, size int64) string {
	if octets == 0 {
		return "delivered, but its text was empty: it stays on the server"
	}
	return fmt.Sprintf("delivered, but only %d of %d octets came: it stays on the server", octets, size)
}

// abandon leaves the message that did not end. The session is over: not even the reply to QUIT
// could be told from its text.
func (r *run) abandon(it *item) error {
	r.over = true
	if it.listed > 1 {
		r.attempted(it, errAbandoned, false)
	}
	return r.leave(it, errAbandoned, false)
}
