package fetch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// TestKilled kills a run at every step (see the package comment), and the run behind it again at
// every one of its steps. The third must end with each message once.
func TestKilled(t *testing.T) {
	t.Parallel()
	t.Run("maildir", func(t *testing.T) { testKilled(t, false, deliver.NoUIDL) })
	t.Run("mbox", func(t *testing.T) { testKilled(t, true, deliver.NoUIDL) })
	t.Run("dovecot-uidlist", func(t *testing.T) { testKilled(t, false, deliver.DovecotUIDL) })
	t.Run("mbox, X-UIDL", func(t *testing.T) { testKilled(t, true, deliver.HeaderUIDL) })
	t.Run("X-UIDL", func(t *testing.T) { testKilled(t, false, deliver.HeaderUIDL) })
}

func testKilled(t *testing.T, mbox bool, uidl deliver.KeepUIDL) {
	msgs := mails(5, 300)
	if uidl == deliver.HeaderUIDL {
		for i := range msgs {
			msgs[i].Text = strings.Replace(msgs[i].Text, "\r\n", "\r\nX-UIDL: another\r\n", 1)
		}
	}
	msgs[3].UID = msgs[1].UID // and not the same text
	if uidl == deliver.DovecotUIDL {
		msgs[3].Text = strings.ReplaceAll(msgs[3].Text, "uid-4", "uid-2") // see wantListed
	}
	twin := msgs[4]
	msgs = append(msgs, twin)
	known := msgs[:2] // recorded before, as "delivered"; the server has them still
	photograph := func(dir string, listed []pop3test.Message) []*moment {
		var cam *camera
		var quits atomic.Int32
		var film film
		a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
			switch command {
			case "TOP 1 0", "DELE 1", "QUIT":
				cam.look("in front of " + command)
			}
			if command == "QUIT" {
				quits.Add(1)
				return "", true // lost
			}
			return "", false
		}}, listed...)
		a.dir, a.mbox, a.uidl = dir, mbox, uidl
		a.target = func(t deliver.Target) deliver.Target {
			cam = &camera{Target: t, a: a, film: &film}
			return &finderCamera{*cam, t.(deliver.Finder)}
		}
		a.run()
		if quits.Load() == 0 {
			t.Fatalf("the run came to no end:\n%s", a.transcript())
		}
		a.srv.Wait()
		return film.moments
	}
	start := memory(t)
	first := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "QUIT", Do: pop3test.Cut, Skip: true}}}, known...)
	first.dir, first.mbox, first.uidl = start, mbox, uidl
	first.run()
	work := copied(t, start)
	finish := func(when string, m *moment) {
		a := open(t, pop3test.Config{}, msgs...)
		a.dir, a.mbox, a.uidl = restore(t, work, m.dir), mbox, uidl
		a.clean()
		a.want(msgs...)
		a.wantEmpty()
		if uidl == deliver.DovecotUIDL {
			a.wantListed()
		}
		if t.Failed() {
			t.Fatalf("killed %s %s", when, m.when)
		}
	}
	once := photograph(work, msgs)
	kinds := map[string]int{}
	for i := range once {
		kinds[once[i].when]++
		for _, m := range variants(t, once[i]) {
			twice := photograph(restore(t, work, m.dir), msgs)
			for j := range twice {
				for _, m2 := range variants(t, twice[j]) {
					kinds[m2.when]++
					finish(m.when+", then", m2)
				}
			}
			finish("", m)
		}
	}
	for _, when := range []string{"in the midst of Deliver", "in front of Commit", "behind Commit, in front of Record", "behind Find, in front of Record", "in front of QUIT"} {
		if kinds[when] == 0 {
			t.Errorf("never killed %s: %v", when, kinds)
		}
	}
}

