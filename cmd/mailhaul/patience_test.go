package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// patient is a server, and an account in clear on it.
func patient(t *testing.T, cfg pop3test.Config, keys string) (srv *pop3test.Server, config, statePath string) {
	t.Helper()
	srv, err := pop3test.NewServer(cfg, pop3test.Message{UID: "a", Text: sampleText("a", 0)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	config = write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.a]\nserver = %q\ntls = \"none\"\nuser = \"user\"\npassword = \"secret\"\ndeliver = { maildir = %q }\n%s\n",
		dir+"/state", srv.Addr, dir+"/mail", keys), 0o600)
	return srv, config, filepath.Join(dir, "state", "a.uidl")
}

// After a refusal with [LOGIN-DELAY] the account is skipped until the announced time is over, and
// then no longer. The announcement alone, and a refusal without a number, delay nothing.
func TestLoginDelay(t *testing.T) {
	for _, tt := range []struct {
		name, caps, refusal string
		skipped             bool
	}{
		{"announced and refused", "LOGIN-DELAY 900", "[LOGIN-DELAY] wait", true},
		{"per user", "LOGIN-DELAY 900 USER", "[login-delay] wait", true},
		{"announced alone", "LOGIN-DELAY 900", "", false},
		{"announced, refused for another reason", "LOGIN-DELAY 900", "[IN-USE] locked", false},
		{"no number", "UIDL", "[LOGIN-DELAY] wait", false},
		{"no number that makes sense", "LOGIN-DELAY -5", "[LOGIN-DELAY] wait", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, config, path := patient(t, pop3test.Config{Caps: []string{"UIDL", "USER", tt.caps}}, "keep = true")
			want := exOK
			if tt.refusal != "" {
				want = exTempFail
				if err := srv.Inject(pop3test.Fault{On: "PASS *", Text: tt.refusal}); err != nil {
					t.Fatal(err)
				}
			}
			if _, stderr, status := mailhaul(t, "-c", config, "fetch"); status != want {
				t.Fatalf("status %d, want %d: %s", status, want, stderr)
			}
			srv.Mend()
			srv.Wait()
			sessions := srv.Sessions()
			_, stderr, status := mailhaul(t, "-c", config, "fetch")
			srv.Wait()
			if !tt.skipped {
				if status != 0 || srv.Sessions() == sessions {
					t.Errorf("status %d: %s", status, stderr)
				}
				return
			}
			if status != exTempFail || srv.Sessions() != sessions || !strings.Contains(stderr, "LOGIN-DELAY") {
				t.Errorf("status %d, %d sessions: %s", status, srv.Sessions(), stderr)
			}
			// The time passes, or was noted by a clock that ran ahead.
			for i, at := range []time.Time{time.Now().Add(-901 * time.Second), time.Now().Add(time.Hour)} {
				st, err := state.Open(path, state.Identity{Host: "127.0.0.1", User: "user"})
				if err != nil {
					t.Fatal(err)
				}
				if err := st.SetNote(noteDelay, "900", at); err != nil {
					t.Fatal(err)
				}
				if err := st.Close(); err != nil {
					t.Fatal(err)
				}
				stdout, stderr, status := mailhaul(t, "-c", config, "fetch", "--json")
				if status != 0 {
					t.Errorf("noted at %v: status %d: %s", at, status, stderr)
				}
				// What was refused was no run yet.
				if first := strings.Contains(stdout, `"first":true`); first != (i == 0) {
					t.Errorf("run %d is told as the first: %v: %s", i+1, first, stdout)
				}
			}
		})
	}
}

// No server keeps an account away for more than a day.
func TestLoginDelayIsBounded(t *testing.T) {
	srv, config, path := patient(t, pop3test.Config{Caps: []string{"UIDL", "USER", "LOGIN-DELAY 99999999999"}}, "")
	if err := srv.Inject(pop3test.Fault{On: "PASS *", Text: "[LOGIN-DELAY] wait"}); err != nil {
		t.Fatal(err)
	}
	mailhaul(t, "-c", config, "fetch")
	st, err := state.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := st.Note(noteDelay); v != "86400" {
		t.Errorf("noted %q", v)
	}
}

// What the server will delete by itself is told in keep mode, once.
func TestExpireIsToldInKeepMode(t *testing.T) {
	for _, tt := range []struct{ caps, keys, warning string }{
		{"EXPIRE 30", "keep = true", "after 30 days"},
		{"EXPIRE 30 USER", "keep = true\ndelete_after = '60d'", "after 30 days"},
		{"EXPIRE 0", "keep = true\ndelete_after = '1d'", "EXPIRE 0"},
		{"EXPIRE 30", "keep = true\ndelete_after = '30d'", ""},
		{"EXPIRE NEVER", "keep = true", ""},
		{"EXPIRE 30", "", ""},
	} {
		_, config, _ := patient(t, pop3test.Config{Caps: []string{"UIDL", "USER", tt.caps}}, tt.keys)
		_, stderr, status := mailhaul(t, "-c", config, "fetch")
		if tt.warning == "" && stderr != "" || !strings.Contains(stderr, tt.warning) || status != 0 {
			t.Errorf("%+v: status %d: %s", tt, status, stderr)
		}
		if _, stderr, _ = mailhaul(t, "-c", config, "fetch"); stderr != "" {
			t.Errorf("%+v: again: %s", tt, stderr)
		}
	}
}

// UTF8 is sent where it is announced, after STLS and before the login, and a refusal or a hang-up
// is harmless.
func TestUTF8(t *testing.T) {
	for _, reply := range []string{"+OK", "-ERR unknown", ""} {
		cfg := pop3test.Config{Caps: []string{"UIDL", "USER", "UTF8 USER"}, Reply: func(_ *pop3test.Session, command string) (string, bool) {
			return reply, command == "UTF8"
		}}
		srv, config, _ := patient(t, cfg, "")
		if _, stderr, status := mailhaul(t, "-c", config, "fetch"); status != 0 {
			t.Errorf("%q: status %d: %s", reply, status, stderr)
		}
		srv.Wait()
		commands := strings.Join(srv.Commands(srv.Sessions()), "\n")
		utf8 := strings.Index(strings.Join(srv.Commands(1), "\n"), "UTF8\nUSER")
		if hungUp := reply == ""; hungUp && strings.Contains(commands, "UTF8") || !hungUp && utf8 < 0 {
			t.Errorf("%q: %q", reply, commands)
		}
	}
	srv, config, _ := patient(t, pop3test.Config{}, "")
	mailhaul(t, "-c", config, "fetch")
	srv.Wait()
	if strings.Contains(strings.Join(srv.Commands(1), " "), "UTF8") {
		t.Error("UTF8 was sent though it is not announced")
	}
}
