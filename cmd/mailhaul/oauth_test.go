package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
)

// A provider is a token server, and knows which access tokens are good.
type provider struct {
	*httptest.Server
	mu        sync.Mutex
	n         int
	access    string // the good one
	refresh   string // the good one, "" after a revocation
	used      []string
	grants    []string // what was asked for, in order
	challenge string
	redirect  string
	pending   int           // how often the device flow is to be told to wait
	lifetime  int           // seconds
	status    int           // not 0: what everything is answered with, and
	code      string        // the error in it
	arrived   chan struct{} // if hold is not nil, told of each refresh
	hold      chan struct{} // not nil: a refresh waits for it
}

func newProvider(t *testing.T) *provider {
	p := &provider{lifetime: 3600}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// issue makes a new pair of tokens. The secrets have letters that forms and base64 change.
func (p *provider) issue(w http.ResponseWriter) {
	p.n++
	p.access, p.refresh = fmt.Sprintf("ACCESS/secret+%d==", p.n), fmt.Sprintf("REFRESH/secret+%d==", p.n)
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": p.access, "refresh_token": p.refresh, "token_type": "Bearer", "expires_in": p.lifetime})
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	arrived, hold := p.arrived, p.hold
	p.mu.Unlock()
	if hold != nil && r.Form.Get("grant_type") == "refresh_token" {
		arrived <- struct{}{}
		<-hold
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	fail := func(status int, code string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": "you sent " + r.Form.Encode() + r.Form.Get("refresh_token") + r.Form.Get("client_secret")})
	}
	grant := r.Form.Get("grant_type")
	p.grants = append(p.grants, grant)
	switch {
	case p.status != 0:
		w.Header().Set("Location", "/elsewhere")
		fail(p.status, p.code)
	case r.URL.Path == "/device":
		_ = json.NewEncoder(w).Encode(map[string]any{"device_code": "DEVICE-secret", "user_code": "WXYZ-1234", "verification_uri": "https://example.com/device", "interval": 1, "expires_in": 60})
	case r.Form.Get("client_id") != "our-client" || r.Form.Get("client_secret") != "CLIENT/secret+x":
		fail(401, "invalid_client")
	case grant == "urn:ietf:params:oauth:grant-type:device_code" && r.Form.Get("device_code") == "DEVICE-secret":
		if p.pending > 0 {
			p.pending--
			fail(400, "authorization_pending")
			return
		}
		p.issue(w)
	case grant == "authorization_code":
		sum := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
		if r.Form.Get("code") != "CODE-secret" || base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge || r.Form.Get("redirect_uri") != p.redirect {
			fail(400, "invalid_grant")
			return
		}
		p.issue(w)
	case grant == "refresh_token" && p.refresh != "" && r.Form.Get("refresh_token") == p.refresh:
		p.used = append(p.used, p.refresh)
		p.issue(w)
	default: // an old refresh token logs everyone out
		p.refresh = ""
		fail(400, "invalid_grant")
	}
}

// change changes the provider while it runs.
func (p *provider) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *provider) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.grants...)
}

func (p *provider) isGood(token string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return token != "" && token == p.access
}

// xoauth2 is the mechanism, which takes the provider's tokens.
func (p *provider) xoauth2(s *pop3test.Session, initial []byte, given bool) (string, error) {
	if !given {
		var err error
		if initial, err = s.Challenge(nil); err != nil {
			return "", err
		}
	}
	token := regexp.MustCompile("^user=user\x01auth=Bearer (.*)\x01\x01$").FindSubmatch(initial)
	if token == nil || !p.isGood(string(token[1])) {
		if _, err := s.Challenge([]byte(`{"status":"401","schemes":"bearer"}`)); err != nil {
			return "", err
		}
		return "", errors.New("refused")
	}
	return "user", nil
}

// An oauthAccount is an account with a provider and a server.
type oauthAccount struct {
	*provider
	srv    *pop3test.Server
	config string
	file   string
}

