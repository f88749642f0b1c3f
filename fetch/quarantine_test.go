package fetch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// refusing is a post that refuses some messages.
func refusing(temporary bool, uids ...string) *post {
	return &post{fail: func(uid string) error {
		if !slices.Contains(uids, uid) {
			return nil
		}
		return &deliver.Error{Target: "post", Err: errors.New("no"), Message: true, Temporary: temporary}
	}}
}

func (a *account) quarantineDir() string { return filepath.Join(a.dir, "quarantine") }

// quarantine lets runs have a quarantine after so many attempts.
func (a *account) quarantine(after int) {
	a.opts.Quarantine.Path, a.opts.Quarantine.After = "QUARANTINE", after // in the state, too: the directory moves
	a.opts.Quarantine.Open = func(path string, create bool) (deliver.Finder, error) {
		if path != "QUARANTINE" {
			return nil, fmt.Errorf("%q was never in use", path)
		}
		return deliver.NewMaildir(a.quarantineDir(), deliver.MaildirOptions{Create: create})
	}
}

// quarantined returns what the quarantine holds, without trace fields.
func (a *account) quarantined() (texts []string) {
	a.t.Helper()
	files, _ := filepath.Glob(filepath.Join(a.quarantineDir(), "*", "*"))
	for _, f := range files {
		if strings.Contains(f, "/tmp/") {
			a.t.Errorf("left over: %s", f)
		}
		texts = append(texts, untraced(a.t, []byte(read(a.t, f))))
	}
	slices.Sort(texts)
	return texts
}

func (a *account) wantQuarantined(msgs ...pop3test.Message) {
	a.t.Helper()
	var want []string
	for _, m := range msgs {
		want = append(want, stored(m))
	}
	slices.Sort(want)
	if got := a.quarantined(); !slices.Equal(got, want) {
		a.t.Errorf("%d messages are in the quarantine, want %d: %.60q", len(got), len(want), got)
	}
}

// TestQuarantine has a message that its destination never takes, from the first attempt to the
// quarantine.
func TestQuarantine(t *testing.T) {
	for _, keep := range []bool{false, true} {
		msgs := mails(3, 200)
		a := open(t, pop3test.Config{}, msgs...)
		a.opts.Keep = keep
		a.quarantine(3)
		p := refusing(false, "uid-2")
		a.mailTo(p)
		var left *LeftError
		for n := range 3 {
			if _, err := a.run(); !errors.As(err, &left) || left.Messages != 1 || left.Quarantined != 0 {
				t.Fatalf("attempt %d: %v", n+1, err)
			}
			a.wantQuarantined()
			a.passed("uid-2", pause(n+1))
		}
		sum, err := a.run()
		if !errors.As(err, &left) || left.Messages != 0 || left.Quarantined != 1 || left.Temporary || sum.Quarantined != 1 || sum.Left != 0 || sum.Delivered != 0 {
			t.Fatalf("%v, %+v", err, sum)
		}
		told := slices.IndexFunc(a.events, func(e Event) bool { return e.Type == Failed })
		if e := a.events[told]; e.UID != "uid-2" || !strings.HasPrefix(e.Reason, "quarantined in "+a.quarantineDir()+"/new/") ||
			!strings.HasSuffix(e.Reason, ": post: no") || e.Attempts != 3 || e.Repeated {
			t.Errorf("told %+v", e)
		}
		a.srv.Wait()
		a.wantQuarantined(msgs[1])
		e := a.entries("uid-2")[0]
		if e.Quarantine != "QUARANTINE" || e.Body != bodyOf(msgs[1]) || e.Reason != "" || e.Refused != 0 || !e.Next.IsZero() {
			t.Errorf("recorded %+v", e)
		}
		if keep {
			a.wantLeft("uid-1", "uid-2", "uid-3")
		} else {
			a.wantEmpty()
		}
		for range 2 { // from then on all is well, and nothing more to be done
			a.clean()
			a.wantQuarantined(msgs[1])
			if v, _ := a.note(noteQuarantine); v != "" {
				t.Error("the note is left over")
			}
		}
		if got := p.taken(msgs); !slices.Equal(got, []int{1, 0, 1}) {
			t.Errorf("the destination has %v", got)
		}
	}
}

