package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// Killed again and again, each of two destinations has each message once.
func TestLegsKilled(t *testing.T) {
	t.Parallel()
	var msgs []pop3test.Message
	for i := range 200 {
		uid := fmt.Sprint("uid", i)
		msgs = append(msgs, pop3test.Message{UID: uid, Text: "Subject: " + uid + "\r\n\r\n" + strings.Repeat("text\r\n", 300) + "end of " + uid + ".\r\n"})
	}
	srv, err := pop3test.NewServer(pop3test.Config{}, msgs...)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	dir := t.TempDir()
	config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.x]\nserver = %q\ntls = \"none\"\nuser = \"user\"\npassword = \"secret\"\ndeliver = [ { maildir = %q }, { mbox = %q } ]\n",
		dir+"/state", srv.Addr, dir+"/maildir", dir+"/mbox"), 0o600)
	kills := 0
	for range 12 {
		cmd := exec.Command("mailhaul", "-c", config, "fetch")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(10+rand.IntN(80))*time.Millisecond, func() { cmd.Process.Kill() })
		if cmd.Wait() != nil {
			kills++
		}
		timer.Stop()
		srv.Wait()
	}
	if stdout, stderr, status := mailhaul(t, "-c", config, "fetch"); status != 0 {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	mbox, err := os.ReadFile(filepath.Join(dir, "mbox"))
	if err != nil {
		t.Fatal(err)
	}
	files := storedAt(t, "maildir", filepath.Join(dir, "maildir"))
	for _, m := range msgs {
		end := "end of " + m.UID + ".\n"
		if a, b := ending(files, end), strings.Count(string(mbox), end); a != 1 || b != 1 {
			t.Errorf("%s: %d in the maildir, %d in the mbox", m.UID, a, b)
		}
	}
	if left := srv.UIDs(); len(left) > 0 || len(files) != len(msgs) {
		t.Errorf("%d left, %d files", len(left), len(files))
	}
	t.Logf("%d kills", kills)
}

// What holds a message on the server: any other destination that has not that text.
func TestHold(t *testing.T) {
	id := state.Identity{Host: "h", User: "u"}
	open := func(es ...state.Entry) *leg {
		st, err := state.Open(filepath.Join(t.TempDir(), "x.uidl"), id)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		if err := st.Record("", "", es...); err != nil {
			t.Fatal(err)
		}
		return &leg{st: st}
	}
	e := func(uid string, status state.Status, body string) state.Entry {
		return state.Entry{UID: uid, Status: status, Time: time.Now(), Body: strings.Repeat(body, 32)}
	}
	short := e("short", state.Delivered, "aa")
	short.Reason = "half of it"
	own := open()
	one := open(e("has", state.Delivered, "aa"), e("other", state.Delivered, "bb"), e("seen", state.Seen, ""), e("failed", state.Failed, ""), e("gone", state.Deleted, "aa"), short)
	if legs := (legs{own}); legs.hold(nil) != nil {
		t.Error("nothing holds what has one destination")
	}
	differ := map[string]state.Entry{}
	hold := legs{one, open(e("has", state.Delivered, "aa"), e("other", state.Delivered, "aa"), e("seen", state.Delivered, "aa"), e("gone", state.Delivered, "aa"), e("failed", state.Delivered, "aa"), e("short", state.Delivered, "aa")), own}.hold(differ)
	for uid, want := range map[string]bool{"has": false, "seen": false, "gone": false, "other": true, "failed": true, "short": true, "unknown": true} {
		if got := hold(e(uid, state.Delivered, "aa")); got != want {
			t.Errorf("%s: held %v", uid, got)
		}
	}
	if len(differ) != 1 || differ["other"].UID != "other" {
		t.Errorf("differ %v", differ)
	}
}

// A run that dies once the account's own state knows of the deletion, and the other does not, and the
// unique-id is used again: the other destination gets the new message, too.
func TestLegBuriedLate(t *testing.T) {
	old := pop3test.Message{UID: "a", Text: "Subject: old\r\n\r\nold\r\n"}
	srv, err := pop3test.NewServer(pop3test.Config{}, old)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	dir := t.TempDir()
	config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.x]\nserver = %q\ntls = \"none\"\nuser = \"user\"\npassword = \"secret\"\ndeliver = [ { maildir = %q }, { maildir = %q } ]\n",
		dir+"/state", srv.Addr, dir+"/one", dir+"/two"), 0o600)
	if stdout, stderr, status := mailhaul(t, "-c", config, "fetch"); status != 0 {
		t.Fatal(stdout, stderr)
	}
	paths, err := filepath.Glob(dir + "/state/x%*.uidl")
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	st, err := state.Open(paths[0], state.Identity{Host: "127.0.0.1", User: "user"})
	if err != nil {
		t.Fatal(err)
	}
	e := st.Lookup("a")[0]
	if e.Status != state.Deleted {
		t.Fatalf("%+v", e)
	}
	e.Status = state.Delivered
	if err := errors.Join(st.Add(e), st.Close()); err != nil {
		t.Fatal(err)
	}
	srv.Add(pop3test.Message{UID: "a", Text: "Subject: new\r\n\r\nnew\r\n"})
	if stdout, stderr, status := mailhaul(t, "-c", config, "fetch"); status != 0 {
		t.Fatal(stdout, stderr)
	}
	for _, name := range []string{"one", "two"} {
		if n := ending(storedAt(t, "maildir", filepath.Join(dir, name)), "new\r\n"); n != 1 {
			t.Errorf("%d copies in %s", n, name)
		}
	}
	if left := srv.UIDs(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
