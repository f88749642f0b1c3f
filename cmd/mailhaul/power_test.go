//go:build linux

package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
)

var (
	powerSeed   = flag.Uint64("power.seed", 1, "of what TestPowerCut chooses")
	powerStates = flag.Int("power.states", 100, "how many disks TestPowerCut tries for each destination and program run")
)

// keeper is a command that says yes when the message is on disk.
const keeper = `f=$(mktemp "$1/tmp/XXXXXXXX") && dd of="$f" bs=64k conv=fsync status=none && mv -n "$f" "$1/new/" && sync "$1/new"`

// TestPowerCut has the power go at every step of a run, and what was not synced then come to the disk
// or not. The runs behind it must end with each message once. It is repeated with a few of those
// runs, so that it goes twice.
func TestPowerCut(t *testing.T) {
	need(t, "strace")
	for _, tt := range []struct {
		name, deliver string // DIR stands for the directory
		at            [][2]string
		messages      int
		states        int // a part of all, as one
	}{
		{"maildir", `{ maildir = "DIR/mail/in" }`, [][2]string{{"maildir", "mail/in"}}, 14, 1},
		{"mbox", `{ mbox = "DIR/mbox" }`, [][2]string{{"mbox", "mbox"}}, 9, 1},
		{"uidlist", `{ maildir = "DIR/mail", uidl = "dovecot" }`, [][2]string{{"maildir", "mail"}}, 14, 1},
		{"two", `[ { maildir = "DIR/mail" }, { mbox = "DIR/mbox" } ]`, [][2]string{{"maildir", "mail"}, {"mbox", "mbox"}}, 9, 1},
		{"command", `{ command = ["sh", "-c", '` + keeper + `', "sh", "DIR/out"] }`, [][2]string{{"command", "out/new"}}, 4, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newPowerCut(t, tt.deliver, tt.at, tt.messages)
			c.states = *powerStates / tt.states
			c.record(c.msgs[:tt.messages/3])
			first := len(c.disk.steps)
			c.record(c.missing(c.gone(first, false)))
			again := c.try()
			if t.Failed() {
				return
			}
			c.states = *powerStates / tt.states / 3
			kills := c.unsynced(first)
			slices.Reverse(kills) // the last are what Find must sync
			for _, n := range kills[:min(4, len(kills))] {
				c.kill(n)
				c.try()
			}
			for _, m := range again[:min(2, len(again))] {
				c.put(m)
				c.how, c.cuts = m.what, m.cuts
				c.sessions, c.before = nil, m.gone
				c.begin()
				c.record(c.missing(m.gone))
				c.try()
			}
			t.Logf("seed %d: %d cuts, %d different disks", *powerSeed, c.points, c.tried)
		})
	}
}

// A powerCut is a destination, and what runs have made of it.
type powerCut struct {
	t    *testing.T
	base string // of all files; those of the disk are in base/disk
	at   [][2]string
	msgs []pop3test.Message
	disk *disk
	// whole are the steps of the first runs, and behind which ones they were durable, when others are
	// recorded that begin with a part of them.
	whole   []*step
	durable []int
	pool    pool
	first   int // steps of disk that are from before
	before  []string
	rand    *rand.Rand
	states  int
	how     string // it came to what is recorded
	cuts    int    // so far

	sessions      []powerSession
	points, tried int
}

// A powerSession is a session with the server, whose first step is that with the number.
type powerSession struct {
	first  int
	listed []pop3test.Message
}