func (a *account) note(name string) (string, bool) {
	st, err := state.Read(a.statePath())
	if err != nil {
		a.t.Fatal(err)
	}
	_, interrupted := st.Interrupted()
	v, _ := st.Note(name)
	return v, interrupted
}

// TestNotQuarantined has what must not go there.
func TestNotQuarantined(t *testing.T) {
	run := func(name string, runs int, p *post, cfg pop3test.Config, with func(*account)) *account {
		a := open(t, cfg, mails(2, 200)...)
		a.quarantine(2)
		a.mailTo(p)
		if with != nil {
			with(a)
		}
		for n := range runs {
			a.run()
			a.srv.Wait()
			if len(a.entries("uid-2")) > 0 {
				a.passed("uid-2", pause(n+1))
			}
			if n%2 == 1 {
				a.srv.Add(mail(fmt.Sprint("new-", n), 100))
			}
		}
		if _, err := os.Stat(a.quarantineDir()); err == nil {
			t.Errorf("%s: there is a quarantine", name)
		}
		return a
	}
	run("cannot be retrieved", 6, &post{}, pop3test.Config{Reply: refuse("uid-2", "-ERR no")}, nil)
	run("too large", 6, &post{}, pop3test.Config{}, func(a *account) { a.opts.MaxSize = 100 })
	run("to be tried", 6, refusing(false, "uid-2"), pop3test.Config{}, func(a *account) { a.opts.Retry = true })
	run("without a quarantine", 6, refusing(false, "uid-2"), pop3test.Config{}, func(a *account) { a.opts.Quarantine.Path = "" })
	sick := &post{fail: func(string) error { return &deliver.Error{Target: "post", Err: errors.New("sick")} }}
	run("sick as a whole", 6, sick, pop3test.Config{}, nil)
	away := &post{fail: func(string) error {
		return &deliver.Error{Target: "post", Err: errors.New("away"), Message: true, Temporary: true}
	}}
	if e := run("away, and says so of each message", 6, away, pop3test.Config{}, nil).entries("uid-2")[0]; e.Refused != 0 || e.Attempts != 6 {
		t.Errorf("recorded %+v", e)
	}

	// But one that is put off although others are taken is the message's fault.
	a := open(t, pop3test.Config{}, mails(2, 200)...)
	a.quarantine(2)
	a.mailTo(refusing(true, "uid-2"))
	for n := range 3 {
		a.run()
		a.srv.Wait()
		a.passed("uid-2", pause(n+1))
		a.srv.Add(mail(fmt.Sprint("new-", n), 100))
	}
	a.wantQuarantined(mails(2, 200)[1])
}

// TestQuarantineIsSick: what cannot be quarantined keeps nothing from coming and being deleted.
func TestQuarantineIsSick(t *testing.T) {
	msgs := mails(3, 200)
	a := open(t, pop3test.Config{}, msgs...)
	a.quarantine(1)
	p := refusing(false, "uid-2")
	a.mailTo(p)
	if err := os.WriteFile(a.quarantineDir(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range 6 {
		a.run()
		a.srv.Wait()
		if n == 2 {
			a.srv.Add(mail("new", 100))
		}
	}
	a.wantLeft("uid-2")
	if e := a.entries("uid-2")[0]; e.Attempts != 1 {
		t.Errorf("recorded %+v", e)
	}
	if err := os.Remove(a.quarantineDir()); err != nil {
		t.Fatal(err)
	}
	a.run()
	a.srv.Wait()
	a.wantEmpty()
	a.wantQuarantined(msgs[1])
}

// photo is a run with a quarantine whose every step is photographed, at the destination and at the
// quarantine. The destination is a command, or else a maildir of which the state says the same.
func photo(t *testing.T, dir string, command bool, msgs []pop3test.Message) []*moment {
	var film film
	var cam *camera
	a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
		if strings.HasPrefix(command, "RETR") || strings.HasPrefix(command, "DELE") || command == "QUIT" {
			cam.look("in front of " + command[:4])
		}
		return "", command == "QUIT" // lost
	}}, msgs...)
	a.dir = dir
	a.quarantine(1)
	openMaildir := a.opts.Quarantine.Open
	a.opts.Quarantine.Open = func(path string, create bool) (deliver.Finder, error) {
		q, err := openMaildir(path, create)
		if err != nil {
			return nil, err
		}
		return &finderCamera{camera{Target: q, a: a, film: &film, name: "quarantine: "}, q}, nil
	}
	a.target = func(t deliver.Target) deliver.Target {
		if command {
			p := refusing(false, "uid-2", "uid-4")
			a.mailTo(p)
			a.target = nil
			t = p
			cam = &camera{Target: t, a: a, film: &film}
			return cam
		}
		cam = &camera{Target: t, a: a, film: &film}
		return &finderCamera{*cam, t.(deliver.Finder)}
	}
	a.run()
	a.srv.Wait()
	return film.moments
}

