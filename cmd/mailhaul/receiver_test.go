package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// startTaker starts a Dovecot that takes mail over: LMTP on a socket, IMAP on a port. deliver is
// what the table deliver says of each.
func startTaker(t *testing.T) (d *dovecot, deliver map[string]string) {
	t.Helper()
	for _, part := range []string{"/usr/lib/dovecot/lmtp", "/usr/lib/dovecot/imap"} {
		if _, err := os.Stat(part); err != nil {
			if os.Getenv("MAILHAUL_REAL") != "" {
				t.Fatalf("MAILHAUL_REAL is set, and there is no %s", part)
			}
			t.Skip("no " + part)
		}
	}
	port := freePort(t)
	addr := net.JoinHostPort("127.0.0.1", port)
	d = startDovecotWith(t, fmt.Sprintf(`
protocols = pop3 lmtp imap
service lmtp {
  unix_listener lmtp {
    mode = 0666
  }
}
service imap-login {
  chroot =
  inet_listener imap {
    port = %s
  }
  inet_listener imaps {
    port = 0
  }
}
`, port))
	d.listens(t, addr) // its ports come one after the other
	return d, map[string]string{
		"lmtp": fmt.Sprintf(`lmtp = "unix:%s/run/lmtp", recipient = "bob"`, d.dir),
		"imap": fmt.Sprintf(`imap = %q, tls = "none", user = "bob", password = "secret", folder = "Büro", flags = "S"`, addr),
	}
}

// taken gives the messages that the taker has, whatever it and we have put in front.
func (d *dovecot) taken(t *testing.T) (texts []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(d.dir, "mail"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.Contains(filepath.Base(path), ".M") {
			return err
		}
		text, err := os.ReadFile(path)
		texts = append(texts, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// count tells how many of the texts end in a message.
func ending(texts []string, message string) (n int) {
	message = strings.ReplaceAll(message, "\r\n", "\n")
	if !strings.HasSuffix(message, "\n") {
		message += "\n"
	}
	for _, text := range texts {
		if strings.HasSuffix(text, message) {
			n++
		}
	}
	return n
}

// TestTakers hands real mail to a real mail server.
func TestTakers(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"lmtp", "imap"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			from := startDovecot(t)
			to, deliver := startTaker(t)
			var mail []string
			for _, m := range realMail() {
				// Neither protocol has a NUL, and a server may do what it likes with a lone CR (RFC
				// 5321, section 2.3.8; RFC 3501, section 4.3).
				mail = append(mail, strings.NewReplacer("\x00", "0", "\r", "C").Replace(m))
			}
			from.seed(t, mail)
			dir := t.TempDir()
			config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.real]\nserver = %q\ntls = \"none\"\nuser = \"bob\"\npassword = \"secret\"\ndeliver = { %s }\n",
				dir+"/state", from.addr, deliver[protocol]), 0o600)
			if stdout, stderr, status := mailhaul(t, "-c", config, "check"); status != 0 || !strings.Contains(stdout, "takes mail") {
				t.Fatalf("status %d\n%s%s", status, stdout, stderr)
			}
			stdout, stderr, status := mailhaul(t, "-c", config, "fetch", "-v")
			if status != 0 || stderr != "" {
				t.Fatalf("status %d\n%s%s", status, stdout, stderr)
			}
			got := to.taken(t)
			if len(got) != len(mail) {
				t.Fatalf("%d messages, want %d\n%s", len(got), len(mail), stdout)
			}
			for i, m := range mail {
				want := 1
				if i == 7 || i == 8 {
					want = 2 // twins
				}
				if n := ending(got, m); n != want {
					t.Errorf("%d copies of %.80q", n, m)
				}
			}
			if stdout, stderr, status := mailhaul(t, "-c", config, "fetch"); status != 0 || stdout+stderr != "" {
				t.Errorf("second run: status %d\n%s%s", status, stdout, stderr)
			}
			if left, err := filepath.Glob(filepath.Join(from.dir, "mail", "*", "1*")); err != nil || len(left) > 0 {
				t.Errorf("left on the server: %v", left)
			}
		})
	}
}

// TestTakersKilled kills the program in the midst, again and again: nothing is lost. IMAP has each
// message once, LMTP one more at most for each kill.
func TestTakersKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes a while")
	}
	for _, protocol := range []string{"lmtp", "imap"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			from := startDovecot(t)
			to, deliver := startTaker(t)
			var mail []string
			for i := range 60 {
				mail = append(mail, fmt.Sprintf("Subject: number %d\n\n%s\nend of %d.\n", i, strings.Repeat("text of the message\n", 400), i))
			}
			from.seed(t, mail)
			dir := t.TempDir()
			config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.real]\nserver = %q\ntls = \"none\"\nuser = \"bob\"\npassword = \"secret\"\ndeliver = { %s }\n",
				dir+"/state", from.addr, deliver[protocol]), 0o600)
			kills := 0
			for range 12 {
				cmd := exec.Command("mailhaul", "-c", config, "fetch", "--wait", "10s")
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				timer := time.AfterFunc(time.Duration(20+rand.IntN(120))*time.Millisecond, func() { cmd.Process.Kill() })
				if cmd.Wait() != nil {
					kills++
				}
				timer.Stop()
			}
			if stdout, stderr, status := mailhaul(t, "-c", config, "fetch", "--wait", "10s"); status != 0 {
				t.Fatalf("status %d\n%s%s", status, stdout, stderr)
			}
			got := to.taken(t)
			extra := 0
			for i, m := range mail {
				n := ending(got, m)
				if n == 0 {
					t.Errorf("message %d is lost", i)
				}
				extra += n - 1
			}
			if extra != len(got)-len(mail) {
				t.Errorf("%d messages, %d doubles", len(got), extra)
			}
			t.Logf("%d kills, %d doubles", kills, extra)
			if extra > kills || protocol == "imap" && extra > 0 {
				t.Errorf("%d doubles after %d kills", extra, kills)
			}
		})
	}
}