func newOAuthAccount(t *testing.T, keys string) *oauthAccount {
	t.Helper()
	p := newProvider(t)
	srv, err := pop3test.NewServer(pop3test.Config{Mechanisms: map[string]pop3test.Mechanism{"XOAUTH2": p.xoauth2}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	if keys == "" {
		keys = "client_id = 'our-client'\nclient_secret = 'CLIENT/secret+x'\nscopes = ['mail']\nauth_url = 'URL/auth'\ntoken_url = 'URL/token'\n"
	}
	config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.a]\nserver = %q\ntls = \"none\"\nuser = \"user\"\nkeep = true\ntimeout = \"20s\"\ndeliver = { maildir = %q }\n[accounts.a.oauth2]\n%s\n",
		dir+"/state", srv.Addr, dir+"/mail", strings.ReplaceAll(keys, "URL", p.URL)), 0o600)
	return &oauthAccount{p, srv, config, filepath.Join(dir, "state", "oauth2", "a.json")}
}

// loggedIn gives it tokens, without a login, that end after lifetime.
func (o *oauthAccount) loggedIn(t *testing.T, obtained time.Time, lifetime time.Duration) {
	t.Helper()
	o.change(func() { o.access, o.refresh = "ACCESS/secret+0==", "REFRESH/secret+0==" })
	b, _ := json.Marshal(&tokens{Version: 1, User: "user", ClientID: "our-client", TokenURL: o.URL + "/token",
		Access: "ACCESS/secret+0==", Refresh: "REFRESH/secret+0==", Obtained: obtained, Expiry: obtained.Add(lifetime)})
	write(t, filepath.Dir(o.file), filepath.Base(o.file), string(b), 0o600)
}

func (o *oauthAccount) fetch(t *testing.T, want int) (stderr string) {
	t.Helper()
	stdout, stderr, status := mailhaul(t, "-v", "--dialogue", "-c", o.config, "fetch")
	if status != want {
		t.Errorf("status %d, want %d\n%s%s", status, want, stdout, stderr)
	}
	noToken(t, stdout+stderr)
	return stderr
}

// keeps tells whether the good tokens are in the file.
func (o *oauthAccount) keeps(t *testing.T) bool {
	t.Helper()
	kept, err := readTokens(o.file)
	if err != nil {
		t.Fatal(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return kept.Refresh != "" && kept.Refresh == o.refresh && kept.Access == o.access
}

// noToken fails if a secret of a provider is in a text, in whatever form.
func noToken(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"ACCESS/secret", "REFRESH/secret", "CLIENT/secret", "CODE-secret", "DEVICE-secret"} {
		for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))[:12], base64.StdEncoding.EncodeToString([]byte("user=user\x01auth=Bearer " + secret))[:24]} {
			if strings.Contains(text, form) {
				t.Errorf("%q is in %s", form, text)
			}
		}
	}
}

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
	if stderr := o.fetch(t, exNoPerm); !strings.Contains(stderr, "hint: to log in: mailhaul login a\n") {
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

// A token is renewed before it ends, and when a clock says that it was obtained in the future. The
// refresh token that comes with it takes the place of the old one.
func TestTokenIsRenewed(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name     string
		obtained time.Time
		lifetime time.Duration
		renewed  bool
	}{
		{"fresh", now.Add(-time.Minute), time.Hour, false},
		{"about to end", now.Add(-59 * time.Minute), time.Hour, true},
		{"ended", now.Add(-2 * time.Hour), time.Hour, true},
		{"short, and fresh", now, time.Minute, false},
		{"the clock was ahead", now.Add(time.Hour), time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOAuthAccount(t, "")
			o.loggedIn(t, tt.obtained, tt.lifetime)
			o.fetch(t, 0)
			if got := o.asked(); len(got) > 0 != tt.renewed {
				t.Errorf("the provider was asked for %q", got)
			}
			o.fetch(t, 0)
			o.fetch(t, 0)
			if got := o.asked(); len(got) > 1 {
				t.Errorf("the provider was asked again: %q", got)
			}
			if !o.keeps(t) {
				t.Error("other tokens are kept than are good")
			}
			if left, _ := filepath.Glob(o.file + "*"); len(left) != 1 {
				t.Errorf("files %q", left)
			}
		})
	}
}

