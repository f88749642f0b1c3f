package fetch

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// TestCommand delivers to a receiver that takes its time: nothing may be unanswered while it has a
// message, and the server hears from us every ten seconds.
func TestCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		msgs := mails(chunkMessages+5, 100)
		a := open(t, pop3test.Config{Memory: true}, msgs...)
		p := &post{}
		a.mailTo(p)
		p.commit = func(string) {
			synctest.Wait() // the server has nothing more to answer, and waits
			if retr, last := a.srv.Commands(1), ""; len(retr) > 0 {
				if last = retr[len(retr)-1]; !strings.HasPrefix(last, "UIDL ") && last != "NOOP" {
					t.Errorf("behind %s", last)
				}
			}
			time.Sleep(3 * time.Second) // which synctest passes over
		}
		a.clean()
		a.wantEmpty()
		if counts := p.taken(msgs); len(counts) == 0 || slices.Max(counts) != 1 || slices.Min(counts) != 1 {
			t.Errorf("given %v", counts)
		}
		noops := 0
		for _, c := range a.commands(1) {
			if c == "NOOP" {
				noops++
			}
		}
		if want := len(msgs) * 3 / 10; noops < want-5 || noops > want+1 {
			t.Errorf("%d NOOPs, want about %d", noops, want)
		}
		if i := slices.Index(a.commands(1), "NOOP"); !strings.HasPrefix(a.commands(1)[i-1], fmt.Sprint("UIDL ", chunkMessages)) {
			t.Errorf("the first NOOP is behind %q", a.commands(1)[i-1])
		}
		a.srv.Close()
	})
}

// TestUnanswered looks at the client whenever a command has a message.
func TestUnanswered(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		msgs := mails(30, 100)
		a := open(t, pop3test.Config{}, msgs...)
		st, err := state.Open(a.statePath(), identity)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		c, err := a.login()
		if err != nil {
			t.Fatal(err)
		}
		p := &post{}
		a.mailTo(p)
		p.commit = func(string) {
			if n, octets := c.Unanswered(); n+octets > 0 {
				t.Errorf("%d commands, %d octets unanswered", n, octets)
			}
		}
		if _, err := Run(t.Context(), c, st, p, Options{Pipelining: ahead, Caps: pipelining}); err != nil {
			t.Error(err)
		}
		if len(p.taken(msgs)) != 30 {
			t.Error("not all were given")
		}
	}
}

// TestCommandFails has a receiver that refuses one message, for good or for now, and one that is
// sick.
func TestCommandFails(t *testing.T) {
	for _, tt := range []struct {
		name      string
		err       *deliver.Error
		delivered int
		left      []string
		temporary bool
	}{
		{"refuses one", &deliver.Error{Target: "post", Err: errors.New("no such user"), Message: true}, 4, []string{"uid-3"}, false},
		{"not now", &deliver.Error{Target: "post", Err: errors.New("status 75"), Message: true, Temporary: true}, 4, []string{"uid-3"}, true},
		{"is sick", &deliver.Error{Target: "post", Err: errors.New("killed"), Temporary: true}, 2, []string{"uid-1", "uid-2", "uid-3", "uid-4", "uid-5"}, false},
		{"is missing", &deliver.Error{Target: "post", Err: deliver.ErrCreate}, 2, []string{"uid-1", "uid-2", "uid-3", "uid-4", "uid-5"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			msgs := mails(5, 100)
			a := open(t, pop3test.Config{}, msgs...)
			p := &post{fail: func(uid string) error {
				if uid == "uid-3" {
					return tt.err
				}
				return nil
			}}
			a.mailTo(p)
			sum, err := a.run()
			a.srv.Wait()
			if sum.Delivered != tt.delivered {
				t.Errorf("%+v", sum)
			}
			a.wantLeft(tt.left...)
			var left *LeftError
			if tt.err.Message {
				if !errors.As(err, &left) || left.Messages != 1 || left.Temporary != tt.temporary {
					t.Errorf("error: %v", err)
				}
			} else if !errors.Is(err, tt.err) || errors.As(err, &left) {
				t.Errorf("error: %v", err)
			}
			p.fail = nil
			a.clean()
			a.wantEmpty()
			if counts := p.taken(msgs); !slices.Equal(counts, []int{1, 1, 1, 1, 1}) {
				t.Errorf("given %v", counts)
			}
			if doubt := len(p.inDoubt) > 0; doubt != (tt.name == "is sick") {
				t.Errorf("in doubt: %q", p.inDoubt)
			}
		})
	}
}

