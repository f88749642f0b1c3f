package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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
