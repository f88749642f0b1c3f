package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A dovecot is a private instance with one maildir for every user, password "secret".
type dovecot struct {
	addr string
	dir  string
}

// startDovecot skips the test where there is no Dovecot, unless MAILHAUL_REAL is set: then that is
// a failure, so that no test is skipped unnoticed.
func startDovecot(t *testing.T) *dovecot { t.Helper(); return startDovecotWith(t, "") }

// startDovecotWith has more settings, which win over the others.
func startDovecotWith(t *testing.T, settings string) *dovecot {
	t.Helper()
	path, err := exec.LookPath("dovecot")
	if err != nil {
		path = "/usr/sbin/dovecot"
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("MAILHAUL_REAL") != "" {
			t.Fatal("MAILHAUL_REAL is set, and there is no dovecot")
		}
		t.Skip("no dovecot")
	}
	// The path is short, because it is that of sockets, and open to Dovecot's own users.
	dir, err := os.MkdirTemp("", "dc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	owner, err := user.Current()
	if err == nil && owner.Uid == "0" {
		owner, err = user.Lookup("nobody") // no session runs as root
	}
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(owner.Gid)
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	d := &dovecot{addr: net.JoinHostPort("127.0.0.1", port), dir: dir}
	config := fmt.Sprintf(`
base_dir = %[1]s/run
state_dir = %[1]s/run
protocols = pop3
listen = 127.0.0.1
log_path = %[1]s/log
mail_location = maildir:%[1]s/mail
first_valid_uid = 1
first_valid_gid = 1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
default_login_user = %[2]s
default_internal_user = %[2]s
default_internal_group = %[3]s
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=%[4]s gid=%[5]s home=%[1]s
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = %[6]s
  }
  inet_listener pop3s {
    port = 0
  }
}
`, dir, owner.Username, group.Name, owner.Uid, owner.Gid, port) + settings
	conf := filepath.Join(dir, "dovecot.conf")
	for _, sub := range []string{"run", "mail/cur", "mail/new", "mail/tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(conf, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	d.own(t)
	cmd := exec.Command(path, "-F", "-c", conf)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr // what it says before it has its log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	d.listens(t, d.addr)
	return d
}

// listens waits until it does.
func (d *dovecot) listens(t *testing.T, addr string) {
	t.Helper()
	for until := time.Now().Add(time.Minute); ; {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(until) {
			t.Fatalf("dovecot does not listen: %v\n%s", err, d.log())
		}
	}
}

var givenPorts sync.Map

// freePort finds a port for a program that cannot be given one which is open. It is none of those that
// the kernel hands out, nor one that was given before, nor one of fetch/pop3: another test would have it
// before the program does.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20_000 + rand.IntN(12_000))
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// own gives everything to the user that Dovecot's sessions run as.
func (d *dovecot) own(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	if out, err := exec.Command("chown", "-R", "nobody:", d.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(d.dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// seed puts messages into the maildrop. They are as stored there: with LF.
func (d *dovecot) seed(t *testing.T, messages []string) {
	t.Helper()
	for i, m := range messages {
		name := filepath.Join(d.dir, "mail", "cur", fmt.Sprintf("17000000%02d.M%d.host:2,", i, i))
		if err := os.WriteFile(name, []byte(m), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.own(t)
}

// realMail is what gets damaged easily.
func realMail() []string {
	header := func(n string) string {
		return "From: Alice <alice@example.com>\nTo: bob@example.com\nSubject: " + n + "\nMessage-ID: <" + n + "@example.com>\n\n"
	}
	return []string{
		header("plain") + "hello\n",
		header("dots") + ".\n..\n...x\n.",
		header("fromline") + "From here\n>From there\n>>From everywhere\n",
		header("octets") + "\xe4\xf6\xfc \x00 \r \x1b\n",
		header("blanks") + "\n\n \n\n\n",
		header("long") + strings.Repeat("x", 20_000) + "\n",
		header("big") + strings.Repeat(strings.Repeat("y", 75)+"\n", 8_000),
		header("twin") + "the same\n",
		header("twin") + "the same\n",
		header("nobody"),
	}
}

// TestDovecot fetches real mail from a real server with the whole program, into each kind of
// destination: every octet arrives, a second run fetches nothing, and the maildrop is empty.
func TestDovecot(t *testing.T) {
	t.Parallel()
	d := startDovecot(t)
	mail := realMail()
	for _, kind := range []string{"maildir", "mbox", "command"} {
		t.Run(kind, func(t *testing.T) {
			d.seed(t, mail)
			dir := t.TempDir()
			dest := filepath.Join(dir, "dest")
			deliver := fmt.Sprintf("%s = %q", kind, dest)
			if kind == "command" {
				if err := os.Mkdir(dest, 0o700); err != nil {
					t.Fatal(err)
				}
				deliver = fmt.Sprintf(`command = ["/bin/sh", "-c", "cat > $0/$MAILHAUL_ID 2>/dev/null || cat > $(mktemp $0/XXXXXX)", %q]`, dest)
			}
			config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.real]\nserver = %q\ntls = \"none\"\nuser = \"bob\"\npassword = \"secret\"\ndeliver = { %s }\n",
				dir+"/state", d.addr, deliver), 0o600)
			stdout, stderr, status := mailhaul(t, "-c", config, "fetch")
			if status != 0 || stderr != "" {
				t.Fatalf("status %d\n%s%s", status, stdout, stderr)
			}
			if kind != "command" {
				stdout, stderr, status := mailhaul(t, "-c", config, "verify", "real")
				if want := fmt.Sprintf("%d recorded as delivered, %[1]d found, 0 on the server: all agrees\n", len(mail)); status != 0 || stderr != "" || !strings.HasSuffix(stdout, want) {
					t.Errorf("verify: status %d\n%s%s", status, stdout, stderr)
				}
			}
			got := storedAt(t, kind, dest)
			if len(got) != len(mail) {
				t.Fatalf("%d messages, want %d\n%s", len(got), len(mail), stdout)
			}
			for _, m := range mail {
				want := strings.ReplaceAll(m, "\r\n", "\n")
				if !strings.HasSuffix(want, "\n") {
					want += "\n"
				}
				at := -1
				for i, g := range got {
					if g == want {
						at = i
					}
				}
				if at < 0 {
					t.Errorf("not delivered as it was: %.80q", want)
					continue
				}
				got = append(got[:at], got[at+1:]...)
			}
			if stdout, stderr, status := mailhaul(t, "-c", config, "fetch"); status != 0 || stdout+stderr != "" {
				t.Errorf("second run: status %d\n%s%s", status, stdout, stderr)
			}
			if kind != "command" {
				// The second run has forgotten what is gone from the server: it was the first that deleted.
				stdout, stderr, status := mailhaul(t, "-c", config, "verify", "real")
				if want := fmt.Sprintf("%d older ones, 0 on the server: all agrees\n", len(mail)); status != 0 || stderr != "" || !strings.HasSuffix(stdout, want) {
					t.Errorf("verify: status %d\n%s%s", status, stdout, stderr)
				}
			}
			left, err := filepath.Glob(filepath.Join(d.dir, "mail", "*", "1*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left on the server: %v", left)
			}
		})
	}
}

// mailhaul runs the program that TestMain has put into the path.
func mailhaul(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, err bytes.Buffer
	cmd := exec.Command("mailhaul", args...)
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Run(); e != nil && cmd.ProcessState == nil {
		t.Fatal(e)
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

// storedAt gives the messages at a destination without the trace field, From quoting undone.
func storedAt(t *testing.T, kind, dest string) []string {
	t.Helper()
	read := func(pattern string) (all []string) {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(text))
		}
		return all
	}
	var texts []string
	switch kind {
	case "maildir":
		texts = read(dest + "/new/*")
	case "command":
		texts = read(dest + "/*")
	case "mbox":
		// An entry ends with an empty line; a From_ line is what follows one.
		entries := strings.Split("\n"+read(dest)[0]+"From ", "\nFrom ")
		for _, entry := range entries[1 : len(entries)-1] {
			_, text, _ := strings.Cut(entry, "\n")
			lines := strings.Split(text, "\n")
			for i, l := range lines {
				if strings.HasPrefix(strings.TrimLeft(l, ">"), "From ") && strings.HasPrefix(l, ">") {
					lines[i] = l[1:]
				}
			}
			texts = append(texts, strings.Join(lines, "\n"))
		}
	}
	for i, text := range texts {
		if !strings.HasPrefix(text, "Received: ") {
			t.Errorf("no trace field: %.60q", text)
			continue
		}
		lines := strings.SplitAfter(text, "\n")
		n := 1
		for n < len(lines) && strings.HasPrefix(lines[n], "\t") {
			n++
		}
		texts[i] = strings.Join(lines[n:], "")
	}
	return texts
}
