package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// uidl gives the unique-ids that Dovecot lists, in the order of the message numbers.
func (d *dovecot) uidl(t *testing.T) []string {
	t.Helper()
	uids, err := d.ask()
	if err != nil {
		t.Fatalf("%v\n%s", err, d.log())
	}
	return uids
}

func (d *dovecot) ask() (uids []string, err error) {
	conn, err := net.Dial("tcp", d.addr)
	if err != nil {
		return nil, err
	}
	c := textproto.NewConn(conn)
	defer c.Close()
	for _, command := range []string{"", "USER bob", "PASS secret", "UIDL"} {
		if command != "" {
			c.PrintfLine("%s", command)
		}
		if line, err := c.ReadLine(); err != nil || !strings.HasPrefix(line, "+OK") {
			return nil, fmt.Errorf("%s: %q, %v", command, line, err)
		}
	}
	lines, err := c.ReadDotLines()
	for _, line := range lines {
		_, uid, _ := strings.Cut(line, " ")
		uids = append(uids, uid)
	}
	c.PrintfLine("QUIT")
	c.ReadLine()
	return uids, err
}

func (d *dovecot) log() string {
	text, _ := os.ReadFile(filepath.Join(d.dir, "log"))
	return string(text)
}

// quiet checks that Dovecot has complained of nothing.
func (d *dovecot) quiet(t *testing.T) {
	t.Helper()
	for _, line := range strings.Split(d.log(), "\n") {
		if strings.Contains(line, "Error") || strings.Contains(line, "Warning") || strings.Contains(line, "Panic") {
			t.Errorf("dovecot: %s", line)
		}
	}
}

// mover writes a configuration by which an account's mail moves from old into the maildir of fresh.
func mover(t *testing.T, old, fresh *dovecot, more string) (config string) {
	t.Helper()
	dir := t.TempDir()
	if os.Getuid() == 0 {
		more += `, owner = "nobody"`
	}
	return write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.move]\nserver = %q\ntls = \"none\"\nuser = \"bob\"\npassword = \"secret\"\n"+
		"deliver = { maildir = %q, %s }\n", dir+"/state", old.addr, filepath.Join(fresh.dir, "mail"), more), 0o600)
}

func manyMails(n int) (mails []string) {
	for i := range n {
		mails = append(mails, fmt.Sprintf("From: a@example.com\nSubject: %d\nX-UIDL: a spoofed one\n\nmessage %d\r of many\n", i, i))
	}
	return append(mails, realMail()...)
}

// The way each setting keeps unique-ids, and what Dovecot must be told for it.
var keepWays = []struct{ uidl, settings string }{
	{"dovecot", ""},
	{"header", "pop3_reuse_xuidl = yes\n"},
}

// Dovecot serves what was moved with the unique-ids of the old server, in the same order, while
// it is asked all the time and new mail comes in between.
func TestMoveToDovecot(t *testing.T) {
	for _, way := range keepWays {
		t.Run(way.uidl, func(t *testing.T) {
			old := startDovecotWith(t, "pop3_uidl_format = old.%v+%u\n")
			fresh := startDovecotWith(t, way.settings)
			old.seed(t, manyMails(70))
			want := old.uidl(t)
			config := mover(t, old, fresh, fmt.Sprintf("uidl = %q", way.uidl))
			if got := fresh.uidl(t); len(got) != 0 { // Dovecot has made its files
				t.Fatalf("before: %q", got)
			}
			stop, asked := make(chan struct{}), make(chan int)
			go func() { // the mail programs of the users, while the mailbox moves
				for n := 0; ; n++ {
					select {
					case <-stop:
						asked <- n
						return
					default:
					}
					got, err := fresh.ask()
					if err != nil || slices.ContainsFunc(got, func(uid string) bool { return !slices.Contains(want, uid) }) {
						t.Errorf("meanwhile: %q, %v", got, err)
					}
				}
			}()
			for range 8 { // eight commits
				if stdout, stderr, status := mailhaul(t, "-c", config, "fetch", "--limit", "10"); status != 0 || strings.Contains(stderr, "warning") {
					t.Fatalf("status %d\n%s%s", status, stdout, stderr)
				}
			}
			close(stop)
			if n := <-asked; n == 0 {
				t.Error("dovecot was never asked meanwhile")
			}
			if got := fresh.uidl(t); !slices.Equal(got, want) {
				diffIDs(t, got, want)
			}
			fresh.quiet(t)
		})
	}
}

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
	for _, way := range keepWays {
		t.Run(way.uidl, func(t *testing.T) {
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

// diffIDs tells where two listings part.
func diffIDs(t *testing.T, got, want []string) {
	t.Helper()
	t.Errorf("%d unique-ids, want %d", len(got), len(want))
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("message %d is %q, want %q (which is message %d)", i+1, got[i], want[i], slices.Index(got, want[i])+1)
		}
	}
}

// Killed again and again while Dovecot is asked for the mail: at the end each message is there once,
// with its own unique-id.
func TestMoveKilled(t *testing.T) {
	for _, way := range keepWays {
		t.Run(way.uidl, func(t *testing.T) {
			old := startDovecotWith(t, "pop3_uidl_format = old.%v+%u\n")
			fresh := startDovecotWith(t, way.settings)
			old.seed(t, manyMails(70))
			want := old.uidl(t)
			config := mover(t, old, fresh, fmt.Sprintf("uidl = %q", way.uidl))
			killed := 0
			for after := 20 * time.Millisecond; ; after += 4 * time.Millisecond {
				cmd := exec.Command("mailhaul", "-c", config, "fetch", "--limit", "20")
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				kill := time.AfterFunc(after, func() { cmd.Process.Kill() })
				err := cmd.Wait()
				kill.Stop()
				if err == nil && out.Len() == 0 {
					break // nothing is left
				}
				if err != nil {
					if killed++; cmd.ProcessState.Exited() {
						t.Fatalf("%v\n%s", err, out.Bytes())
					}
				}
				fresh.uidl(t)
			}
			if killed == 0 {
				t.Error("never killed")
			}
			got := fresh.uidl(t)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				diffIDs(t, got, want)
			}
			t.Logf("killed %d times", killed)
			fresh.quiet(t)
		})
	}
}
