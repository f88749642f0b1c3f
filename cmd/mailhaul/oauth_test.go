package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
)

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
	if stderr := o.fetch(t, exNoPerm); !strings.Contains(stderr, "hint: to log in anew: mailhaul -c "+shellWord(o.config)+" login a\n") {
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
		{"revoked", func(o *oauthAccount) { o.provider.change(func() { o.refresh = "" }) }, exNoPerm, "hint: to log in: mailhaul -c "},
		{"down", func(o *oauthAccount) { o.provider.change(func() { o.status = 503 }) }, exTempFail, "the provider answers 503"},
		{"too many", func(o *oauthAccount) { o.provider.change(func() { o.status = 429 }) }, exTempFail, "the provider answers 429"},
		{"redirect", func(o *oauthAccount) { o.provider.change(func() { o.status = 302 }) }, exTempFail, "the provider answers 302"},
		{"revoked, with status 200", func(o *oauthAccount) {
			o.provider.change(func() { o.status, o.code = 200, "invalid_grant" })
		}, exNoPerm, "hint: to log in: mailhaul -c "},
		{"no token in it", func(o *oauthAccount) { o.provider.change(func() { o.status = 200 }) }, exTempFail, "oauth2: "},
		{"gone", func(o *oauthAccount) { o.Close() }, exTempFail, "refused"},
		{"open to others", func(o *oauthAccount) { os.Chmod(o.file, 0o644) }, exConfig, "is open to others"},
		{"damaged", func(o *oauthAccount) { os.WriteFile(o.file, []byte(`{"access_token":"ACCESS/secret`), 0o600) }, exConfig, "is damaged"},
		{"of another client", func(o *oauthAccount) {
			text, _ := os.ReadFile(o.config)
			os.WriteFile(o.config, []byte(strings.Replace(string(text), "our-client", "their-client", 1)), 0o600)
		}, exNoPerm, "hint: to log in: mailhaul -c "},
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