// variants are a moment and what else the disk may hold at it: a part of what a Commit moves, and a
// state whose last writes were not synced.
func variants(t testing.TB, m *moment) []*moment {
	all := []*moment{m}
	if len(m.staged) > 0 {
		part := copied(t, m.dir)
		for _, f := range m.staged[len(m.staged)/2:] {
			name := filepath.Base(f)
			moved, _ := filepath.Glob(filepath.Join(part, "Maildir", "new", name+"*"))
			if len(moved) != 1 {
				t.Fatalf("%s was moved to %q", name, moved)
			}
			if err := os.Rename(moved[0], filepath.Join(part, "Maildir", "tmp", name)); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, &moment{when: "within Commit", dir: part})
		if list := read(t, filepath.Join(m.dir, "Maildir", "dovecot-uidlist")); list != "" {
			// Dovecot has overridden the lock and dropped what it did not see; then the files came.
			part := copied(t, m.dir)
			lines := strings.SplitAfter(list, "\n")
			list = strings.Join(lines[:max(1, len(lines)-1-len(m.staged))], "")
			if err := os.WriteFile(filepath.Join(part, "Maildir", "dovecot-uidlist"), []byte(list), 0o600); err != nil {
				t.Fatal(err)
			}
			all = append(all, &moment{when: "within Commit, the lock lost", dir: part})
		}
	}
	if after := read(t, filepath.Join(m.dir, "mbox")); m.staged == nil && strings.HasPrefix(m.when, "behind Commit") {
		for i := range 6 { // the append is torn, or holds zeros
			part := copied(t, m.dir)
			torn := after[:len(m.before)+(len(after)-len(m.before))*i/6]
			if i == 5 {
				torn += strings.Repeat("\x00", len(after)-len(torn))
			}
			if err := os.WriteFile(filepath.Join(part, "mbox"), []byte(torn), 0o600); err != nil {
				t.Fatal(err)
			}
			all = append(all, &moment{when: "within Commit", dir: part})
		}
	}
	records := read(t, filepath.Join(m.dir, "work.uidl"))
	if end := strings.LastIndex(records, "\nended="); end > strings.LastIndex(records, "\nbegin=") {
		lost := copied(t, m.dir)
		records = records[:end+1]
		if err := os.WriteFile(filepath.Join(lost, "work.uidl"), []byte(records), 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, &moment{when: m.when + ", End not synced", dir: lost})
	}
	return all
}

// TestKilledThenEmpty has a listing of nothing between a killed run and the next: only a listing
// tells whose the delivered messages are.
func TestKilledThenEmpty(t *testing.T) {
	msgs := mails(3, 200)
	a := killedBehindCommit(t, pop3test.Config{}, msgs...)
	for _, listed := range [][]pop3test.Message{nil, msgs} {
		next := open(t, pop3test.Config{}, listed...)
		next.dir = a.dir
		recorded := 0 // what is found is recorded, too
		next.opts.Record = func() error { recorded++; return nil }
		next.clean()
		if want := min(len(listed), 1); recorded != want {
			t.Errorf("told %d times that deliveries are recorded, want %d", recorded, want)
		}
		next.want(msgs...)
		next.wantEmpty()
	}
}

// TestKilledThenPart has a listing of some of the messages between a killed run and the next.
func TestKilledThenPart(t *testing.T) {
	msgs := mails(3, 200)
	for _, keep := range []bool{false, true} {
		a := killedBehindCommit(t, pop3test.Config{}, msgs...)
		a.record(state.Entry{UID: "uid-3", Status: state.Failed, Time: time.Now(), Attempts: 1, Reason: "before"})
		for _, listed := range [][]pop3test.Message{msgs[:1], msgs[:2], msgs} {
			next := open(t, pop3test.Config{}, listed...)
			next.dir = a.dir
			next.opts.Keep = keep
			next.clean()
			next.want(msgs...)
			if keep {
				next.wantIdle()
			} else {
				next.wantEmpty()
			}
		}
		if es := a.entries("uid-3"); len(es) != 1 {
			t.Errorf("keep %v: %+v", keep, es)
		}
	}
}

