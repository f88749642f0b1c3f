package pop3_test

import (
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/pop3/pop3test"
)

// A login waits for the server as often as its mechanism has it, and no more: the initial response
// goes with AUTH wherever it may. The greeting comes by itself.
func TestLoginWaits(t *testing.T) {
	tokenCred := pop3.Credentials{User: "user", Token: "ya29"}
	for _, tt := range []struct {
		mech      string
		cred      pop3.Credentials
		announced int // waits if the mechanism is
		not       int
	}{
		{"user", userCred, 2, 2}, // PASS must not go out before USER is answered
		{"apop", userCred, 1, 1},
		{"plain", userCred, 1, 2},
		{"login", userCred, 3, 3},
		{"cram-md5", userCred, 2, 2},
		{"scram-sha-1", userCred, 3, 4},
		{"scram-sha-256", userCred, 3, 4},
		{"scram-sha-1-plus", userCred, 3, 4},
		{"scram-sha-256-plus", userCred, 3, 4},
		{"external", userCred, 1, 2},
		{"xoauth2", tokenCred, 2, 2}, // Microsoft's servers close the connection at one line
		{"oauthbearer", tokenCred, 2, 2},
	} {
		for _, announced := range []bool{true, false} {
			srv := newServer(t, pop3test.Config{
				TLS:   pop3test.ImplicitTLS,
				Stamp: "<1896.697170952@dbc.mtview.ca.us>",
				Mechanisms: map[string]pop3test.Mechanism{
					"LOGIN":              serveLogin,
					"CRAM-MD5":           serveCramMD5,
					"SCRAM-SHA-1":        (&scramServer{hash: scram.SHA1, binding: exporter}).serve,
					"SCRAM-SHA-256":      (&scramServer{hash: scram.SHA256, binding: exporter}).serve,
					"SCRAM-SHA-1-PLUS":   (&scramServer{hash: scram.SHA1, binding: exporter, plus: true}).serve,
					"SCRAM-SHA-256-PLUS": (&scramServer{hash: scram.SHA256, binding: exporter, plus: true}).serve,
					"EXTERNAL":           serveOne("user"),
					"XOAUTH2":            serveOne("auth=Bearer ya29\x01\x01"),
					"OAUTHBEARER":        serveOne("auth=Bearer ya29\x01\x01"),
				},
			})
			c, err := pop3.Dial(t.Context(), "tcp", srv.Addr, &pop3.DialOptions{TLS: roots(srv)})
			if err != nil {
				t.Fatal(err)
			}
			caps, err := c.Capa().Wait()
			if err != nil {
				t.Fatal(err)
			}
			if !announced && tt.mech != "scram-sha-1" && tt.mech != "scram-sha-256" {
				caps = nil
			} else if !announced { // but -PLUS is, else the server smells a rat
				caps = pop3.Caps{"SASL SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS"}
			}
			before := srv.Waits()
			if used, err := pop3.Login(c, caps, true, tt.mech, tt.cred); used != tt.mech || err != nil {
				t.Errorf("%s: used %s: %v", tt.mech, used, err)
			}
			want := tt.not
			if announced {
				want = tt.announced
			}
			if got := srv.Waits() - before; got != want {
				t.Errorf("%s, announced %v: %d waits, want %d", tt.mech, announced, got, want)
			}
			if srv.Early() != 0 {
				t.Errorf("%s: %d octets were sent too early", tt.mech, srv.Early())
			}
			c.Close()
			srv.Close()
		}
	}
}

// What does not fit into 255 octets waits once more.
func TestLoginWaitsLong(t *testing.T) {
	user := strings.Repeat("u", 180)
	m := &scramServer{hash: scram.SHA256}
	srv := newServer(t, pop3test.Config{
		User:       user,
		Password:   "secret",
		Mechanisms: map[string]pop3test.Mechanism{"SCRAM-SHA-256": m.serve},
	})
	c, err := pop3.Dial(t.Context(), "tcp", srv.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	before := srv.Waits()
	used, err := pop3.Login(c, pop3.Caps{"SASL SCRAM-SHA-256"}, true, "auto", pop3.Credentials{User: user, Password: "secret"})
	if waits := srv.Waits() - before; used != "scram-sha-256" || err != nil || waits != 4 {
		t.Errorf("used %s: %v; %d waits", used, err, waits)
	}
}
