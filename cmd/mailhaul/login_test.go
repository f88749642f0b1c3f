package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startLogin runs the command and gives its output line by line.
func startLogin(t *testing.T, o *oauthAccount, args ...string) (in io.WriteCloser, lines *bufio.Scanner, wait func(want int) string) {
	t.Helper()
	cmd := exec.Command("mailhaul", append([]string{"-c", o.config, "login", "a"}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines = bufio.NewScanner(out)
	return in, lines, func(want int) string {
		t.Helper()
		var rest strings.Builder
		for lines.Scan() {
			rest.WriteString(lines.Text() + "\n")
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("status %d, want %d\n%s%s", got, want, rest.String(), stderr.String())
		}
		noToken(t, rest.String()+stderr.String())
		return rest.String() + stderr.String()
	}
}

// page reads the address that a browser is to open, and makes the provider know of it.
func page(t *testing.T, o *oauthAccount, lines *bufio.Scanner) (redirect, state string) {
	t.Helper()
	for lines.Scan() {
		if u, err := url.Parse(lines.Text()); err == nil && u.Scheme == "http" {
			q := u.Query()
			if q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" || q.Get("login_hint") != "user" || q.Get("scope") != "mail" || len(q.Get("state")) < 20 {
				t.Errorf("page %v", u)
			}
			o.change(func() { o.challenge, o.redirect = q.Get("code_challenge"), q.Get("redirect_uri") })
			return q.Get("redirect_uri"), q.Get("state")
		}
	}
	t.Fatal("no page to open")
	return "", ""
}

func get(t *testing.T, u string) int {
	t.Helper()
	r, err := http.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	return r.StatusCode
}

func TestLoginByBrowser(t *testing.T) {
	o := newOAuthAccount(t, "")
	if stderr := o.fetch(t, exNoPerm); !strings.Contains(stderr, "hint: to log in: mailhaul -c "+shellWord(o.config)+" login a\n") {
		t.Errorf("without a login: %s", stderr)
	}
	_, lines, wait := startLogin(t, o)
	redirect, state := page(t, o, lines)
	// Somebody else's answer, and another path, are not taken.
	if s := get(t, redirect+"?code=CODE-secret&state=wrong"); s != 400 {
		t.Errorf("another state: %d", s)
	}
	if s := get(t, strings.TrimSuffix(redirect, "/")+"/other?code=CODE-secret&state="+state); s != 404 {
		t.Errorf("another path: %d", s)
	}
	if s := get(t, redirect+"?code=CODE-secret&state="+state); s != 200 {
		t.Errorf("the answer: %d", s)
	}
	if out := wait(0); !strings.Contains(out, "a: logged in; the token is kept in "+o.file) {
		t.Errorf("it says %s", out)
	}
	for path, mode := range map[string]os.FileMode{o.file: 0o600, filepath.Dir(o.file): 0o700 | os.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v %v", path, info, err)
		}
	}
	o.fetch(t, 0)
	o.fetch(t, 0)
	if got := o.asked(); len(got) != 1 {
		t.Errorf("the provider was asked for %q", got)
	}
}

func TestLoginByPaste(t *testing.T) {
	o := newOAuthAccount(t, "")
	in, lines, wait := startLogin(t, o)
	redirect, state := page(t, o, lines)
	fmt.Fprintf(in, "nonsense\n\n%s?code=CODE-secret&state=other\n%s?state=%s&code=CODE-secret\n", redirect, redirect, state)
	if out := wait(0); strings.Count(out, "this is not the address") != 2 {
		t.Errorf("it says %s", out)
	}
	o.fetch(t, 0)
}

func TestLoginRefused(t *testing.T) {
	o := newOAuthAccount(t, "")
	_, lines, wait := startLogin(t, o)
	redirect, state := page(t, o, lines)
	get(t, redirect+"?error=access_denied&error_description=no%0ano&state="+state)
	if out := wait(exNoPerm); !strings.Contains(out, "access_denied") {
		t.Errorf("it says %s", out)
	}
	_, lines, wait = startLogin(t, o)
	redirect, state = page(t, o, lines)
	get(t, redirect+"?code=wrong&state="+state)
	if out := wait(exNoPerm); !strings.Contains(out, "invalid_grant") {
		t.Errorf("it says %s", out)
	}
	if _, err := os.Stat(o.file); err == nil {
		t.Error("a refused login has left tokens")
	}
}

func TestLoginByDevice(t *testing.T) {
	o := newOAuthAccount(t, "client_id = 'our-client'\nclient_secret = 'CLIENT/secret+x'\nscopes = ['mail']\ndevice_url = 'URL/device'\ntoken_url = 'URL/token'\n")
	o.change(func() { o.pending = 1 })
	_, lines, wait := startLogin(t, o)
	if !lines.Scan() || lines.Text() != "open https://example.com/device and enter the code WXYZ-1234" {
		t.Errorf("it says %s", lines.Text())
	}
	wait(0)
	o.fetch(t, 0)
}
