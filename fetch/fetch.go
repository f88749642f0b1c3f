package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// Options are the wishes of one run. The zero value means: retrieve all, delete all, one Received
// field in front, one command at a time.
type Options struct {
	Account     string                   // name of the account, for events and the delivery
	Server      string                   // host name of the server, for the Received field
	User        string                   // for the Received field
	Keep        bool                     // leave delivered messages on the server
	DeleteAfter time.Duration            // with Keep: delete them when they were delivered so long ago; 0 = never
	MaxSize     int64                    // octets; larger messages stay and are reported; 0 = no limit
	MaxMessages int                      // retrieve at most so many; 0 = no limit
	Quarantine  Quarantine               // for messages that t refuses again and again
	Retry       bool                     // try what failed before now, and not when its time has come
	NoReceived  bool                     // put no Received field in front
	DryRun      bool                     // list and plan only, change nothing
	Pipelining  bool                     // send ahead where the server announces PIPELINING
	Caps        pop3.Caps                // what the server announced before the login, or in an earlier session
	NoCapa      bool                     // the server does not know CAPA, or hangs up on it: do not ask again
	Newest      time.Time                // newest time in the state before this run of the account; zero: as st says
	Begin       func() error             // called before the state is told that deliveries begin; nil = nothing
	Events      func(Event)              // told of everything that happens; nil = nobody
	Hold        func(e state.Entry) bool // of a recorded message: it may not be deleted yet; nil = no
	More        bool                     // with Keep: another Run follows in this session, see Summary.Open
	Undone      bool                     // a Run before in this session left what it had retrieved undelivered
	Retrieved   func(uid string) bool    // a Run before in this session has retrieved it; nil = there was none
	NoSkipped   bool                     // nobody wants to hear of messages that are left on purpose
	Came        *atomic.Int64            // octets of the texts to be delivered are added as they come, and taken off if they have to come again; nil = nobody looks
}

var (
	// ErrNoPipelining says that the server announced PIPELINING (RFC 2449, section 6.6) and
	// does not do it. What was proven is delivered and recorded; the caller may dial again and
	// call Run without Pipelining, and should remember it for a while.
	ErrNoPipelining = errors.New("the server announces PIPELINING but mixes up its replies")
	// ErrKeepNeedsUIDL says that messages are to be kept on a server without UIDL, where
	// nothing tells a new message from an old one.
	ErrKeepNeedsUIDL = errors.New("the server has no unique-ids (UIDL), so messages cannot be kept on it: every run would retrieve all of them again")
	// ErrUIDLRefused says that a server which has unique-ids refused to list them this time.
	ErrUIDLRefused = errors.New("the server refused to list its unique-ids")
	// ErrNotDeleted says that DELE or QUIT was refused or not answered. The messages are
	// recorded: the next run deletes them.
	ErrNotDeleted = errors.New("the server did not confirm the deletion; the next run repeats it")
	// ErrStopped says that the context ended. What was proven is delivered and recorded.
	ErrStopped = errors.New("stopped")
)

// A LeftError says that messages stay on the server although they were wanted. Each was told of
// in an event of its own.
type LeftError struct {
	Messages    int
	Quarantined int  // recorded, but not where they were to go
	Temporary   bool // each of them for a reason that may pass by itself
}

func (e *LeftError) Error() string {
	if e.Messages == 0 {
		return fmt.Sprintf("%d quarantined", e.Quarantined)
	}
	if e.Messages == 1 {
		return "1 message stays on the server"
	}
	return fmt.Sprintf("%d messages stay on the server", e.Messages)
}

// grace is how long the current messages may take when the context has ended.
const grace = 5 * time.Second

// A run is what the steps of one Run share.
type run struct {
	c    *pop3.Client
	st   *state.File
	t    deliver.Target
	find deliver.Finder // t, if it is one
	opts Options
	host string
	now  time.Time
	sum  Summary

	caps    pop3.Caps
	ahead   bool // commands are sent ahead of replies
	noUIDL  bool
	stat    int   // messages by STAT, -1 if it was refused
	octets  int64 // of those, by STAT; -1 unknown
	items   []item
	kept    []pop3.Unique // the whole listing, in place of items, where all of it stays as it is
	roll    *state.Roll   // of kept
	known   []state.Entry // those of the item that plan looks at
	missing func() bool   // see lacks; asked once
	newest  time.Time     // newest time in the state before this run
	sizes   sizes
	widest  int // RETRs of this session that were unanswered at once and came back proven
	begun   bool
	nonce   string
	next    string        // what the state says is given out next (targets that are no Finder)
	doubt   string        // what an interrupted run had given out (targets that are no Finder)
	failed  []state.Entry // entries of messages that stay, not yet recorded
	later   int           // messages left to be deleted by the next run: see portion
	unsure  bool          // a fate is unknown: a Commit or a Record failed
	undone  bool          // retrieved, but not delivered: with EXPIRE 0 no QUIT
	over    bool          // a message that did not end was abandoned: no other reply can come
	refused int           // deletions that the server refused
	done    bool          // QUIT has been answered
	leftErr LeftError
}

