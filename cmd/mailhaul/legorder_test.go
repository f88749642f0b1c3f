package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// legAccount is an account with several destinations, which change: NAME stands for the maildir NAME in
// the directory of the test.
type legAccount struct {
	t   *testing.T
	dir string
	srv *pop3test.Server
}

func newLegAccount(t *testing.T, msgs ...pop3test.Message) *legAccount {
	t.Helper()
	srv, err := pop3test.NewServer(pop3test.Config{}, msgs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return &legAccount{t, t.TempDir(), srv}
}

// config writes the configuration with these destinations.
func (l *legAccount) config(destinations string) string {
	l.t.Helper()
	var all []string
	keep := false
	for name := range strings.FieldsSeq(destinations) {
		if name == "keep" {
			keep = true
			continue
		}
		all = append(all, fmt.Sprintf("{ maildir = %q }", filepath.Join(l.dir, name, "mail")))
	}
	return write(l.t, l.dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.x]\nserver = %q\ntls = \"none\"\nuser = \"user\"\npassword = \"secret\"\nkeep = %v\ndeliver = [ %s ]\n",
		l.dir+"/state", l.srv.Addr, keep, strings.Join(all, ", ")), 0o600)
}

// run runs mailhaul with these destinations, and wants the exit status.
func (l *legAccount) run(status int, destinations string, args ...string) {
	l.t.Helper()
	config := l.config(destinations)
	if stdout, stderr, got := mailhaul(l.t, append([]string{"-c", config}, args...)...); got != status {
		l.t.Fatalf("%v with %s: status %d, want %d\n%s%s", args, destinations, got, status, stdout, stderr)
	}
}

// has wants so many copies of the messages of each unique-id in a destination.
func (l *legAccount) has(name string, copies int, uids ...string) {
	l.t.Helper()
	files := storedAt(l.t, "maildir", filepath.Join(l.dir, name, "mail"))
	for _, uid := range uids {
		if n := ending(files, "end of "+uid+"\r\n"); n != copies {
			l.t.Errorf("%s has %d copies of %s, want %d", name, n, uid, copies)
		}
	}
}

// block puts something in the way of a destination that was never made; it returns what takes it away.
func (l *legAccount) block(name string) (unblock func()) {
	l.t.Helper()
	path := write(l.t, l.dir, name, "no directory", 0o600)
	return func() {
		if err := os.Remove(path); err != nil {
			l.t.Fatal(err)
		}
	}
}

func legMessage(uid string) pop3test.Message {
	return pop3test.Message{UID: uid, Text: "Subject: " + uid + "\r\n\r\nend of " + uid + "\r\n"}
}

