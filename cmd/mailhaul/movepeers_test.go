package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// need finds a program, or skips the test, or fails it where MAILHAUL_REAL is set.
func need(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("MAILHAUL_REAL") != "" {
			t.Fatalf("MAILHAUL_REAL is set, and there is no %s", name)
		}
		t.Skip("no " + name)
	}
}

// A retriever is another program that retrieves mail, keeps it on the server and remembers what it has.
type retriever struct {
	name string
	dir  string
	run  func(addr string) error // retrieves
	got  func() int              // messages so far
}

func newMpop(t *testing.T) *retriever {
	need(t, "mpop")
	dir := t.TempDir()
	for _, sub := range []string{"tmp", "new", "cur"} {
		os.MkdirAll(filepath.Join(dir, "mail", sub), 0o700)
	}
	return &retriever{name: "mpop", dir: dir, run: func(addr string) error {
		host, port, _ := net.SplitHostPort(addr)
		config := write(t, dir, "mpoprc", fmt.Sprintf("account a\nhost %s\nport %s\nuser bob\npassword secret\nauth user\nkeep on\ndelivery maildir %s/mail\nuidls_file %s/uidls\n",
			host, port, dir, dir), 0o600)
		return runQuietly(exec.Command("mpop", "-C", config, "a"))
	}, got: func() int {
		files, _ := filepath.Glob(dir + "/mail/new/*")
		return len(files)
	}}
}

func newFetchmail(t *testing.T) *retriever {
	need(t, "fetchmail")
	dir := t.TempDir()
	return &retriever{name: "fetchmail", dir: dir, run: func(addr string) error {
		host, port, _ := net.SplitHostPort(addr)
		config := write(t, dir, "fetchmailrc", fmt.Sprintf("poll %s proto pop3 service %s uidl\n\tuser bob password secret keep sslproto ''\n\tmda \"cat >/dev/null; echo >>%s/got\"\n",
			host, port, dir), 0o600)
		cmd := exec.Command("fetchmail", "-f", config, "--nosyslog", "-N", "--pidfile", dir+"/pid", "-i", dir+"/ids")
		cmd.Env = append(os.Environ(), "HOME="+dir, "FETCHMAILHOME="+dir)
		err := runQuietly(cmd)
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 1 {
			return nil // no new mail
		}
		return err
	}, got: func() int {
		text, _ := os.ReadFile(dir + "/got")
		return len(text)
	}}
}

func runQuietly(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// The mail programs of those whose mailbox has moved retrieve nothing again, and what is new once.
func TestPeersAfterMove(t *testing.T) {
	t.Parallel()
	for _, way := range keepWays {
		t.Run(way.uidl, func(t *testing.T) {
			t.Parallel()
			old := startDovecotWith(t, "pop3_uidl_format = old.%v+%u\n")
			fresh := startDovecotWith(t, way.settings)
			old.seed(t, manyMails(190))
			peers := []*retriever{newMpop(t), newFetchmail(t)}
			retrieve := func(from *dovecot, want int) {
				t.Helper()
				for _, p := range peers {
					before := p.got()
					if err := p.run(from.addr); err != nil {
						t.Fatalf("%s: %v", p.name, err)
					}
					if n := p.got() - before; n != want {
						t.Fatalf("%s retrieved %d, want %d", p.name, n, want)
					}
				}
			}
			retrieve(old, 200)
			retrieve(old, 0)
			config := mover(t, old, fresh, fmt.Sprintf("uidl = %q", way.uidl))
			if stdout, stderr, status := mailhaul(t, "-c", config, "fetch"); status != 0 {
				t.Fatalf("status %d\n%s%s", status, stdout, stderr)
			}
			if left := old.uidl(t); len(left) != 0 {
				t.Errorf("%d stay at the old server", len(left))
			}
			retrieve(fresh, 0)
			for i := range 2 {
				write(t, fresh.dir, fmt.Sprintf("mail/new/1800000000.M%d.host", i), "Subject: new\n\nnew\n", 0o644)
			}
			fresh.own(t)
			retrieve(fresh, 2)
			retrieve(fresh, 0)
			fresh.quiet(t)
		})
	}
}