// TestKilledCommand kills a run that delivers to a receiver which cannot be asked. No message may be
// missing, at most one come twice, and that one must be told of.
func TestKilledCommand(t *testing.T) {
	msgs := mails(5, 300)
	var first film
	a := open(t, pop3test.Config{}, msgs...)
	p := &post{}
	a.mailTo(p)
	var cam *camera
	p.commit = func(uid string) {
		cam.look("the receiver has " + uid)
	}
	a.target = func(deliver.Target) deliver.Target {
		cam = &camera{Target: p, a: a, film: &first}
		return cam
	}
	a.clean()
	if len(first.moments) < 15 {
		t.Fatalf("%d moments", len(first.moments))
	}
	doubts := 0
	for _, m := range first.moments {
		// New mail in front of what is in doubt, and a run that is killed before it gets there.
		for _, listed := range [][]pop3test.Message{msgs, append([]pop3test.Message{mail("new", 200)}, msgs...)} {
			again := open(t, pop3test.Config{}, listed...)
			again.dir = copied(t, m.dir)
			killed := &post{}
			again.mailTo(killed)
			var second film
			again.target = func(deliver.Target) deliver.Target {
				return &camera{Target: killed, a: again, film: &second}
			}
			again.srv.Inject(pop3test.Fault{On: "RETR *", Nth: 1, Do: pop3test.Cut})
			again.run() // breaks, and records that
			dirs := []string{again.dir}
			for _, m := range second.moments[:min(len(second.moments), 2)] {
				dirs = append(dirs, m.dir)
			}
			for _, dir := range dirs {
				last := open(t, pop3test.Config{}, listed...)
				last.dir = dir
				p := &post{}
				last.mailTo(p)
				last.clean()
				last.wantEmpty()
				counts := p.taken(listed)
				twice := ""
				for i, n := range counts {
					switch {
					case n == 1:
					case n == 2 && twice == "":
						twice = listed[i].UID
						if !slices.Contains(p.inDoubt, twice) {
							t.Errorf("killed when %s: %s came twice and was not told of as in doubt", m.when, twice)
						}
					default:
						t.Errorf("killed when %s: given %v", m.when, counts)
					}
				}
				if len(counts) == 0 || len(p.inDoubt) > 1 {
					t.Errorf("killed when %s: given %v, in doubt %q", m.when, counts, p.inDoubt)
				}
				var told []string
				for _, e := range last.events {
					if e.InDoubt {
						told = append(told, e.UID)
					}
				}
				if !slices.Equal(told, p.inDoubt) {
					t.Errorf("killed when %s: told %q of %q", m.when, told, p.inDoubt)
				}
				if twice != "" {
					doubts++
				}
			}
		}
	}
	if doubts == 0 {
		t.Error("nothing ever came twice: not killed where it matters")
	}
}

// TestDoubtSurvivesReport has a run that is killed before it comes to the message in doubt, but
// behind its record of another that is too large.
func TestDoubtSurvivesReport(t *testing.T) {
	msgs := mails(2, 200)
	a := open(t, pop3test.Config{}, msgs...)
	st, err := state.Open(a.statePath(), identity)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Begin("", nextKey("uid-2", 1)); err != nil {
		t.Fatal(err)
	}
	st.Close() // as killed
	a.opts.MaxSize = 100
	a.mailTo(&post{})
	a.run() // all too large: recorded
	a.opts.MaxSize = 0
	p := &post{}
	a.mailTo(p)
	a.clean()
	if !slices.Equal(p.inDoubt, []string{"uid-2"}) {
		t.Errorf("in doubt: %q", p.inDoubt)
	}
}

