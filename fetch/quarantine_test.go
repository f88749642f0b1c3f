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
