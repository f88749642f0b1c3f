package fetch

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// TestPause has what the manual promises, and what must hold for any number.
func TestPause(t *testing.T) {
	for n, want := range []time.Duration{0, 0, 1, 2, 4, 8, 16, 24, 24, 24} {
		if got := pause(n); got != want*time.Hour {
			t.Errorf("after %d attempts: %v, want %v hours", n, got, int(want))
		}
	}
	for range 10_000 {
		n := int(rand.Uint32())
		if rand.N(2) == 0 {
			n = rand.N(40)
		}
		if pause(n) < 0 || pause(n) > maxPause || pause(n+1) < pause(n) {
			t.Fatalf("after %d attempts: %v, after one more %v", n, pause(n), pause(n+1))
		}
	}
	if got := pause(math.MaxInt); got != maxPause {
		t.Errorf("after very many attempts: %v", got)
	}
}

// TestLeftAlone: whatever the clock does, no message is left alone for longer than the longest pause from
// the run that looks at it, and one that has just failed waits as long as it should.
func TestLeftAlone(t *testing.T) {
	base := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for range 10_000 {
		failed := base.Add(rand.N(100 * 24 * time.Hour))
		n := rand.N(12)
		e := state.Entry{Attempts: n, Next: nextAttempt(failed, n)}
		at := func(now time.Time) bool { return (&run{now: now}).waits(e) }
		if at(failed) != (n >= 2) || at(failed.Add(pause(n))) || n >= 2 && !at(failed.Add(pause(n)-time.Second)) {
			t.Fatalf("after %d attempts: wrong", n)
		}
		now := base.Add(rand.N(200*24*time.Hour) - 50*24*time.Hour) // set back or ahead
		if at(now) && e.Next.Sub(now) > maxPause || at(now.Add(-1000*time.Hour)) && n >= 2 && now.Before(failed) {
			t.Fatalf("failed at %v, now %v, next %v", failed, now, e.Next)
		}
		if retry := (&run{now: failed, opts: Options{Retry: true}}); retry.waits(e) {
			t.Fatal("waits although it is to be tried")
		}
	}
}

// passed lets time pass for a failed message: what the state says of it is set back.
func (a *account) passed(uid string, d time.Duration) {
	a.t.Helper()
	e := a.entries(uid)[0]
	if !e.Next.IsZero() {
		e.Next = e.Next.Add(-d)
	}
	a.record(e)
}

// TestTriedLessOften has a message that the server never gives, over days.
func TestTriedLessOften(t *testing.T) {
	msgs := mails(3, 100)
	a := open(t, pop3test.Config{Reply: refuse("uid-2", "-ERR no")}, msgs...)
	told := func() Event {
		for _, e := range a.events {
			if e.Type == Failed {
				return e
			}
		}
		t.Fatalf("nothing was told: %+v", a.events)
		return Event{}
	}
	tried := func(session int) bool {
		for _, c := range a.commands(session) {
			if c == "RETR 1" && session > 1 || c == "RETR 2" {
				return true
			}
		}
		return false
	}
	var at []int // in hours
	session := 0
	for hour := range 100 {
		for range 2 { // two runs an hour
			session++
			_, err := a.run()
			var left *LeftError
			if !errors.As(err, &left) || left.Messages != 1 || left.Temporary {
				t.Fatalf("hour %d: %v", hour, err)
			}
			a.srv.Wait()
			e := told()
			if session > 1 && !e.Repeated || e.Attempts != a.entries("uid-2")[0].Attempts || !e.Next.Equal(a.entries("uid-2")[0].Next) {
				t.Fatalf("hour %d: told %+v", hour, e)
			}
			if tried(session) {
				at = append(at, hour)
			}
		}
		a.passed("uid-2", time.Hour)
	}
	want := []int{0, 0, 1, 3, 7, 15, 31, 55, 79}
	if len(at) != len(want) {
		t.Fatalf("tried at hours %v, want %v", at, want)
	}
	for i := range want {
		if at[i] != want[i] {
			t.Fatalf("tried at hours %v, want %v", at, want)
		}
	}
	a.wantLeft("uid-2")
}