func TestReceiverProblems(t *testing.T) {
	for _, tt := range []struct{ deliver, want string }{
		{`lmtp = "unix:/run/lmtp"`, "recipient is missing"},
		{`smtp = "h", recipient = "bob@h", sender = ""`, `sender: want an address without brackets, or "<>" for the null one`},
		{`smtp = "h", recipient = "bob@h", sender = "<alice@h>"`, `sender: want an address without brackets, or "<>" for the null one`},
		{`smtp = "h", recipient = "bob@h", sender = "alice h"`, `sender: want an address without brackets, or "<>" for the null one`},
		{`smtp = "h", recipient = "<bob@h>"`, `recipient: want an address without brackets`},
		{`smtp = "h", recipient = ""`, `recipient: want an address without brackets`},
		{`lmtp = "mail.example.com", recipient = "a@b"`, `tls = "none" sends the mail in clear`},
		{`lmtp = "127.0.0.1", recipient = "a@b", tls = "starttls"`, `tls = "starttls" does not go with lmtp`},
		{`lmtp = "unix:/run/lmtp", recipient = "a@b", maildir = "/m"`, "want a table like"},
		{`lmtp = "unix:/run/lmtp", recipient = "a@b", lock = ["fcntl"]`, "lock goes with mbox alone"},
		{`maildir = "/m", user = "x"`, "user goes with lmtp, smtp and imap alone"},
		{`maildir = "/m", recipient = "a@b"`, "recipient goes with lmtp and smtp alone"},
		{`smtp = "mail.example.com", recipient = "a@b", user = "x"`, "user, and no secret"},
		{`smtp = "mail.example.com", recipient = "a@b", password = "` + theSecret + `"`, "a secret, and no user"},
		{`smtp = "mail.example.com", recipient = "a@b", user = "x", netrc = true, password = "` + theSecret + `"`, "a second secret beside password"},
		{`imap = "imap.example.com"`, "user is missing"},
		{`imap = "imap.example.com", user = "x", password = "y", auth = "cram-md5"`, "auth: want auto, plain"},
		{`imap = "imap.example.com", user = "x", password = "y", flags = "Q"`, "flags: want letters"},
		{`imap = "imap.example.com", user = "x", password = "y", tls = "none"`, `tls = "none" sends the mail in clear`},
		{`imap = "127.0.0.1", user = "x", password = "y", tls = "none", tls_ca = "/x"`, `tls_ca: does not go with tls = "none"`},
	} {
		text := strings.Replace(head, `maildir = "/tmp/mail"`, tt.deliver, 1) + "password = \"x\"\n"
		_, err := load(t, text)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), theSecret) {
			t.Errorf("%s: %v", tt.deliver, err)
		}
	}
}

// A destination's OAuth is that of an account, with scopes and tokens of its own.
func TestReceiverOAuth(t *testing.T) {
	text := "[accounts.work]\nserver = \"pop.example.com\"\nuser = \"alice\"\npassword = \"x\"\n[accounts.work.deliver]\nimap = \"outlook.office365.com\"\nuser = \"alice@example.com\"\n"
	cfg, err := load(t, text+"[accounts.work.deliver.oauth2]\nprovider = \"microsoft\"\nclient_id = \"c\"\n")
	if err != nil {
		t.Fatal(err)
	}
	r, err := cfg.Accounts[0].receiver()
	if err != nil || r.OAuth.Scopes[0] != "https://outlook.office.com/IMAP.AccessAsUser.All" || r.OAuth.file == "" || r.OAuth.file == tokenFile(cfg.StateDir, "work") {
		t.Errorf("%+v, %v", r.OAuth, err)
	}
	for offered, want := range map[string]string{"PLAIN OAUTHBEARER XOAUTH2": "OAUTHBEARER", "PLAIN XOAUTH2": "XOAUTH2"} {
		m, err := r.mechanism(NewSecret("token"), func(name string) bool { return slices.Contains(strings.Fields(offered), name) })
		if err != nil {
			t.Fatal(err)
		}
		if name, first, err := m.Start(); err != nil || name != want || !strings.Contains(string(first), "auth=Bearer token") {
			t.Errorf("%s: %s %q, %v", offered, name, first, err)
		}
	}
	if _, err := r.mechanism(NewSecret("token"), func(name string) bool { return name == "PLAIN" }); err == nil {
		t.Error("a token is sent as a password")
	}
	for what, want := range map[string]string{
		"[accounts.work.deliver.oauth2]\nprovider = \"microsoft\"\nclient_id = \"c\"\nclinet_secret = \"x\"\n": `unknown key "clinet_secret"`,
		"tls = \"none\"\ncleartext = true\noauth2 = { token_command = [\"x\"] }\n":                             "a token never goes in clear",
	} {
		if _, err := load(t, text+what); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
