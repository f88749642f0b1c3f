package fetch

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
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