func newPowerCut(t *testing.T, deliver string, at [][2]string, messages int) *powerCut {
	base, err := os.MkdirTemp("/dev/shm", "power")
	if err != nil {
		base = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	c := &powerCut{t: t, base: base, at: at, rand: rand.New(rand.NewPCG(*powerSeed, 0))}
	for i := range messages {
		uid := fmt.Sprint("uid-", i+1)
		c.msgs = append(c.msgs, pop3test.Message{UID: uid, Text: "Subject: " + uid + "\r\n\r\n" +
			strings.Repeat("From here to there.\r\n", 5+i*i*2) + "end of " + uid + "\r\n"})
	}
	write(t, base, "c.toml", strings.ReplaceAll(fmt.Sprintf("state_dir = 'DIR/state'\n[accounts.x]\nserver = 'unix:%s/pop'\ntls = 'none'\nuser = 'user'\npassword = 'secret'\ndeliver = %s\n",
		base, deliver), "DIR", base+"/disk"), 0o600)
	for _, dir := range []string{"/aside", "/disk/out/tmp", "/disk/out/new"} {
		if err := os.MkdirAll(base+dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c.begin()
	return c
}

// begin takes the disk as it is, and as durable.
func (c *powerCut) begin() {
	var err error
	if c.disk, err = newDisk(c.base + "/disk"); err != nil {
		c.t.Fatal(err)
	}
	c.first = len(c.disk.steps)
	c.pool = make(pool)
}

func (c *powerCut) serve(msgs []pop3test.Message) *pop3test.Server {
	l, err := net.Listen("unix", c.base+"/pop")
	if err != nil {
		c.t.Fatal(err)
	}
	srv, err := pop3test.NewServer(pop3test.Config{Listener: l}, msgs...)
	if err != nil {
		c.t.Fatal(err)
	}
	return srv
}

// record runs the program, against a server with these messages, and remembers its steps.
func (c *powerCut) record(msgs []pop3test.Message) {
	c.sessions = append(c.sessions, powerSession{len(c.disk.steps), msgs})
	srv := c.serve(msgs)
	defer srv.Close()
	if err := c.disk.trace(c.base+"/trace", "mailhaul", "-c", c.base+"/c.toml", "fetch"); err != nil {
		c.t.Fatal(err)
	}
	if err := c.pool.fill(c.disk); err != nil {
		c.t.Fatal(err)
	}
}

// unsynced gives, of the first n steps, those before which something of a destination was not durable
// that was behind them.
func (c *powerCut) unsynced(n int) (steps []int) {
	for i := c.first; i < n; i++ {
		if slices.ContainsFunc(c.disk.steps[:i], func(s *step) bool { return s.durable == i+1 && !strings.Contains(s.what, "/state") }) {
			steps = append(steps, i)
		}
	}
	return steps
}

// kill has the first run be killed behind n steps, with no power cut, and records the one behind it.
func (c *powerCut) kill(n int) {
	if c.whole == nil {
		c.whole = c.disk.steps
		for _, s := range c.whole {
			c.durable = append(c.durable, s.durable)
		}
	}
	for i, s := range c.whole {
		s.durable = c.durable[i]
	}
	c.disk.steps = slices.Clone(c.whole)
	c.disk.kill(n)
	c.sessions = c.sessions[:1]
	c.first, c.how, c.cuts = n, fmt.Sprintf("killed behind step %d, %s", n, c.disk.steps[n-1].what), 1
	c.put(aftermath{picture: c.disk.after(n, nil, nil)})
	c.record(c.missing(c.gone(n, false)))
}

// gone gives the unique-ids that the server no longer has behind the first n steps: those of a
// session that has said QUIT, or with early all for which it has said DELE, as some servers do.
func (c *powerCut) gone(n int, early bool) []string {
	gone := slices.Clone(c.before)
	for i, s := range c.sessions {
		end := n
		if i+1 < len(c.sessions) {
			end = min(end, c.sessions[i+1].first)
		}
		var said strings.Builder
		for _, step := range c.disk.steps[min(s.first, end):end] {
			said.WriteString(step.said)
		}
		var marked []string
		quit := false
		for line := range strings.Lines(said.String()) {
			num, isDele := strings.CutPrefix(strings.TrimSpace(line), "DELE ")
			if k, err := strconv.Atoi(num); isDele && err == nil {
				marked = append(marked, s.listed[k-1].UID)
			}
			quit = quit || strings.TrimSpace(line) == "QUIT"
		}
		if quit || early {
			gone = append(gone, marked...)
		}
	}
	slices.Sort(gone)
	return gone
}

// missing are the messages without those that are gone.
func (c *powerCut) missing(gone []string) []pop3test.Message {
	return slices.DeleteFunc(slices.Clone(c.msgs), func(m pop3test.Message) bool { return slices.Contains(gone, m.UID) })
}

// An aftermath is what a power cut has left.
type aftermath struct {
	what    string
	picture picture
	gone    []string // from the server
	cuts    int
}

// try runs the program upon what power cuts leave, as many as there shall be. It returns some of them
// that a run had something to do with.
func (c *powerCut) try() (some []aftermath) {
	begun := time.Now()
	all := c.aftermaths()
	for _, m := range all {
		c.put(m)
		c.finish(m)
		if c.t.Failed() {
			return nil
		}
	}
	c.tried += len(all)
	c.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, m := range all {
		if len(m.gone) < len(c.msgs)/2 {
			some = append(some, m)
		}
	}
	c.t.Logf("%d disks in %v", len(all), time.Since(begun).Round(time.Millisecond))
	return some
}

// put makes the disk that of an aftermath. It takes a while until a system runs again.
func (c *powerCut) put(m aftermath) {
	dir := c.base + "/disk"
	if err := m.picture.put(dir, c.base+"/aside", c.pool); err != nil {
		c.t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".lock") {
			return os.Chtimes(path, past, past)
		}
		return nil
	})
}

// finish runs the program twice, and looks at what it has made.
func (c *powerCut) finish(m aftermath) {
	srv := c.serve(c.missing(m.gone))
	defer srv.Close()
	var out bytes.Buffer
	for range 2 {
		p := &program{report: &report{out: &out, err: &out}}
		if err := p.execute(context.Background(), []string{"mailhaul", "-c", c.base + "/c.toml", "fetch"}); err != nil {
			c.t.Errorf("status %d: %v", exitStatus(err), err)
		}
	}
	srv.Wait()
	if left := srv.UIDs(); len(left) > 0 {
		c.t.Errorf("the server has still %v", left)
	}
	for _, at := range c.at {
		c.look(at[0], filepath.Join(c.base, "disk", at[1]), m.cuts)
	}
	if c.t.Failed() {
		c.t.Logf("seed %d, %s\n%s\n%s", *powerSeed, c.how, m.what, out.String())
	}
}

// look fails if a message is not once in a destination. A command may have one again for each cut.
func (c *powerCut) look(kind, path string, cuts int) {
	count := make(map[string]int)
	if _, err := os.Stat(path); err == nil {
		for _, text := range storedAt(c.t, kind, path) {
			count[text]++
		}
	}
	again := 0
	for _, m := range c.msgs {
		text := strings.ReplaceAll(m.Text, "\r\n", "\n")
		n := count[text]
		delete(count, text)
		if n > 1 && kind == "command" {
			again += n - 1
		} else if n != 1 {
			c.t.Errorf("%s is %d times in the %s", m.UID, n, kind)
		}
	}
	if again > cuts {
		c.t.Errorf("the command had %d messages again", again)
	}
	if list, err := os.ReadFile(path + "/dovecot-uidlist"); err == nil {
		files, _ := filepath.Glob(path + "/new/*")
		for _, f := range files {
			before, _, _ := strings.Cut(string(list), ":"+filepath.Base(f)+"\n")
			if line := before[strings.LastIndexByte(before, '\n')+1:]; len(before) == len(list) || !strings.Contains(line, " Puid-") {
				c.t.Errorf("%s has no unique-id in %q", filepath.Base(f), list)
			}
		}
	} else if strings.Contains(c.t.Name(), "uidlist") {
		c.t.Error(err)
	}
	for text := range count {
		c.t.Errorf("what is this in the %s: %.200q", kind, text)
	}
}
