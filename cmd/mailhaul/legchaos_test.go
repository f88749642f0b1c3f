package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
)

// Destinations come and go, change places, are away for a while, and runs are killed: no destination gets a
// message twice, and none is deleted before all that are configured have it.
func TestLegChaos(t *testing.T) {
	t.Parallel()
	srv, err := pop3test.NewServer(pop3test.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	l := &legAccount{t, t.TempDir(), srv}
	names := []string{"one", "two", "three"}
	away := map[string]bool{}
	var now []string
	n := 0
	var history []string
	for step := range 12 {
		for range rand.IntN(3) {
			n++
			srv.Add(legMessage(fmt.Sprintf("m%03d", n)))
		}
		if step == 0 || rand.IntN(3) == 0 {
			next := make([]string, 0, 3)
			for _, i := range rand.Perm(3)[:1+rand.IntN(3)] {
				next = append(next, names[i])
			}
			// Else the only one was given another name.
			if step == 0 || slices.ContainsFunc(next, func(name string) bool { return slices.Contains(now, name) }) {
				now = next
			}
		}
		for _, name := range names {
			path := filepath.Join(l.dir, name)
			switch {
			case away[name] && rand.IntN(2) == 0:
				os.Remove(path)
				os.Rename(path+".away", path)
				away[name] = false
			case !away[name] && rand.IntN(4) == 0:
				os.Rename(path, path+".away")
				os.WriteFile(path, nil, 0o600)
				away[name] = true
			}
		}
		keep := ""
		if rand.IntN(4) == 0 {
			keep = "keep "
		}
		before := srv.UIDs()
		dests := keep + strings.Join(now, " ")
		config := l.config(dests)
		args := []string{"-c", config, "fetch", "--retry"}
		kill := rand.IntN(3) == 0
		cmd := exec.Command("mailhaul", args...)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if kill {
			timer := time.AfterFunc(time.Duration(5+rand.IntN(100))*time.Millisecond, func() { cmd.Process.Kill() })
			defer timer.Stop()
		}
		err := cmd.Wait()
		srv.Wait()
		history = append(history, fmt.Sprintf("%d: %s away %v kill %v: %v", step, dests, away, kill, err))
		after := srv.UIDs()
		place := func(name string) string {
			if away[name] {
				return name + ".away"
			}
			return name
		}
		bad := false
		for _, name := range names {
			files := storedAt(t, "maildir", filepath.Join(l.dir, place(name), "mail"))
			for i := range n {
				uid := fmt.Sprintf("m%03d", i+1)
				c := ending(files, "end of "+uid+"\r\n")
				if c > 1 {
					t.Errorf("%s has %s %d times", name, uid, c)
					bad = true
				}
				if c == 0 && slices.Contains(before, uid) && !slices.Contains(after, uid) && slices.Contains(now, name) {
					t.Errorf("%s is gone, and %s has not got it", uid, name)
					bad = true
				}
			}
		}
		if bad || strings.Contains(out.String(), "panic") {
			t.Fatalf("%s\n%s", strings.Join(history, "\n"), out.String())
		}
	}
}