// A token that the server refuses although it should be good (a clock that is behind, or a
// revocation) is renewed once, on a new connection; refused again, it is over.
func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	o := newOAuthAccount(t, "")
	o.loggedIn(t, time.Now(), time.Hour)
	o.change(func() { o.access = "another" })
	o.fetch(t, 0)
	if got := o.asked(); len(got) != 1 || o.srv.Sessions() != 2 {
		t.Errorf("asked %q, %d sessions", got, o.srv.Sessions())
	}
	// Now the server takes none.
	if err := o.srv.Inject(pop3test.Fault{On: "AUTH *", Text: "[AUTH] no"}); err != nil {
		t.Fatal(err)
	}
	o.srv.Wait()
	sessions := o.srv.Sessions()
	// A refusal of AUTH itself is one of the mechanism: with the code it is about the credentials.
	if stderr := o.fetch(t, exNoPerm); !strings.Contains(stderr, "mailhaul login a") {
		t.Errorf("hint: %s", stderr)
	}
	if got := o.asked(); len(got) != 2 || o.srv.Sessions() != sessions+2 {
		t.Errorf("asked %q, %d sessions", got, o.srv.Sessions()-sessions)
	}
}

// Two runs at once renew once: with rotation, two would log the user out. check is the command
// here, for it locks no state: both come as far as the token.
func TestTwoRunsRenewOnce(t *testing.T) {
	o := newOAuthAccount(t, "")
	o.loggedIn(t, time.Now().Add(-2*time.Hour), time.Hour)
	arrived, hold := make(chan struct{}, 2), make(chan struct{})
	o.change(func() { o.arrived, o.hold = arrived, hold })
	var runs sync.WaitGroup
	start := func() {
		runs.Go(func() {
			if stdout, stderr, status := mailhaul(t, "-c", o.config, "check"); status != 0 {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
		})
	}
	start()
	<-arrived
	start()
	select {
	case <-arrived:
		t.Error("both renew")
	case <-time.After(500 * time.Millisecond): // the second one waits for the lock by now
	}
	close(hold)
	runs.Wait()
	if got := o.asked(); len(got) != 1 || !o.keeps(t) {
		t.Errorf("the provider was asked for %q", got)
	}
	o.fetch(t, 0)
}

func TestProviderFailures(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(o *oauthAccount)
		status int
		stderr string
	}{
		{"revoked", func(o *oauthAccount) { o.provider.change(func() { o.refresh = "" }) }, exNoPerm, "hint: to log in: mailhaul login a\n"},
		{"down", func(o *oauthAccount) { o.provider.change(func() { o.status = 503 }) }, exTempFail, "the provider answers 503"},
		{"too many", func(o *oauthAccount) { o.provider.change(func() { o.status = 429 }) }, exTempFail, "the provider answers 429"},
		{"redirect", func(o *oauthAccount) { o.provider.change(func() { o.status = 302 }) }, exTempFail, "the provider answers 302"},
		{"revoked, with status 200", func(o *oauthAccount) {
			o.provider.change(func() { o.status, o.code = 200, "invalid_grant" })
		}, exNoPerm, "hint: to log in: mailhaul login a\n"},
		{"no token in it", func(o *oauthAccount) { o.provider.change(func() { o.status = 200 }) }, exTempFail, "oauth2: "},
		{"gone", func(o *oauthAccount) { o.Close() }, exTempFail, "refused"},
		{"open to others", func(o *oauthAccount) { os.Chmod(o.file, 0o644) }, exConfig, "is open to others"},
		{"damaged", func(o *oauthAccount) { os.WriteFile(o.file, []byte(`{"access_token":"ACCESS/secret`), 0o600) }, exConfig, "is damaged"},
		{"of another client", func(o *oauthAccount) {
			text, _ := os.ReadFile(o.config)
			os.WriteFile(o.config, []byte(strings.Replace(string(text), "our-client", "their-client", 1)), 0o600)
		}, exNoPerm, "hint: to log in: mailhaul login a\n"},
		{"wrong client secret", func(o *oauthAccount) {
			text, _ := os.ReadFile(o.config)
			os.WriteFile(o.config, []byte(strings.Replace(string(text), "secret+x", "secret+y", 1)), 0o600)
		}, exConfig, "invalid_client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOAuthAccount(t, "")
			o.loggedIn(t, time.Now().Add(-2*time.Hour), time.Hour)
			tt.change(o)
			if stderr := o.fetch(t, tt.status); !strings.Contains(stderr, tt.stderr) {
				t.Errorf("standard error %s", stderr)
			}
			if o.srv.Sessions() > 0 {
				t.Error("a session was opened in vain")
			}
		})
	}
}

