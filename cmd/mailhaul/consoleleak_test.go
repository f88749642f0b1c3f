package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// A person who logs in by hand sees no secret again, whatever the server makes of it, nor does the
// dialogue.
func TestConsoleRepeatsNoSecret(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	cfg := pop3test.Config{
		Password:   theSecret,
		Mechanisms: map[string]pop3test.Mechanism{"PLAIN": echo(2), "LOGIN": echo(3), "XOAUTH2": echo(2)},
		Reply: func(_ *pop3test.Session, line string) (string, bool) {
			return "-ERR not so: " + line, strings.HasPrefix(line, "PASS")
		},
	}
	srv, err := pop3test.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	dir := t.TempDir()
	config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.a]\nserver = %q\nuser = 'user'\ntls = 'none'\ndeliver = { maildir = 'm' }\n", dir, srv.Addr), 0o600)
	plain, token := b64([]byte("\x00user\x00"+theSecret)), b64([]byte("user=user\x01auth=Bearer "+theSecret+"\x01\x01"))
	for name, lines := range map[string][]string{
		"PASS":                    {"USER user", "PASS " + theSecret},
		"PASS behind a tab":       {"USER user", "PASS\t" + theSecret},
		"PLAIN":                   {"AUTH PLAIN", plain, "", "*"},
		"PLAIN, initial response": {"AUTH PLAIN " + plain, "", ""},
		"LOGIN":                   {"AUTH LOGIN", b64([]byte("user")), b64([]byte(theSecret)), "*"},
		"XOAUTH2":                 {"auth XOAUTH2", token, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("mailhaul", "-c", config, "--dialogue", "console", "--no-login", "a")
			cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\nQUIT\n")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			_ = cmd.Run() // refused
			if !strings.Contains(out.String(), "-ERR") || !strings.Contains(out.String(), "+OK bye") {
				t.Errorf("the session was\n%s", out.String())
			}
			if form := leaked(out.String(), theSecret); form != "" {
				t.Errorf("%q is in\n%s", form, out.String())
			}
		})
	}
}
