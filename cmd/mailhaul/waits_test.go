package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// A run that retrieves and deletes waits eight times in clear: for TCP, the greeting, CAPA, AUTH
// PLAIN, the listings, RETR, DELE with STAT, QUIT. QUIT goes out alone, because its meaning depends on
// the replies before it. Where the server is known it waits seven times, whatever the number of
// messages: over a thousand RETRs travel together.
func TestWaitsOfARun(t *testing.T) {
	srv, err := pop3test.NewServer(pop3test.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	dir := t.TempDir()
	config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.a]\nserver = %q\ntls = \"none\"\nuser = \"user\"\npassword = \"secret\"\ndeliver = { maildir = %q }\n",
		dir+"/state", srv.Addr, dir+"/mail"), 0o600)
	for i, want := range []int{8, 7} {
		for n := range 300 {
			uid := fmt.Sprintf("%d-%d", i, n)
			srv.Add(pop3test.Message{UID: uid, Text: sampleText(uid, 0)})
		}
		if _, stderr, status := mailhaul(t, "-q", "-c", config, "fetch"); status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		srv.Wait()
		// One flight more by chance: of the RETRs, or of the DELEs.
		got := 2 + srv.Session(srv.Sessions()).Waits() // and for TCP and the greeting, for which nothing is sent
		if got < want || got > want+2 {
			t.Errorf("run %d waited %d times, want %d", i+1, got, want)
		}
		if in, err := os.ReadDir(dir + "/mail/new"); len(in) != 300*(i+1) {
			t.Errorf("%d messages were delivered, %v", len(in), err)
		}
	}
}

// An idle run over TLS 1.3 waits seven times: for TCP, TLS, the greeting, CAPA, AUTH PLAIN with its
// initial response, the listings, QUIT. Where the server is known it waits six times: what it
// announced last time is remembered. And it changes no octet of the state.
func TestWaitsOfAnIdleRun(t *testing.T) {
	srv, err := pop3test.NewServer(pop3test.Config{TLS: pop3test.ImplicitTLS})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, srv.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.a]\nserver = %q\ntls_ca = %q\nuser = \"user\"\npassword = \"secret\"\nkeep = true\ndeliver = { maildir = %q }\n",
		dir+"/state", srv.Addr, ca, dir+"/mail"), 0o600)
	run := func() int {
		t.Helper()
		if stdout, stderr, status := mailhaul(t, "-q", "-c", config, "fetch"); status != 0 || stdout+stderr != "" {
			t.Fatalf("status %d\n%s%s", status, stdout, stderr)
		}
		srv.Wait()
		return 1 + srv.Session(srv.Sessions()).Waits() // and that for TCP
	}
	if n := run(); n != 7 {
		t.Errorf("the first run waited %d times, want 7: %q", n, srv.Commands(1))
	}
	if n := run(); n != 6 {
		t.Errorf("the second run waited %d times, want 6: %q", n, srv.Commands(2))
	}
	srv.Add(pop3test.Message{UID: "a", Text: sampleText("a", 0)})
	run()
	state := filepath.Join(dir, "state", "a.uidl")
	before, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(state)
	if n := run(); n != 6 {
		t.Errorf("with a kept message it waited %d times, want 6: %q", n, srv.Commands(4))
	}
	after, _ := os.ReadFile(state)
	later, _ := os.Stat(state)
	if string(before) != string(after) || !info.ModTime().Equal(later.ModTime()) {
		t.Error("an idle run wrote to the state")
	}
}