// So it is where nothing of the message has reached the receiver, and then there is no doubt about it.
func TestReceiverDiesBefore(t *testing.T) {
	msgs := mails(3, 200)
	a := open(t, pop3test.Config{}, msgs...)
	p := &post{fail: func(uid string) error {
		if uid == "uid-1" {
			return &deliver.Error{Target: "post", Err: io.ErrUnexpectedEOF, Temporary: true, Broke: true, Untouched: true}
		}
		return nil
	}}
	a.mailTo(p)
	for range 3 {
		if _, err := a.run(); err == nil {
			t.Error("no error")
		}
	}
	a.wantLeft("uid-1")
	p.fail = nil
	if _, err := a.run(); err != nil {
		t.Error(err)
	}
	if got := p.taken(msgs); !slices.Equal(got, []int{1, 1, 1}) || len(p.inDoubt) > 0 {
		t.Errorf("%v, in doubt %v", got, p.inDoubt)
	}
	a.wantEmpty()
}

// A receiver that wants a login for one message has the others, too, and is given that one again as soon as it
// may take it.
func TestReceiverDemandsLogin(t *testing.T) {
	for _, doubt := range [][]string{nil, {"uid-1"}} {
		msgs := mails(3, 200)
		a := open(t, pop3test.Config{}, msgs...)
		p := &post{fail: func(uid string) error {
			if uid == "uid-1" {
				return &deliver.Error{Target: "post", Err: deliver.ErrLogin, Broke: true, Untouched: true}
			}
			return nil
		}}
		a.mailTo(p)
		if doubt != nil {
			st, err := state.Open(a.statePath(), identity)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := st.Begin("", nextKey("uid-1", 1)); err != nil {
				t.Fatal(err)
			}
			st.Close() // as killed
		}
		for range 9 {
			a.run()
		}
		a.wantLeft("uid-1")
		if _, err := a.run(); !errors.Is(err, deliver.ErrLogin) {
			t.Errorf("%v", err)
		}
		p.fail = nil
		if _, err := a.run(); err != nil {
			t.Error(err)
		}
		if got := p.taken(msgs); !slices.Equal(got, []int{1, 1, 1}) || !slices.Equal(p.inDoubt, doubt) {
			t.Errorf("%v, in doubt %v", got, p.inDoubt)
		}
		a.wantEmpty()
	}
}

// A receiver that dies of one message has the others in the next run, and is told then that it may have
// had that one.
func TestReceiverDiesOfOne(t *testing.T) {
	msgs := mails(4, 200)
	a := open(t, pop3test.Config{}, msgs...)
	p := &post{fail: func(uid string) error {
		if uid == "uid-2" {
			return &deliver.Error{Target: "post", Err: io.ErrUnexpectedEOF, Temporary: true, Broke: true}
		}
		return nil
	}}
	a.mailTo(p)
	if _, err := a.run(); err == nil {
		t.Error("no error")
	}
	if _, err := a.run(); err == nil {
		t.Error("no error")
	}
	if got := p.taken(msgs); !slices.Equal(got, []int{1, 0, 1, 1}) {
		t.Errorf("after two runs: %v", got)
	}
	// What may end this session, too, waits for one in which nothing is to be deleted.
	if _, err := a.run(); err == nil {
		t.Error("no error")
	}
	a.wantLeft("uid-2")
	p.fail = nil
	if _, err := a.run(); err != nil {
		t.Error(err)
	}
	if got := p.taken(msgs); !slices.Equal(got, []int{1, 1, 1, 1}) || !slices.Equal(p.inDoubt, []string{"uid-2"}) {
		t.Errorf("at last: %v, in doubt %v", got, p.inDoubt)
	}
	a.wantEmpty()
}

// A listing without the message in doubt says nothing of it: the one after it may have that again.
func TestDoubtOutlivesListing(t *testing.T) {
	msgs := mails(2, 200)
	for _, listed := range [][]pop3test.Message{nil, msgs[:1]} {
		less, full := open(t, pop3test.Config{}, listed...), open(t, pop3test.Config{}, msgs...)
		less.dir = full.dir
		st, err := state.Open(full.statePath(), identity)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Begin("", nextKey("uid-2", 1)); err != nil {
			t.Fatal(err)
		}
		st.Close() // as killed
		less.mailTo(&post{})
		less.clean()
		less.clean()
		less.wantIdle()
		p := &post{}
		full.mailTo(p)
		full.clean()
		if !slices.Equal(p.inDoubt, []string{"uid-2"}) {
			t.Errorf("in doubt: %q", p.inDoubt)
		}
		full.wantEmpty()
	}
}

