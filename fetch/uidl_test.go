package fetch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// TestNoUIDL has servers without unique-ids.
func TestNoUIDL(t *testing.T) {
	for _, cfg := range []pop3test.Config{
		{NoUIDL: true},
		{NoUIDL: true, NoLIST: true},
		{NoUIDL: true, NoCAPA: true},
		{NoUIDL: true, NoLIST: true, NoTOP: true, NoCAPA: true},
	} {
		msgs := mails(5, 100)
		a := open(t, cfg, msgs...)
		a.caps = nil
		a.opts.NoCapa = cfg.NoCAPA
		a.clean()
		a.want(msgs...)
		a.wantEmpty()
		if got := a.events[1]; !got.Warning || !strings.Contains(got.Reason, "UIDL") {
			t.Errorf("no warning: %+v", a.events)
		}

		a = open(t, cfg, msgs...)
		a.caps = nil
		a.opts.Keep = true
		if _, err := a.run(); !errors.Is(err, ErrKeepNeedsUIDL) {
			t.Errorf("keep: %v", err)
		}
		a.srv.Wait()
		if len(a.srv.UIDs()) != 5 || slices.Contains(a.commands(1), "RETR 1") {
			t.Errorf("keep: something was done: %q", a.commands(1))
		}
	}
}

// TestUIDLRefused: a server that has unique-ids must give them, or nothing is touched.
func TestUIDLRefused(t *testing.T) {
	msgs := mails(2, 100)
	for _, announced := range []bool{true, false} {
		a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "UIDL", Session: 1}}}, msgs...)
		if !announced {
			a = open(t, pop3test.Config{Caps: []string{"TOP"}, Faults: []pop3test.Fault{{On: "UIDL", Session: 1}}}, msgs...)
			a.caps = nil
			a.record(delivered(mail("old", 50), time.Now())) // an id was seen once
		}
		_, err := a.run()
		if !errors.Is(err, ErrUIDLRefused) {
			t.Errorf("announced %v: %v", announced, err)
		}
		a.srv.Wait()
		if len(a.srv.UIDs()) != 2 || slices.Contains(a.commands(1), "RETR 1") || slices.Contains(a.commands(1), "DELE 1") {
			t.Errorf("something was done: %q", a.commands(1))
		}
	}
}

// TestNoUIDOfOne has a message that the listing gives no unique-id.
func TestNoUIDOfOne(t *testing.T) {
	msgs := mails(3, 100)
	msgs[1].NoUID = true
	a := open(t, pop3test.Config{}, msgs...)
	a.clean()
	a.want(msgs...)
	a.wantEmpty()

	a = open(t, pop3test.Config{}, msgs...)
	a.opts.Keep = true
	sum, err := a.run()
	var left *LeftError
	if !errors.As(err, &left) || sum.Left != 1 || sum.Delivered != 2 {
		t.Errorf("%v, %+v", err, sum)
	}
	a.want(msgs[0], msgs[2])
	a.wantLeft("uid-1", "uid-2", "uid-3")
}

// A message without a unique-id that may not be deleted would be retrieved by each run.
func TestNoUIDAndHeld(t *testing.T) {
	msgs := mails(3, 200)
	a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
		if command == "UIDL" {
			return strings.Replace(s.Do(command), " uid-2\r\n", "\r\n", 1), true
		}
		return "", false
	}}, msgs...)
	a.opts.Others.Hold = func(e state.Entry) bool { return false } // the other destination has all that has an id
	for range 3 {
		a.run()
		a.srv.Wait()
	}
	a.want(msgs[0], msgs[2])
	a.wantLeft("uid-2")
}

// A text that came short stays on the server. Without a unique-id nothing would tell the next run that
// it was delivered.
func TestNoUIDAndShort(t *testing.T) {
	for _, reply := range []string{"+OK\r\n.\r\n", "+OK\r\nSubject: half\r\n\r\n.\r\n"} {
		msgs := mails(20, 200)
		a := open(t, pop3test.Config{NoUIDL: true, Faults: []pop3test.Fault{{On: "RETR 20", Do: pop3test.Answer, Text: reply}}}, msgs...)
		a.caps = nil
		for i := range 2 {
			sum, err := a.run()
			var left *LeftError
			if !errors.As(err, &left) || left.Messages != 1 || sum.Delivered != 19*(1-i) {
				t.Errorf("%+v, %v", sum, err)
			}
			a.srv.Wait()
			a.srv.Mend()
			a.srv.Inject(pop3test.Fault{On: "RETR 1", Do: pop3test.Answer, Text: "+OK\r\n.\r\n"})
		}
		a.want(msgs[:19]...)
		a.wantLeft("uid-20")
		a.srv.Mend()
		a.clean()
		a.want(msgs...)
	}
}

// What an interrupted run has delivered without a unique-id comes again, and keeps nothing else from coming.
func TestNoUIDLInterrupted(t *testing.T) {
	for _, none := range []bool{true, false} {
		msgs := mails(3, 200)
		cfg := pop3test.Config{NoUIDL: none}
		if !none {
			msgs[1].NoUID = true
		}
		a := open(t, cfg, msgs...)
		if none {
			a.caps = nil
		}
		a.target = func(t deliver.Target) deliver.Target { return unanswered{t.(deliver.Finder)} }
		if _, err := a.run(); err == nil {
			t.Error("not interrupted")
		}
		a.srv.Wait()
		a.target = nil
		a.clean()
		a.wantEmpty()
		want := append(msgs, msgs[1])
		if none {
			want = append(msgs, msgs...)
		}
		a.want(want...)
		later := mail("later", 100)
		later.NoUID = true
		a.srv.Add(later)
		a.clean()
		a.wantEmpty()
		a.want(append(want, later)...)
	}
}

// An unanswered target delivers, and then fails.
type unanswered struct{ deliver.Finder }

func (u unanswered) Commit(ctx context.Context) ([]deliver.Receipt, error) {
	if _, err := u.Finder.Commit(ctx); err != nil {
		return nil, err
	}
	return nil, errors.New("lost")
}