// A place that cannot be written to is found before the refresh token is used up.
func TestNoPlaceNoRefresh(t *testing.T) {
	o := newOAuthAccount(t, "")
	o.loggedIn(t, time.Now().Add(-2*time.Hour), time.Hour)
	if err := os.Mkdir(o.file+".tmp", 0o700); err != nil {
		t.Fatal(err)
	}
	o.fetch(t, exConfig)
	if got := o.asked(); len(got) != 0 {
		t.Errorf("the provider was asked for %q", got)
	}
}

func TestTokenCommand(t *testing.T) {
	dir := t.TempDir()
	script := write(t, dir, "token", "#!/bin/sh\necho x >>"+dir+"/runs\ncat "+dir+"/token.txt\n", 0o700)
	o := newOAuthAccount(t, "token_command = ['"+script+"']")
	o.change(func() { o.access = "ACCESS/secret+7==" })
	write(t, dir, "token.txt", "ACCESS/secret+7==\n", 0o600)
	o.fetch(t, 0)
	// A refused one is asked for once more.
	write(t, dir, "token.txt", "stale\n", 0o600)
	o.fetch(t, exNoPerm)
	if runs, _ := os.ReadFile(filepath.Join(dir, "runs")); string(runs) != "x\nx\nx\n" {
		t.Errorf("it ran %q", runs)
	}
	write(t, dir, "token", "#!/bin/sh\nexit 75\n", 0o700)
	if stderr := o.fetch(t, exTempFail); !strings.Contains(stderr, "token_command: ") {
		t.Errorf("standard error %s", stderr)
	}
}

// The provider is asked by the account's proxy.
func TestProviderByProxy(t *testing.T) {
	o := newOAuthAccount(t, "")
	o.loggedIn(t, time.Now().Add(-2*time.Hour), time.Hour)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := &testProxy{Listener: l, kind: "socks5", login: "ann:pw of ann"}
	go p.serve()
	_, port, _ := net.SplitHostPort(o.Listener.Addr().String())
	a := &Account{Name: "a", User: "user", Timeout: 10 * time.Second, Proxy: &Proxy{Scheme: "socks5", Addr: l.Addr().String(), User: "ann", Password: NewSecret("pw of ann")}}
	a.OAuth = &OAuth{ClientID: "our-client", ClientSecret: SecretSource{Kind: "password", Value: NewSecret("CLIENT/secret+x")}, TokenURL: o.URL + "/token", file: o.file}
	kept, err := readTokens(o.file)
	if err != nil {
		t.Fatal(err)
	}
	// A name that the proxy alone can look up.
	a.OAuth.TokenURL = "http://provider.example:" + port + "/token"
	kept.TokenURL = a.OAuth.TokenURL
	w, err := newTokenWriter(o.file)
	if err == nil {
		err = w.save(kept)
	}
	if err != nil {
		t.Fatal(err)
	}
	if token, err := a.OAuth.accessToken(t.Context(), a, newAsker(os.Stderr), ""); err != nil || !o.isGood(token) {
		t.Errorf("error %v", err)
	}
}

func TestTokensNeverPrint(t *testing.T) {
	k := &tokens{Access: "ACCESS/secret", Refresh: "REFRESH/secret"}
	noToken(t, fmt.Sprintf("%v %+v %#v %s", k, k, k, struct{ *tokens }{k}))
}
