package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// A whole session by hand with a real server: a login in three lines, every message as it is stored,
// and DELE with QUIT.
func TestConsoleOnDovecot(t *testing.T) {
	t.Parallel()
	d := startDovecot(t)
	mail := realMail()
	d.seed(t, mail)
	dir := t.TempDir()
	config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.real]\nserver = %q\ntls = \"none\"\nuser = \"bob\"\npassword = \"secret\"\ndeliver = { maildir = \"m\" }\n",
		dir+"/state", d.addr), 0o600)
	session := func(script string, options ...string) string {
		t.Helper()
		cmd := exec.Command("mailhaul", append([]string{"-c", config, "console", "real"}, options...)...)
		cmd.Stdin = strings.NewReader(script)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v\n%s%s", script, err, out, stderr.String())
		}
		return string(out)
	}
	out := session("AUTH LOGIN\nYm9i\nc2VjcmV0\nSTAT\nUIDL 1\nQUIT\n", "--no-login")
	for _, want := range []string{"+ VXNlcm5hbWU6\n", "+ UGFzc3dvcmQ6\n", "+OK Logged in.\n", fmt.Sprintf("+OK %d ", len(mail)), "+OK 1 "} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
	for i, m := range mail {
		want := strings.ReplaceAll(m, "\n.", "\n..")
		if !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		out := session(fmt.Sprintf("RETR %d\nNOOP\n", i+1))
		_, text, _ := strings.Cut(out, "\n")
		if text, ok := strings.CutSuffix(text, ".\n+OK\n"); !ok || text != want {
			t.Errorf("message %d: %.200q", i+1, out)
		}
	}
	session("DELE 2\n") // without QUIT
	session("DELE 1\nDELE 3\nRSET\nDELE 4\nQUIT\n")
	if out := session("STAT\nQUIT\n"); !strings.HasPrefix(out, fmt.Sprintf("+OK %d ", len(mail)-1)) {
		t.Errorf("%s", out)
	}
}