// Run does one session's work with a client that is logged in: see the package comment. It ends
// the session with QUIT or closes the connection; the client cannot be used afterwards. It takes
// st and t as they are and closes neither. The error may join several (errors.Join).
//
// When ctx ends, Run finishes the messages under way (for at most a few seconds), commits and
// records what is proven, and closes the connection without QUIT.
func Run(ctx context.Context, c *pop3.Client, st *state.File, t deliver.Target, opts Options) (Summary, error) {
	r := &run{c: c, st: st, t: t, opts: opts, caps: opts.Caps, now: time.Now(), newest: st.Newest()}
	if !opts.Newest.IsZero() {
		r.newest = opts.Newest
	}
	r.find, _ = t.(deliver.Finder)
	if h, err := os.Hostname(); err == nil {
		r.host = h
	}
	r.leftErr.Temporary, r.undone = true, opts.Undone
	stop := context.AfterFunc(ctx, func() { c.Interrupt(grace) })
	defer stop()

	err := r.run(ctx)
	switch {
	case ctx.Err() == nil || r.done:
	case err == nil || c.Err() != nil:
		err = fmt.Errorf("%w: %w", ErrStopped, context.Cause(ctx))
	case errors.Is(err, ErrStopped):
		err = fmt.Errorf("%w: %w", err, context.Cause(ctx))
	}
	r.sum.Left = r.leftErr.Messages
	if r.leftErr.Messages+r.leftErr.Quarantined > 0 {
		err = errors.Join(err, &r.leftErr)
	}
	n, _ := c.Unanswered()
	r.sum.Undone = r.undone
	r.sum.Open = opts.More && c.Err() == nil && n == 0 && !r.over && ctx.Err() == nil
	if !r.sum.Open {
		c.Close()
	}
	return r.sum, err
}

// run is the order of things.
func (r *run) run(ctx context.Context) error {
	if err := r.list(); err != nil {
		return err
	}
	if !r.opts.DryRun {
		if err := r.settle(); err != nil {
			return err
		}
		if err := r.listed(); err != nil {
			return err
		}
	}
	p := r.plan()
	r.announce(p)
	if r.opts.DryRun {
		if !r.opts.More {
			r.c.Quit().Wait()
		}
		return nil
	}
	if err := errors.Join(r.report(p), r.confirmClock()); err != nil {
		return err
	}
	main := &retrieval{ctx: ctx, r: r, p: p, t: r.t, find: r.find}
	usual, aside := split(p.retrieve)
	err := main.run(usual)
	if err == nil && ctx.Err() == nil && !r.over {
		var others []*item
		if others, err = r.identify(ctx, p); err == nil {
			err = main.run(others)
		}
	}
	if err == nil {
		err = r.quarantine(ctx, p, aside)
	}
	// What was in doubt before stays so until it is recorded.
	if r.begun && !r.unsure && (r.doubt == "" || r.next != r.doubt) {
		err = errors.Join(err, r.end())
	}
	if err != nil || ctx.Err() != nil || r.over || r.opts.More {
		return err
	}
	return r.remove(p)
}

// save records entries. What the state says for the case of a crash is still true behind it.
func (r *run) save(es ...state.Entry) error {
	if len(es) == 0 {
		return nil
	}
	return r.write(es...)
}

// write is save also of nothing: then it puts on disk what was noted before, where a Begin is open.
func (r *run) write(es ...state.Entry) error {
	hint := ""
	if r.begun {
		var err error
		if hint, err = r.hint(); err != nil {
			return err
		}
	}
	return r.st.Record(hint, r.next, es...)
}

// hint is where a later run is to look for what this one delivers.
func (r *run) hint() (string, error) {
	if r.find == nil {
		return "", nil
	}
	return r.find.Hint()
}

// listed tells the state what the server lists, so that it can forget.
func (r *run) listed() error {
	if r.noUIDL {
		return nil
	}
	roll := r.roll
	if roll == nil {
		roll = r.called()
	}
	warning, err := r.st.Listed(roll, r.now)
	if warning == "" || err != nil {
		return err
	}
	told, at := r.st.Note(noteWarned)
	repeated := told == warning && r.recently(at)
	r.event(Event{Type: Failed, Reason: warning, Warning: true, Repeated: repeated})
	if repeated {
		return nil
	}
	return r.st.SetNote(noteWarned, warning, r.now)
}

// called is the listing, called against the state as it is now.
func (r *run) called() *state.Roll {
	roll := r.st.Roll()
	for i := range r.items {
		roll.Call(r.items[i].uid)
	}
	return roll
}

// noteWarned is the state's note of what was last warned of about its listing, and when.
const noteWarned = "warned"

// entry is the state's line for a message that has become durable.
func (r *run) entry(uid string, copy int, f deliver.Receipt) state.Entry {
	return state.Entry{UID: uid, Copy: copy, Status: state.Delivered, Time: r.now,
		Size: f.Size, Head: hexSum(f.Head), Body: hexSum(f.Sum)}
}

// lost turns an error of the connection into what it means for pipelining: see ErrNoPipelining.
// unanswered is the number of commands that were without their reply when it happened.
func (r *run) lost(err error, unanswered int) error {
	if !r.ahead || unanswered < 2 || errors.Is(err, os.ErrClosed) {
		return err
	}
	if errors.Is(err, pop3.ErrProtocol) || !r.c.Pipelined() && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return fmt.Errorf("%w: %w", ErrNoPipelining, err)
	}
	return err
}