// TestKilledInQuarantine kills a run at every step of the way into the quarantine, and the run behind
// it again. In the end each message must be there once, or at the destination.
func TestKilledInQuarantine(t *testing.T) {
	t.Parallel()
	for _, command := range []bool{true, false} {
		msgs := mails(5, 300)
		start := open(t, pop3test.Config{})
		start.record(
			state.Entry{UID: "uid-2", Status: state.Failed, Attempts: 1, Refused: 1, Reason: "no", Reported: timeOf(1), Time: timeOf(1)},
			state.Entry{UID: "uid-4", Status: state.Failed, Attempts: 1, Refused: 1, Reason: "no", Reported: timeOf(1), Time: timeOf(1)})
		kinds := map[string]int{}
		finish := func(when, dir string, withoutKey bool) {
			a := open(t, pop3test.Config{}, msgs...)
			a.dir = copied(t, dir)
			a.quarantine(1)
			if withoutKey {
				a.opts.Quarantine.Path = "" // taken out of the configuration in between
			}
			p := &post{}
			if command {
				a.mailTo(p)
			}
			for n := range 3 { // what an earlier run has recorded is deleted first, in a session of its own
				var left *LeftError
				if _, err := a.run(); err != nil && (!errors.As(err, &left) || n == 2) {
					t.Fatalf("killed %s: %v\n%s", when, err, a.transcript())
				}
				a.srv.Wait()
			}
			a.wantEmpty()
			count := map[string]int{}
			aside := a.quarantined()
			for _, text := range aside {
				count[text]++
			}
			if command {
				for i, n := range p.taken(msgs) {
					count[stored(msgs[i])] += n
				}
			} else {
				for _, text := range a.stored() {
					count[text]++
				}
			}
			for i, m := range msgs {
				// A command is given what it had when the run was killed once more, each time.
				if n := count[stored(m)]; n < 1 || n > 1 && !(command && i%2 == 0 && n <= 3) {
					t.Errorf("%s: %d copies", m.UID, n)
				}
				if !withoutKey && slices.Contains(aside, stored(m)) != (i%2 == 1) {
					t.Errorf("%s is in the wrong place", m.UID)
				}
			}
			if t.Failed() {
				t.Fatalf("killed %s (command: %v)", when, command)
			}
		}
		first := photo(t, copied(t, start.dir), command, msgs)
		for i, m := range first {
			kinds[m.when]++
			finish(m.when, m.dir, i%2 == 0)
			for _, m2 := range photo(t, copied(t, m.dir), command, msgs) {
				kinds[m2.when]++
				finish(m.when+", then "+m2.when, m2.dir, false)
			}
		}
		for _, when := range []string{"in the midst of Deliver", "in front of Commit", "behind Commit, in front of Record", "behind Find, in front of Record"} {
			if kinds["quarantine: "+when] == 0 {
				t.Errorf("never killed %s: %v", when, kinds)
			}
		}
	}
}

// The note of the quarantine is on disk before the first message is there: behind it, in a write that
// waits for the disk, the Begin stands once more.
func TestQuarantineNoteSynced(t *testing.T) {
	a := open(t, pop3test.Config{}, mails(3, 200)...)
	a.quarantine(1)
	a.mailTo(refusing(false, "uid-2"))
	a.run()
	a.srv.Add(pop3test.Message{UID: "more", Text: "Subject: more\r\n\r\nmore\r\n"}) // the Begin is its
	a.run()
	a.wantQuarantined(mails(3, 200)[1])
	_, behind, _ := strings.Cut(read(t, a.statePath()), "note="+noteQuarantine+" ")
	before, _, there := strings.Cut(behind, " quarantine=QUARANTINE")
	if n := strings.Count(before, "\nbegin="); !there || n != 2 {
		t.Errorf("%d marks between the note and the first message:\n%s", n, behind)
	}
}
