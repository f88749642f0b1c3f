package main

import (
	"bytes"
	"context"
	"fmt"
	"testing"
)

// A comparison that is stopped at its very end, when nothing is left to read, says so: that nothing is told would
// mean that all agrees.
func TestVerifyStopped(t *testing.T) {
	dir := t.TempDir()
	config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.x]\nserver = \"127.0.0.1\"\ntls = \"none\"\nuser = \"user\"\npassword = \"secret\"\ndeliver = { command = [\"cat\"] }\n", dir), 0o600)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, told bytes.Buffer
	m := &program{report: &report{out: &out, err: &told}}
	err := m.execute(ctx, []string{"mailhaul", "-c", config, "verify", "--offline", "x"})
	if status := exitStatus(err); status != exTempFail || out.Len() > 0 {
		t.Errorf("status %d\n%s%s", status, &out, &told)
	}
}
