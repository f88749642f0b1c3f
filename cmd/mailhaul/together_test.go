package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// TestTogether: runs of the same accounts at the same time, whose accounts share one destination, and
// commands that change their states meanwhile; some are killed at a random command of theirs, again and
// again. Each message arrives once.
func TestTogether(t *testing.T) {
	t.Parallel()
	rounds := 4
	if testing.Short() {
		rounds = 2
	}
	for _, kind := range []string{"maildir", "mbox", "command"} {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, keep %v", kind, keep), func(t *testing.T) {
				t.Parallel()
				newTogether(t, kind, keep).attack(rounds)
			})
		}
	}
}

// A together is what the runs have in common.
type together struct {
	t      *testing.T
	kind   string
	path   string
	config string
	srv    *pop3test.Server
	texts  []string
	keep   bool
	kills  int

	mu      sync.Mutex
	running []*exec.Cmd
	left    int // commands to the server until one of them is killed
}

func newTogether(t *testing.T, kind string, keep bool) *together {
	g := &together{t: t, kind: kind, keep: keep}
	users := map[string]pop3test.User{}
	for _, user := range []string{"a", "b"} {
		var msgs []pop3test.Message
		for i := range 40 {
			end := fmt.Sprintf("number %d of %s\r\n", i, user)
			msgs = append(msgs, pop3test.Message{UID: fmt.Sprint("uid", i), Text: "Subject: x\r\n\r\n" + strings.Repeat("text\r\n", i*10) + end})
			g.texts = append(g.texts, end)
		}
		users[user] = pop3test.User{Password: "secret", Messages: msgs}
	}
	var err error
	g.srv, err = pop3test.NewServer(pop3test.Config{Users: users, Reply: g.count})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.srv.Close)
	dir := t.TempDir()
	g.path = filepath.Join(dir, "mail")
	deliver := fmt.Sprintf("%s = %q", kind, g.path)
	if kind == "command" {
		if err := os.Mkdir(g.path, 0o700); err != nil {
			t.Fatal(err)
		}
		deliver = fmt.Sprintf(`command = ["sh", "-c", 'exec cat >%s/$$']`, g.path)
	}
	text := fmt.Sprintf("state_dir = %q\n[defaults]\nserver = %q\ntls = \"none\"\npassword = \"secret\"\nkeep = %v\ndeliver = { %s }\n", dir+"/state", g.srv.Addr, keep, deliver)
	for user := range users {
		text += fmt.Sprintf("[accounts.%s]\nuser = %q\n", user, user)
	}
	g.config = write(t, dir, "c.toml", text, 0o600)
	write(t, dir, "ids", "other-1\nother-2\n", 0o600)
	return g
}

// count kills one of the runs when so many commands have come.
func (g *together) count(*pop3test.Session, string) (string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.left--; g.left == 0 && len(g.running) > 0 {
		g.running[rand.IntN(len(g.running))].Process.Kill()
		g.left = 1 + rand.IntN(60)
	}
	return "", false
}

// held says who has the lock, unless that one is just ending.
var held = regexp.MustCompile(`state file ".*" is locked by another run(: process [0-9]+(, started .*)?)?\n`)

// attack does rounds in which runs are killed, one in which none is, and counts.
func (g *together) attack(rounds int) {
	for round := range rounds {
		g.mu.Lock()
		g.left = 1 + rand.IntN(60)
		g.mu.Unlock()
		g.round(round, true)
	}
	g.mu.Lock()
	g.left = 0
	g.mu.Unlock()
	if g.kind == "command" {
		rounds++ // a round that ends without a kill leaves nothing in doubt
	}
	g.round(rounds, false)
	if stdout, stderr, status := mailhaul(g.t, "-c", g.config, "fetch"); status != 0 || !g.keep && stdout != "" {
		g.t.Fatalf("at the end: status %d\n%s%s", status, stdout, stderr)
	}
	g.look()
}

// round lets some run together. If none is killed, those that wait for the lock must succeed.
func (g *together) round(round int, kills bool) {
	commands := [][]string{{"fetch"}, {"fetch", "--wait", "30s"}, {"fetch", "--wait", "30s", "a"},
		{"state", "import", "b", filepath.Join(filepath.Dir(g.config), "ids")}, {"state", "forget", "b", "other-1"}, {"state", "show", "a"},
		{"state", "adopt", "a"}, {"state", "adopt", "b", "a"}, {"verify", "a"}}
	var all []*exec.Cmd
	stderrs := make([]bytes.Buffer, len(commands))
	for i, args := range commands {
		cmd := exec.Command("mailhaul", append([]string{"-c", g.config}, args...)...)
		cmd.Stderr = &stderrs[i]
		all = append(all, cmd)
		g.mu.Lock()
		if err := cmd.Start(); err != nil {
			g.t.Error(err)
		}
		if kills && i < 3 {
			g.running = append(g.running, cmd)
		}
		g.mu.Unlock()
	}
	for i, cmd := range all {
		err := cmd.Wait()
		g.mu.Lock()
		for j, r := range g.running {
			if r == cmd {
				g.running = append(g.running[:j:j], g.running[j+1:]...)
				break
			}
		}
		g.mu.Unlock()
		var exit *exec.ExitError
		status := 0
		if errors.As(err, &exit) {
			status = exit.ExitCode()
		}
		text := stderrs[i].String()
		switch waits := i == 1 || i == 2; {
		case status == -1 && kills:
			g.kills++
		case status == 0, commands[i][0] != "fetch" && (status == exUsage || status == exConfig || status == exDataErr):
		case status == exTempFail && !waits && held.MatchString(text):
		default:
			g.t.Errorf("round %d, %q: status %d\n%s", round, commands[i], status, text)
		}
	}
}

// look counts.
func (g *together) look() {
	got := storedAt(g.t, g.kind, g.path)
	extra := 0
	for _, end := range g.texts {
		n := ending(got, end)
		if n == 0 {
			g.t.Errorf("lost: %q", end)
		}
		extra += max(n-1, 0)
	}
	if extra > 0 && g.kind != "command" || extra > 2*g.kills { // a run has one command for each account
		g.t.Errorf("%d doubles after %d kills", extra, g.kills)
	}
	if len(got) != len(g.texts)+extra {
		g.t.Errorf("%d stored, %d sent, %d of them again", len(got), len(g.texts), extra)
	}
	g.t.Logf("%d kills, %d doubles", g.kills, extra)
}
