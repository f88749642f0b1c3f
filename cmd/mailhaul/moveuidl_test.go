package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
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
// more are keys of deliver, lines more of the account.
func mover(t *testing.T, old, fresh *dovecot, more string, lines ...string) (config string) {
	t.Helper()
	dir := t.TempDir()
	if os.Getuid() == 0 {
		more += `, owner = "nobody"`
	}
	return write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.move]\nserver = %q\ntls = \"none\"\nuser = \"bob\"\npassword = \"secret\"\n"+
		"deliver = { maildir = %q, %s }\n%s", dir+"/state", old.addr, filepath.Join(fresh.dir, "mail"), more, strings.Join(lines, "")), 0o600)
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

// Dovecot serves what was moved with the unique-ids of the old server while it is asked all the time:
// by its list in the same order. From the header it makes its list as it finds the files, and if it
// looks while they are being moved, a later one may be found first: the order is that of their names.
func TestMoveToDovecot(t *testing.T) {
	t.Parallel()
	for _, way := range keepWays {
		t.Run(way.uidl, func(t *testing.T) {
			t.Parallel()
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
			got := fresh.uidl(t)
			if way.uidl == "header" {
				if got := byName(t, filepath.Join(fresh.dir, "mail")); !slices.Equal(got, want) {
					diffIDs(t, got, want)
				}
				slices.Sort(got)
				slices.Sort(want)
			}
			if !slices.Equal(got, want) {
				diffIDs(t, got, want)
			}
			fresh.quiet(t)
		})
	}
}

// byName are the unique-ids in the headers of the files, in the order of their names.
func byName(t *testing.T, maildir string) (uids []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(maildir, "[cn][ue][rw]", "*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(text), "\nX-UIDL: ")
		uid, _, _ := strings.Cut(after, "\n")
		uids = append(uids, uid)
	}
	return uids
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
	t.Parallel()
	for _, way := range keepWays {
		t.Run(way.uidl, func(t *testing.T) {
			t.Parallel()
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

// An mbox, too, can be served with the unique-ids of the old server.
func TestMoveToMbox(t *testing.T) {
	t.Parallel()
	old := startDovecotWith(t, "pop3_uidl_format = old.%v+%u\n")
	dir := t.TempDir()
	fresh := startDovecotWith(t, fmt.Sprintf("pop3_reuse_xuidl = yes\nmail_location = mbox:%s/other:INBOX=%[1]s/inbox\n", dir))
	old.seed(t, manyMails(10))
	want := old.uidl(t)
	write(t, dir, "inbox", "", 0o600)
	for p := dir; p != os.TempDir() && os.Getuid() == 0; p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() == 0 {
		if err := runQuietly(exec.Command("chown", "-R", "nobody:", dir)); err != nil {
			t.Fatal(err)
		}
	}
	config := write(t, t.TempDir(), "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.move]\nserver = %q\ntls = \"none\"\nuser = \"bob\"\npassword = \"secret\"\n"+
		"deliver = { mbox = %q, uidl = \"header\" }\n", t.TempDir(), old.addr, dir+"/inbox"), 0o600)
	for range 2 {
		if stdout, stderr, status := mailhaul(t, "-c", config, "fetch", "--limit", "10"); status != 0 {
			t.Fatalf("status %d\n%s%s", status, stdout, stderr)
		}
		fresh.uidl(t) // Dovecot writes its notes into the headers
	}
	// In the order of delivery: what had to be retrieved twice stands behind the rest.
	if got := slices.Sorted(slices.Values(fresh.uidl(t))); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		diffIDs(t, got, want)
	}
	fresh.quiet(t)
}

// sizes are those that LIST announces, or that came, by unique-id.
func sizes(t *testing.T, config string, args ...string) map[string]float64 {
	t.Helper()
	stdout, stderr, status := mailhaul(t, append([]string{"-c", config}, args...)...)
	if status != 0 {
		t.Fatalf("%q: status %d\n%s%s", args, status, stdout, stderr)
	}
	got := map[string]float64{}
	for _, line := range strings.Split(strings.TrimSpace(stdout), "\n") {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		uid, _ := m["uid"].(string)
		if size, ok := m["size"].(float64); ok && uid != "" {
			got[uid] = size
		}
	}
	return got
}

// What the name of a file says of its size is what Dovecot lists, and what it then sends. And verify
// finds all that was moved.
func TestMovedSizes(t *testing.T) {
	t.Parallel()
	for _, way := range keepWays {
		old := startDovecot(t)
		fresh := startDovecotWith(t, way.settings)
		old.seed(t, manyMails(5))
		config := mover(t, old, fresh, fmt.Sprintf("uidl = %q", way.uidl), "keep = true\n")
		sizes(t, config, "fetch", "--json")
		if stdout, stderr, status := mailhaul(t, "-c", config, "verify", "--retrieve", "move"); status != 0 {
			t.Errorf("%s: verify: status %d\n%s%s", way.uidl, status, stdout, stderr)
		}
		dir := t.TempDir()
		config = write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.again]\nserver = %q\ntls = \"none\"\nuser = \"bob\"\npassword = \"secret\"\nkeep = true\n"+
			"deliver = { maildir = %q }\n", dir+"/state", fresh.addr, dir+"/mail"), 0o600)
		listed := sizes(t, config, "list", "--json", "again")
		if came := sizes(t, config, "fetch", "--json"); len(came) != 15 || !maps.Equal(listed, came) {
			t.Errorf("%s: listed\n%v, came\n%v", way.uidl, listed, came)
		}
		fresh.quiet(t)
	}
}

// A subfolder is the one that Dovecot knows by that name.
func TestFolderInDovecot(t *testing.T) {
	t.Parallel()
	need(t, "doveadm")
	old, fresh := startDovecot(t), startDovecot(t)
	old.seed(t, realMail()[:2])
	const folder = "Gelöscht.Ärger & so"
	config := mover(t, old, fresh, fmt.Sprintf("folder = %q, flags = \"S\", mode = \"0644\"", folder))
	sizes(t, config, "fetch", "--json")
	out, err := exec.Command("doveadm", "-c", fresh.dir+"/dovecot.conf", "fetch", "-u", "bob", "mailbox flags", "mailbox", folder).CombinedOutput()
	if want := "mailbox: " + folder + "\nflags: \\Seen"; err != nil || strings.Count(string(out), want) != 2 {
		t.Errorf("%v\n%s, want twice %q", err, out, want)
	}
	fresh.quiet(t)
}
