package fetch

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// TestDelete empties a maildrop, ahead of the replies and one at a time.
func TestDelete(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		msgs := mails(40, 100)
		a := open(t, pop3test.Config{}, msgs...)
		a.opts.Pipelining = ahead
		sum := a.clean()
		a.want(msgs...)
		a.wantRecorded(msgs...)
		a.wantEmpty()
		var octets int64
		for _, m := range msgs {
			octets += m.Octets()
		}
		if want := (Summary{Messages: 40, Delivered: 40, Octets: octets, Deleted: 40}); sum != want {
			t.Errorf("got %+v, want %+v", sum, want)
		}
		for _, m := range msgs {
			if es := a.entries(m.UID); len(es) != 1 || es[0].Status != state.Deleted {
				t.Errorf("no tombstone of %s: %+v", m.UID, es)
			}
		}
		a.clean() // drops the tombstones
		if es := a.entries("uid-1"); len(es) > 0 {
			t.Errorf("not forgotten: %+v", es)
		}
		a.wantIdle()
	}
}

// TestKeep leaves all on the server and knows it the next time.
func TestKeep(t *testing.T) {
	msgs := mails(5, 100)
	a := open(t, pop3test.Config{}, msgs...)
	a.opts.Keep = true
	a.clean()
	sum := a.wantIdle()
	a.want(msgs...)
	if want := (Summary{Messages: 5, Skipped: 5}); sum != want {
		t.Errorf("got %+v, want %+v", sum, want)
	}
	if got, want := a.commands(2), []string{"CAPA", "STAT", "UIDL", "LIST", "QUIT"}; !slices.Equal(got, want) {
		t.Errorf("an idle run said %q", got)
	}
	a.srv.Add(mail("new", 200))
	a.clean()
	a.want(append(msgs, mail("new", 200))...)
	a.opts.Keep = false // all that was kept is looked at and deleted
	a.clean()
	a.want(append(msgs, mail("new", 200))...)
	a.wantEmpty()
}

// wantIdle is a run that must not change an octet of the state or write to it at all.
func (a *account) wantIdle() Summary {
	a.t.Helper()
	long := time.Unix(1_000_000_000, 0)
	if err := os.Chtimes(a.statePath(), long, long); err != nil {
		a.t.Fatal(err)
	}
	before, err := os.ReadFile(a.statePath())
	if err != nil {
		a.t.Fatal(err)
	}
	sum := a.clean()
	after, _ := os.ReadFile(a.statePath())
	info, err := os.Stat(a.statePath())
	if err != nil {
		a.t.Fatal(err)
	}
	if string(after) != string(before) || !info.ModTime().Equal(long) {
		a.t.Errorf("an idle run wrote to the state:\n%s\nwas\n%s", after, before)
	}
	for _, c := range a.commands(a.srv.Sessions()) {
		if strings.HasPrefix(c, "TOP ") || strings.HasPrefix(c, "RETR ") || strings.HasPrefix(c, "DELE ") {
			a.t.Errorf("an idle run said %s", c)
		}
	}
	return sum
}
