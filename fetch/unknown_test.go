package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// A message whose line is missing in UIDL may be one that the state knows and does not see listed:
// it is neither retrieved nor deleted.
func TestUnlistedIsNotTouched(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		msgs := mails(3, 200)
		a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
			if command == "UIDL" {
				return strings.Replace(s.Do(command), "1 uid-1\r\n", "", 1), true
			}
			return "", false
		}}, msgs...)
		a.opts.Pipelining = ahead
		a.record(state.Entry{UID: "uid-1", Status: state.Seen, Time: time.Now()})
		sum, err := a.run()
		var left *LeftError
		if !errors.As(err, &left) || sum.Delivered != 2 || sum.Left != 1 {
			t.Errorf("%+v, %v", sum, err)
		}
		a.wantLeft("uid-1")
	}
}

// A tombstone without a hash cannot tell that a listed message is the one it stands for.
func TestTombWithoutHash(t *testing.T) {
	m := mail("uid-1", 200)
	a := open(t, pop3test.Config{}, m)
	a.record(state.Entry{UID: "uid-1", Status: state.Deleted, Time: time.Now()})
	a.clean()
	a.want(m)
	a.wantEmpty()
}

// A server without CAPA that has listed unique-ids once has them, also when its maildrop was
// emptied since and the state knows none.
func TestUIDLRefusedLater(t *testing.T) {
	msgs := mails(2, 200)
	a := open(t, pop3test.Config{NoCAPA: true, Faults: []pop3test.Fault{{On: "UIDL", Session: 3}}}, msgs...)
	a.caps, a.opts.NoCapa = nil, true
	a.clean()
	a.clean() // drops the tombstones
	a.srv.Add(mail("late", 300))
	if sum, err := a.run(); !errors.Is(err, ErrUIDLRefused) || sum.Delivered != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	a.wantLeft("late")
}

func TestAllListingsRefused(t *testing.T) {
	a := open(t, pop3test.Config{NoCAPA: true, Faults: []pop3test.Fault{{On: "UIDL"}, {On: "STAT"}, {On: "LIST"}}}, mails(3, 200)...)
	a.caps, a.opts.NoCapa = nil, true
	if sum, err := a.run(); !errors.Is(err, ErrUIDLRefused) {
		t.Errorf("%+v, %v", sum, err)
	}
}

// The doubt about a message outlives a run in which the command does not take it.
func TestDoubtOutlivesFailure(t *testing.T) {
	a := open(t, pop3test.Config{}, mails(2, 200)...)
	script, mode := a.dir+"/mda", a.dir+"/one"
	text := "#!/bin/sh\necho \"$MAILHAUL_UID doubt=$MAILHAUL_IN_DOUBT\" >>" + a.dir + "/log\n[ $MAILHAUL_UID != uid-1 ] || . " + mode + "\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	a.target = func(deliver.Target) deliver.Target {
		c, err := deliver.NewCommand([]string{script}, deliver.CommandOptions{SpoolDir: a.dir, Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, how := range []string{"exec sleep 60", "exit 75", "exit 0"} {
		if err := os.WriteFile(mode, []byte(how+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		a.runContext(context.Background())
		a.opts.Retry = how == "exit 75" // twice failed, it would wait
	}
	want := "uid-1 doubt=\nuid-2 doubt=\nuid-1 doubt=1\nuid-1 doubt=1\n"
	if got := read(t, a.dir+"/log"); got != want {
		t.Errorf("the command was told\n%swant\n%s", got, want)
	}
	a.wantEmpty()
}

// A message for which there is no room keeps neither the others from coming nor what is recorded
// from being deleted.
func TestNoRoomForOne(t *testing.T) {
	msgs := mails(4, 200)
	a := open(t, pop3test.Config{}, msgs...)
	a.target = func(t deliver.Target) deliver.Target { return &noRoomFor{t.(deliver.Finder), "uid-2"} }
	for range 5 {
		a.run()
	}
	a.wantLeft("uid-2")
	a.target = nil
	a.clean()
	a.want(msgs...)
	a.wantEmpty()
}

// A noRoomFor is a target on a disk that one message does not fit on.
type noRoomFor struct {
	deliver.Finder
	uid string
}

func (n *noRoomFor) Deliver(ctx context.Context, m *deliver.Message) error {
	if m.UID == n.uid {
		return &deliver.Error{Target: "maildir", Err: syscall.ENOSPC}
	}
	return n.Finder.Deliver(ctx, m)
}

// Ten messages whose deletion was never confirmed are gone, and each new one is deleted in its turn: no
// listing will ever have a known one. The state does not remember, nor warn, for ever.
func TestNeverShared(t *testing.T) {
	a := open(t, pop3test.Config{})
	for _, m := range mails(12, 100) {
		a.record(delivered(m, time.Now().Add(-time.Hour)))
	}
	later := func(d time.Duration) { // what the state tells was so much earlier
		st, err := state.Open(a.statePath(), identity)
		if err != nil {
			t.Fatal(err)
		}
		for e := range st.All() {
			e.Time = e.Time.Add(-d)
			if !e.Absent.IsZero() {
				e.Absent = e.Absent.Add(-d)
			}
			defer a.record(e)
		}
		for _, name := range []string{noteStrange, noteWarned} {
			if v, at := st.Note(name); v != "" {
				if err := st.SetNote(name, v, at.Add(-d)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	warnings := 0
	run := func(i int) {
		a.srv.Add(mail(fmt.Sprint("new-", i), 100))
		for range 2 { // the second listing is empty
			a.clean()
			for _, e := range a.events {
				if e.Warning && !e.Repeated && strings.Contains(e.Reason, "none of the 12") {
					warnings++
				}
			}
		}
	}
	run(1)
	run(2)
	if warnings != 1 {
		t.Errorf("warned %d times", warnings)
	}
	later(25 * time.Hour)
	run(3)
	if es := a.entries("uid-1"); len(es) != 1 || es[0].Absent.IsZero() {
		t.Errorf("a day later: %+v", es)
	}
	later(31 * 24 * time.Hour)
	run(4)
	if warnings != 1 || len(a.entries("uid-1"))+len(a.entries("new-1"))+len(a.entries("new-4")) > 0 {
		t.Errorf("at last: warned %d times, %+v", warnings, a.entries("uid-1"))
	}
}

// The day passes, too, where no session's deletions are ever confirmed, so that each run knows one more.
func TestNeverSharedGrows(t *testing.T) {
	a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "QUIT", Do: pop3test.Cut}}})
	for _, m := range mails(12, 100) {
		a.record(delivered(m, time.Now().Add(-time.Hour)))
	}
	believed, warnings := false, 0
	for i := range 6 {
		st, err := state.Open(a.statePath(), identity)
		if err != nil {
			t.Fatal(err)
		}
		if v, at := st.Note(noteStrange); v != "" {
			st.SetNote(noteStrange, v, at.Add(-7*time.Hour))
		}
		st.Close()
		a.srv.Add(mail(fmt.Sprint("new-", i), 100))
		a.run()
		a.srv.Wait()
		for _, e := range a.events {
			if e.Warning && !e.Repeated && strings.Contains(e.Reason, "none of the") {
				warnings++
			}
		}
		es := a.entries("uid-1")
		believed = believed || len(es) > 0 && !es[0].Absent.IsZero()
	}
	if !believed || warnings != 1 {
		t.Errorf("believed after more than a day: %v; warned %d times", believed, warnings)
	}
}