// The account's own destination has never worked: whatever its place, and with or without it, the other
// goes on with its own state.
func TestLegOwnNeverWorked(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"two", "two one", "one two"} {
		t.Run(next, func(t *testing.T) {
			l := newLegAccount(t, legMessage("a"), legMessage("b"))
			unblock := l.block("one")
			l.run(exCantCreat, "one two", "fetch")
			l.has("two", 1, "a", "b")
			unblock()
			l.srv.Add(legMessage("c"))
			l.run(exOK, next, "fetch")
			l.has("two", 1, "a", "b", "c")
			if strings.Contains(next, "one") {
				l.has("one", 1, "a", "b", "c")
			}
			if left := l.srv.UIDs(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// A destination that is added retrieves what is still on the server, wherever it stands, also where the
// account's own is gone.
func TestLegAddedInPlaceOfOwn(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"three two", "two three"} {
		t.Run(next, func(t *testing.T) {
			l := newLegAccount(t, legMessage("a"), legMessage("b"))
			l.run(exOK, "keep one two", "fetch")
			l.run(exOK, "keep two", "fetch")
			l.run(exOK, "keep "+next, "fetch")
			l.has("one", 1, "a", "b")
			l.has("two", 1, "a", "b")
			l.has("three", 1, "a", "b")
		})
	}
}

// What was marked as seen before anything was delivered is seen for all, in whatever order they stand later.
func TestLegSeenThenReordered(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"one", "one two"} {
		for _, next := range []string{"one two", "two one"} {
			t.Run(first+" then "+next, func(t *testing.T) {
				l := newLegAccount(t, legMessage("a"))
				l.run(exOK, first, "state", "baseline", "x")
				l.srv.Add(legMessage("b"))
				l.run(exOK, next, "fetch")
				l.has("one", 0, "a")
				l.has("one", 1, "b")
				if strings.Contains(first, "two") {
					l.has("two", 0, "a")
				}
				l.has("two", 1, "b")
				if left := l.srv.UIDs(); len(left) != 1 {
					t.Errorf("left: %v", left)
				}
			})
		}
	}
}

// A message without a unique-id, between others that have one, cannot be recorded for each destination.
func TestLegWithoutUID(t *testing.T) {
	t.Parallel()
	bare := legMessage("bare")
	bare.NoUID = true
	l := newLegAccount(t, legMessage("a"), bare)
	for range 3 {
		l.run(exDataErr, "one two", "fetch")
	}
	l.has("one", 1, "a")
	l.has("two", 1, "a")
	for _, name := range []string{"one", "two"} {
		if n := ending(storedAt(t, "maildir", filepath.Join(l.dir, name, "mail")), "end of bare\r\n"); n > 1 {
			t.Errorf("%s has it %d times", name, n)
		}
	}
}

// What a person deletes is gone for all: a message that gets the same unique-id is a new one, also where the
// account's own destination never had the old.
func TestLegDeletedByHand(t *testing.T) {
	t.Parallel()
	l := newLegAccount(t, legMessage("a"))
	unblock := l.block("one")
	l.run(exCantCreat, "one two", "fetch")
	l.run(exOK, "one two", "delete", "--yes", "x", "a")
	unblock()
	again := legMessage("again")
	again.UID = "a"
	l.srv.Add(again)
	l.run(exOK, "one two", "fetch")
	l.has("one", 1, "again")
	l.has("two", 1, "a", "again")
	if left := l.srv.UIDs(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A destination that has never worked is no other name of the account's own: when that is gone, what only that
// has had stays on the server until the one that is left has it.
func TestLegLeftNeverWorked(t *testing.T) {
	t.Parallel()
	l := newLegAccount(t, legMessage("a"))
	unblock := l.block("two")
	l.run(exCantCreat, "one two", "fetch")
	l.has("one", 1, "a")
	l.run(exCantCreat, "two", "fetch")
	unblock()
	l.run(exOK, "two", "fetch")
	l.has("two", 1, "a")
	if left := l.srv.UIDs(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// The same, where the account's own was away when the other was added.
func TestLegAddedWhileOwnIsAway(t *testing.T) {
	t.Parallel()
	l := newLegAccount(t, legMessage("a"))
	l.run(exOK, "keep one", "fetch")
	if err := os.Rename(filepath.Join(l.dir, "one"), filepath.Join(l.dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	unblock := l.block("two")
	l.run(exCantCreat, "one two", "fetch")
	unblock()
	l.run(exOK, "two", "fetch")
	l.has("two", 1, "a")
	if left := l.srv.UIDs(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// The account's own is gone, another went on and was moved: what that never had is not taken for delivered
// because the first had it.
func TestLegMovedAfterOwnIsGone(t *testing.T) {
	t.Parallel()
	l := newLegAccount(t, legMessage("a"))
	l.run(exOK, "one two", "fetch")
	l.srv.Add(legMessage("b"))
	if err := os.Rename(filepath.Join(l.dir, "two", "mail"), filepath.Join(l.dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	l.run(exCantCreat, "one two", "fetch")
	l.run(exCantCreat, "two", "fetch")
	l.run(exOK, "three", "fetch")
	l.has("three", 1, "b")
	l.run(exOK, "four", "fetch")
	l.has("four", 0, "b")
	l.srv.Add(legMessage("c"))
	l.run(exOK, "one", "fetch")
	l.has("one", 1, "a", "b", "c")
	if left := l.srv.UIDs(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// The account's only destination was moved, and before anything was delivered to the new place another was added:
// whatever their order, neither gets again what it has.
func TestLegMovedThenAdded(t *testing.T) {
	t.Parallel()
	l := newLegAccount(t, legMessage("a"))
	l.run(exOK, "keep one", "fetch")
	if err := os.Rename(filepath.Join(l.dir, "one"), filepath.Join(l.dir, "two")); err != nil {
		t.Fatal(err)
	}
	l.run(exOK, "keep two", "fetch")
	l.run(exOK, "keep two three", "fetch")
	l.run(exOK, "keep three two", "fetch")
	l.has("two", 1, "a")
	l.has("three", 1, "a")
}

// A path that was mistyped for one run, while another destination was added, and to which nothing came.
func TestLegMistyped(t *testing.T) {
	t.Parallel()
	l := newLegAccount(t, legMessage("a"))
	l.run(exOK, "keep one", "fetch")
	l.run(exOK, "keep oen two", "fetch")
	l.run(exOK, "keep one two", "fetch")
	l.run(exOK, "keep two one", "fetch")
	l.has("one", 1, "a")
	l.has("two", 1, "a")
}

// Of a unique-id that has come to stand for another message one destination has the new one, and one the old. It
// stays on the server, and that is told once a day.
func TestLegDiffers(t *testing.T) {
	t.Parallel()
	l := newLegAccount(t, legMessage("a"))
	l.run(exOK, "keep one two", "fetch")
	again := legMessage("again")
	again.UID = "a"
	srv, err := pop3test.NewServer(pop3test.Config{}, again)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	l.srv = srv
	for n := range 3 {
		stdout, stderr, status := mailhaul(t, "-c", l.config("one two"), "fetch", "--json")
		if status != exDataErr || strings.Contains(stderr, "has another text") != (n == 0) || !strings.Contains(stdout, `"uid":"a","size":29,"reason":"another dest`) || !strings.Contains(stdout, `"left":1,`) {
			t.Errorf("run %d: status %d\n%s%s", n, status, stdout, stderr)
		}
	}
	l.has("one", 1, "again")
	if left := srv.UIDs(); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

// A destination that has never worked was replaced: what has come in its place can be moved, as any that is the
// account's own.
func TestLegOwnReplacedThenMoved(t *testing.T) {
	t.Parallel()
	l := newLegAccount(t, legMessage("a"))
	l.block("one")
	l.run(exCantCreat, "keep one two", "fetch")
	l.run(exOK, "keep three two", "fetch")
	l.run(exOK, "keep three", "fetch")
	if err := os.Rename(filepath.Join(l.dir, "three"), filepath.Join(l.dir, "four")); err != nil {
		t.Fatal(err)
	}
	l.run(exOK, "keep four", "fetch")
	l.has("four", 1, "a")
}

// A session that ends while messages with one unique-id are compared keeps none from the destinations that follow,
// and as long as one of them is not looked at, no run says that all went well.
func TestLegNotCompared(t *testing.T) {
	t.Parallel()
	l := newLegAccount(t, legMessage("a"))
	l.run(exOK, "keep one two", "fetch")
	second := legMessage("second")
	second.UID = "a"
	l.srv.Add(second)
	if err := l.srv.Inject(pop3test.Fault{On: "RETR 1", Do: pop3test.Cut}); err != nil {
		t.Fatal(err)
	}
	l.run(exTempFail, "keep one two", "fetch")
	l.srv.Mend()
	stdout, stderr, status := mailhaul(t, "-c", l.config("keep one two"), "fetch", "--json")
	if status != exTempFail || !strings.Contains(stderr, "mailhaul: x: not all messages were compared") || !strings.Contains(stdout, `"destination":"maildir `+l.dir+`/two/mail","reason":"not all messages`) {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	l.has("one", 1, "a", "second")
	for range 3 {
		_, _, status = mailhaul(t, "-c", l.config("keep one two"), "fetch")
	}
	if status != exOK {
		t.Errorf("status %d at last", status)
	}
	for _, name := range []string{"one", "two"} {
		l.has(name, 1, "a", "second")
	}
}
