package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSecretNeverPrints(t *testing.T) {
	s := NewSecret(theSecret)
	type inner struct{ s Secret }
	deep := struct {
		Exported Secret
		hidden   Secret
		inner    inner
		list     []Secret
		account  Account
	}{s, s, inner{s}, []Secret{s}, Account{Secret: SecretSource{Value: s}}}
	var out strings.Builder
	for _, v := range []any{s, &s, deep, &deep, deep.account, errors.Join(fmt.Errorf("x: %v", s))} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(j)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
	}
	if strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), fmt.Sprintf("%x", "hunter2")) {
		t.Errorf("the secret is in %s", out.String())
	}
	if s.Reveal() != theSecret || (Secret{}).Reveal() != "" {
		t.Error("Reveal")
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("MH_PASSWORD", "from env")
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	file := func(name, text string, mode os.FileMode) string { return write(t, dir, name, text, mode) }
	good := file("good", " pass word \r\nsecond line\n", 0o600)
	open := file("open", "x\n", 0o644)
	empty := file("empty", "", 0o600)
	nul := file("nul", "a\x00b\n", 0o600)
	file("cred", "from systemd", 0o440)
	file(".netrc", "machine other login u password no\nmachine pop.example.com login u2 password no\n"+
		"machine POP.example.com. login u password \"p \\\" #1\"\ndefault password last\n", 0o600)

	sh := func(script string) SecretSource {
		return SecretSource{Kind: "password_command", Argv: []string{"/bin/sh", "-c", script}}
	}
	tests := []struct {
		name   string
		source SecretSource
		want   string // the secret
		status int
		text   string // in the error
	}{
		{"password", SecretSource{Kind: "password", Value: NewSecret("pw")}, "pw", 0, ""},
		{"file", SecretSource{Kind: "password_file", Name: good}, " pass word ", 0, ""},
		{"file open to others", SecretSource{Kind: "password_file", Name: open}, "", 78, "chmod 600"},
		{"no file", SecretSource{Kind: "password_file", Name: dir + "/none"}, "", 78, "no such file"},
		{"empty file", SecretSource{Kind: "password_file", Name: empty}, "", 78, "the first line of " + empty + " is empty"},
		{"NUL", SecretSource{Kind: "password_file", Name: nul}, "", 78, "a line break or a NUL"},
		{"env", SecretSource{Kind: "password_env", Name: "MH_PASSWORD"}, "from env", 0, ""},
		{"no env", SecretSource{Kind: "password_env", Name: "MH_NONE"}, "", 78, "$MH_NONE is not set"},
		{"credential", SecretSource{Kind: "credential", Name: "cred"}, "from systemd", 0, ""},
		{"netrc", SecretSource{Kind: "netrc"}, `p " #1`, 0, ""},
		{"nothing", SecretSource{}, "", 78, "no terminal to ask on"},

		{"command", sh("echo one; echo two"), "one", 0, ""},
		{"command, CRLF", sh(`printf 'one\r\n'`), "one", 0, ""},
		{"command, no line end", sh("printf one"), "one", 0, ""},
		{"command, CR inside", sh(`printf 'a\rb\n'`), "", 77, "a line break"},
		{"command, nothing", sh("true"), "", 77, "gave nothing"},
		{"command, no input", sh("cat; echo end"), "end", 0, ""},
		{"command, 1", sh("echo x; exit 1"), "", 77, "exited with status 1"},
		{"command, 75", sh("exit 75"), "", 75, "exited with status 75"},
		{"command, killed", sh("kill -9 $$"), "", 75, "died"},
		{"command, slow", sh("sleep 60"), "", 75, "ran longer than 1s"},
		{"command, slow child", sh("sleep 60; true"), "", 75, "ran longer than 1s"},
		{"command, missing", SecretSource{Kind: "password_command", Argv: []string{dir + "/none"}}, "", 78, "no such file"},
		{"command, endless", sh("yes secret | head -c 300000 | tr '\\n' x"), strings.Repeat("secretx", 10000)[:maxSecret], 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := &Account{Name: "a", User: "u", Server: Server{Host: "pop.example.com"}, Secret: tt.source, Timeout: time.Second}
			if !strings.HasPrefix(tt.name, "command, slow") {
				a.Timeout = time.Minute
			}
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer null.Close()
			begun := time.Now()
			s, err := readSecret(context.Background(), a, newAsker(null))
			if got := exitStatus(err); got != tt.status {
				t.Errorf("status %d, want %d: %v", got, tt.status, err)
			}
			if s.Reveal() != tt.want {
				t.Errorf("secret %q, want %q", s.Reveal(), tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v, want %q", err, tt.text)
			}
			if time.Since(begun) > 20*time.Second {
				t.Error("took too long")
			}
		})
	}
}

func TestReadSecretStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ready := filepath.Join(t.TempDir(), "ready")
	if err := os.MkdirAll(ready, 0o700); err != nil {
		t.Fatal(err)
	}
	a := &Account{Timeout: time.Minute, Secret: SecretSource{Kind: "password_command", Argv: []string{"/bin/sh", "-c", "rmdir " + ready + "; sleep 60"}}}
	go func() {
		for {
			if _, err := os.Stat(ready); err != nil {
				cancel()
				return
			}
		}
	}()
	_, err := readSecret(ctx, a, newAsker(os.Stderr))
	if exitStatus(err) != exTempFail {
		t.Errorf("stopped: %v, status %d", err, exitStatus(err))
	}
}

func TestNetrc(t *testing.T) {
	tests := []struct {
		text, want string
		ok         bool
	}{
		{"machine h login u password p", "p", true},
		{"machine h password p login u", "p", true},
		{"machine h login v password q machine h login u password p", "p", true},
		{"machine h password p", "p", true},
		{"machine g login u password q default login u password d", "d", true},
		{"# machine h login u password no\nmachine h # c\n login u\n\tpassword p#1 # c", "p#1", true},
		{`machine h login u password "a b\"c\\d"`, `a b"c\d`, true},
		{"machine h login u account x password p", "p", true},
		{"macdef init\nmachine h login u password no\n\nmachine h login u password p", "p", true},
		{"machine h login u", "", false},
		{"machine g login u password p", "", false},
		{"machine h login v password p", "", false},
		{"", "", false},
		{`machine h login u password "open`, "open", true},
	}
	for _, tt := range tests {
		if got, ok := searchNetrc(tt.text, "h", "u"); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: %q, %v", tt.text, got, ok)
		}
	}
}