// Nor does one of which a receiver dies keep others from being deleted, if it has the unique-id of a message
// that is known.
func TestReceiverDiesOfReused(t *testing.T) {
	msgs := mails(4, 200)
	a := open(t, pop3test.Config{}, msgs...)
	for i, m := range msgs {
		if i == 1 {
			m.Text = mail("another", 300).Text
		}
		a.record(delivered(m, time.Now()))
	}
	a.mailTo(&post{fail: func(uid string) error {
		return &deliver.Error{Target: "post", Err: io.ErrUnexpectedEOF, Temporary: true, Broke: true}
	}})
	for range 5 {
		if _, err := a.run(); err == nil {
			t.Error("no error")
		}
		a.srv.Wait()
	}
	a.wantLeft("uid-2")
}

// And when it is tried again, behind the others, it is in doubt still.
func TestDoubtOfReused(t *testing.T) {
	msgs := mails(3, 200)
	a := open(t, pop3test.Config{}, msgs...)
	for _, m := range msgs {
		m.Text = mail("another", 300).Text
		a.record(delivered(m, time.Now()))
	}
	died := false
	p := &post{fail: func(uid string) error {
		if died {
			return nil
		}
		died = true
		return &deliver.Error{Target: "post", Err: io.ErrUnexpectedEOF, Temporary: true, Broke: true}
	}}
	a.mailTo(p)
	for range 5 {
		a.run()
		a.srv.Wait()
	}
	a.wantEmpty()
	if !slices.Equal(p.inDoubt, []string{"uid-1"}) {
		t.Errorf("in doubt: %q", p.inDoubt)
	}
}

// A run that is killed leaves it in doubt as well, also if the next one comes to others alone.
func TestDoubtOfReusedKilled(t *testing.T) {
	msgs := mails(2, 200)
	for _, status := range []state.Status{state.Delivered, state.Deleted} {
		a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "TOP 1 0", Do: pop3test.Cut, Nth: 1}}}, msgs...)
		a.opts.Pipelining = false
		known := delivered(mail("another", 300), time.Now())
		known.UID, known.Status = "uid-1", status
		a.record(known)
		st, err := state.Open(a.statePath(), identity)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Begin("", nextKey("uid-1", 1)); err != nil {
			t.Fatal(err)
		}
		st.Close() // as killed
		p := &post{}
		a.mailTo(p)
		if _, err := a.run(); err == nil {
			t.Error("no error")
		}
		for range 2 {
			a.run()
			a.srv.Wait()
		}
		a.wantEmpty()
		if got := p.taken(msgs); !slices.Equal(got, []int{1, 1}) || !slices.Equal(p.inDoubt, []string{"uid-1"}) {
			t.Errorf("%s: taken %v, in doubt %q", status, got, p.inDoubt)
		}
	}
}

// What was in doubt and is refused is in doubt still if the run is killed with the next message.
func TestDoubtOfRefused(t *testing.T) {
	msgs := mails(2, 200)
	a := open(t, pop3test.Config{}, msgs...)
	st, err := state.Open(a.statePath(), identity)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Begin("", nextKey("uid-1", 1)); err != nil {
		t.Fatal(err)
	}
	st.Close() // as killed
	killed := ""
	a.mailTo(&post{
		fail: func(uid string) error {
			if uid == "uid-2" {
				return nil
			}
			return &deliver.Error{Target: "post", Err: errors.New("not now"), Message: true, Temporary: true}
		},
		commit: func(string) { killed = copied(t, a.dir) },
	})
	a.run()
	a.srv.Wait()
	again := open(t, pop3test.Config{}, msgs...)
	again.dir = killed
	p := &post{}
	again.mailTo(p)
	again.clean()
	slices.Sort(p.inDoubt)
	if !slices.Equal(p.inDoubt, []string{"uid-1", "uid-2"}) {
		t.Errorf("in doubt: %q", p.inDoubt)
	}
}
