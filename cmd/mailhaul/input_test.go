package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInputStops: a signal ends a command that waits for its input.
func TestInputStops(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	stdin := os.Stdin
	os.Stdin = r
	defer func() { os.Stdin = stdin }()
	config := filepath.Join(t.TempDir(), "config.toml")
	text := "state_dir = \"state\"\n[accounts.work]\nserver = \"127.0.0.1:1\"\ntls = \"none\"\nuser = \"user\"\ndeliver = { maildir = \"mail\" }\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(&signalError{syscall.SIGTERM})
	for _, line := range []string{
		"state import work", "report -", "fetch --only-failed -", "import fetchmail -", "import fetchmail --state -",
	} {
		var out, errs bytes.Buffer
		m := &program{report: &report{out: &out, err: &errs}}
		done := make(chan error, 1)
		go func() { done <- m.execute(ctx, append([]string{"mailhaul", "-c", config}, strings.Fields(line)...)) }()
		select {
		case err := <-done:
			if exitStatus(err) != exTempFail {
				t.Errorf("%s: status %d, want %d: %v", line, exitStatus(err), exTempFail, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: goes on waiting", line)
		}
	}
}