// TestWaitingIsIdle: a run in which nothing is due writes nothing, and its status is that of the
// failure.
func TestWaitingIsIdle(t *testing.T) {
	for _, temporary := range []bool{false, true} {
		msgs := mails(2, 100)
		a := open(t, pop3test.Config{}, msgs...)
		p := &post{fail: func(uid string) error {
			if uid != "uid-2" {
				return nil
			}
			return &deliver.Error{Target: "post", Err: errors.New("no"), Message: true, Temporary: temporary}
		}}
		a.mailTo(p)
		a.run()
		a.run()
		before := read(t, a.statePath())
		for range 3 {
			_, err := a.run()
			var left *LeftError
			if !errors.As(err, &left) || left.Messages != 1 || left.Temporary != temporary {
				t.Errorf("temporary %v: %v, %+v", temporary, err, left)
			}
			if read(t, a.statePath()) != before {
				t.Error("the state was written")
			}
		}
		a.passed("uid-2", time.Hour)
		p.fail = nil
		a.clean()
		a.wantEmpty()
		if got := p.taken(msgs); len(got) != 2 || got[0] != 1 || got[1] != 1 {
			t.Errorf("given %v", got)
		}
	}
}

// TestSickCountsNothing: a destination that is sick as a whole is no failure of any message.
func TestSickCountsNothing(t *testing.T) {
	msgs := mails(3, 100)
	a := open(t, pop3test.Config{}, msgs...)
	p := &post{fail: func(string) error { return &deliver.Error{Target: "post", Err: errors.New("sick"), Temporary: true} }}
	a.mailTo(p)
	for range 5 {
		a.run()
	}
	for _, m := range msgs {
		if es := a.entries(m.UID); len(es) > 0 {
			t.Errorf("recorded: %+v", es)
		}
	}
	// Nor is a full disk a reason to wait, however often it is met.
	b := open(t, pop3test.Config{}, msgs...)
	b.target = func(t deliver.Target) deliver.Target { return &noRoomFor{t.(deliver.Finder), "uid-2"} }
	for range 9 {
		b.run()
	}
	if e := b.entries("uid-2")[0]; e.Attempts > 2 || !e.Next.IsZero() {
		t.Errorf("recorded: %+v", e)
	}
	b.target = nil
	b.clean()
}

// TestBreaksLessOften has a message at which the connection breaks, each time.
func TestBreaksLessOften(t *testing.T) {
	a := open(t, pop3test.Config{Reply: refuse("uid-1", "")}, mails(1, 100)...)
	for range mayBeChance + 5 {
		a.run()
		a.srv.Wait()
	}
	if e := a.entries("uid-1")[0]; e.Attempts != mayBeChance+2 || e.Next.IsZero() {
		t.Errorf("recorded: %+v", e)
	}
	var left *LeftError
	if _, err := a.run(); !errors.As(err, &left) || left.Temporary {
		t.Error(err)
	}
}

// TestTriedAlthoughDue: where each run has something to delete, a message that has broken sessions, or for
// which there was no room, is tried all the same, in every other run that comes a day after the one before.
func TestTriedAlthoughDue(t *testing.T) {
	for _, why := range []error{errBroke, errNoRoom} {
		day := 24 * time.Hour
		a := open(t, pop3test.Config{Reply: refuse("again", "")}, mail("again", 100))
		a.opts.Keep, a.opts.DeleteAfter = true, 24*day
		a.record(state.Entry{UID: "again", Status: state.Failed, Time: time.Now(), Attempts: 2, Reason: why.Error()})
		tried := func() (runs string) {
			for i, pass := range []time.Duration{time.Hour, time.Hour, day, day, day, day, time.Hour, time.Hour, day, time.Hour} {
				e := a.entries("again")[0]
				for _, at := range []*time.Time{&e.Time, &e.Reported, &e.Next} {
					if !at.IsZero() {
						*at = at.Add(-pass)
					}
				}
				old := mail(fmt.Sprint("old-", i), 200)
				a.srv.Add(old)
				a.record(e, delivered(old, time.Now().Add(-25*day)))
				_, err := a.run()
				a.srv.Wait()
				if errors.Is(err, io.ErrUnexpectedEOF) {
					runs += "x"
				} else {
					a.wantLeft("again")
					runs += "-"
				}
			}
			return runs
		}
		if got, want := tried(), "---x-x---x"; got != want {
			t.Errorf("%v: tried %s, want %s", why, got, want)
		}
	}
}