// TestKilledCopiesThenPart has messages with one unique-id, and a listing of one of them behind the kill.
func TestKilledCopiesThenPart(t *testing.T) {
	msgs := mails(4, 200)
	for i := range msgs {
		msgs[i].UID = "a"
	}
	for i := range msgs {
		a := killedBehindCommit(t, pop3test.Config{}, msgs...)
		for _, listed := range [][]pop3test.Message{msgs[i : i+1], msgs} {
			next := open(t, pop3test.Config{}, listed...)
			next.dir = a.dir
			next.clean()
			next.want(msgs...)
			next.wantEmpty()
		}
	}
}

// TestKilledReusedThenPart has a new message under a unique-id that is known for another one, and a listing
// without it behind the kill.
func TestKilledReusedThenPart(t *testing.T) {
	was, other, x := mail("uid-1", 300), mail("other", 400), mail("x", 100)
	other.UID = was.UID
	for _, known := range []state.Entry{delivered(was, time.Now()), tombstone(was, time.Now()), {UID: was.UID, Status: state.Deleted, Time: time.Now()}} {
		a := killedBehindCommitOf(t, open(t, pop3test.Config{}, other), known)
		for _, listed := range [][]pop3test.Message{{x}, {x, other}} {
			next := open(t, pop3test.Config{}, listed...)
			next.dir = a.dir
			next.clean()
			next.want(x, other)
			next.wantEmpty()
		}
	}
}

// TestKilledWithHalf has a message of which only a part came, and a run that is killed before it
// records that: the next must not delete it.
func TestKilledWithHalf(t *testing.T) {
	msgs := mails(3, 200)
	for _, reply := range []string{"+OK\r\n.\r\n", "+OK\r\nSubject: half\r\n\r\n.\r\n"} {
		a := killedBehindCommit(t, pop3test.Config{Faults: []pop3test.Fault{{On: "RETR 2", Do: pop3test.Answer, Text: reply}}}, msgs...)
		next := open(t, pop3test.Config{}, msgs...)
		next.dir = a.dir
		_, err := next.run()
		var left *LeftError
		if !errors.As(err, &left) || left.Messages != 1 {
			t.Error(err)
		}
		next.srv.Wait()
		next.wantLeft("uid-2")
	}
}

// TestKilledWithHalfThenPart has a listing without the message in between, and a half that has its header.
func TestKilledWithHalfThenPart(t *testing.T) {
	msgs := mails(3, 4000)
	head, _, _ := strings.Cut(string(msgs[1].Text), "\r\n\r\n")
	a := killedBehindCommit(t, pop3test.Config{Faults: []pop3test.Fault{{On: "RETR 2", Do: pop3test.Answer, Text: "+OK\r\n" + head + "\r\n\r\n.\r\n"}}}, msgs...)
	for _, listed := range [][]pop3test.Message{msgs[:1], msgs} {
		next := open(t, pop3test.Config{}, listed...)
		next.dir = a.dir
		_, err := next.run()
		next.srv.Wait()
		if len(listed) > 1 {
			var left *LeftError
			if !errors.As(err, &left) || left.Messages != 1 {
				t.Error(err)
			}
			next.wantLeft("uid-2")
		}
	}
}

// killedBehindCommit leaves the disk of a run that was killed when all was delivered and nothing
// recorded.
func killedBehindCommit(t *testing.T, cfg pop3test.Config, msgs ...pop3test.Message) *account {
	return killedBehindCommitOf(t, open(t, cfg, msgs...))
}

// killedBehindCommitOf is that of an account whose state knows something.
func killedBehindCommitOf(t *testing.T, a *account, known ...state.Entry) *account {
	a.record(known...)
	var film film
	a.target = func(t deliver.Target) deliver.Target {
		return &finderCamera{camera{Target: t, a: a, film: &film}, t.(deliver.Finder)}
	}
	a.run()
	for _, m := range film.moments {
		if strings.HasPrefix(m.when, "behind Commit") {
			a.dir = m.dir
			return a
		}
	}
	t.Fatal("nothing was committed")
	return nil
}
