package pop3_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3"
)

// session connects, over implicit TLS, by STLS or in clear, and asks for the capabilities.
func (d *dovecot) session(t *testing.T, way string, cert bool) (*pop3.Client, pop3.Caps) {
	t.Helper()
	cfg := &tls.Config{RootCAs: d.roots}
	if cert {
		cfg.Certificates = []tls.Certificate{d.client}
	}
	addr, opts := d.plain, new(pop3.DialOptions)
	if way == "implicit" {
		addr, opts.TLS = d.tls, cfg
	}
	c, err := pop3.Dial(t.Context(), "tcp", addr, opts)
	if err == nil && way == "STLS" {
		err = c.STLS(cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	caps, err := c.Capa().Wait()
	if err != nil {
		t.Fatal(err)
	}
	return c, caps
}

// Every mechanism against a real server, right and wrong. After a refusal the session is still in
// step.
func TestDovecot(t *testing.T) {
	d := startDovecot(t)
	right := pop3.Credentials{User: "tim", Password: "tanstaaf"}
	wrong := pop3.Credentials{User: "tim", Password: "tanstaaF"}
	hashed := pop3.Credentials{User: "joe", Password: "tanstaaf"}
	fresh := pop3.Credentials{User: "tim", Token: token("tim", time.Now().Add(time.Hour))}
	stale := pop3.Credentials{User: "tim", Token: token("tim", time.Now().Add(-time.Hour))}
	for _, way := range []string{"implicit", "STLS", "clear"} {
		for _, tt := range []struct {
			mech string
			cred pop3.Credentials
			cert bool
			used string // "": refused
		}{
			{"auto", right, false, "scram-sha-256"},
			{"user", right, false, "user"},
			{"apop", right, false, "apop"},
			{"plain", right, false, "plain"},
			{"login", right, false, "login"},
			{"cram-md5", right, false, "cram-md5"},
			{"scram-sha-1", right, false, "scram-sha-1"},
			{"scram-sha-256", right, false, "scram-sha-256"},
			{"external", right, true, "external"},
			{"auto", fresh, false, "xoauth2"},
			{"xoauth2", fresh, false, "xoauth2"},
			{"oauthbearer", fresh, false, "oauthbearer"},

			{"auto", wrong, false, ""},
			{"user", wrong, false, ""},
			{"apop", wrong, false, ""},
			{"plain", wrong, false, ""},
			{"login", wrong, false, ""},
			{"cram-md5", wrong, false, ""},
			{"scram-sha-1", wrong, false, ""},
			{"scram-sha-256", wrong, false, ""},
			{"external", right, false, ""},
			{"xoauth2", stale, false, ""},
			{"oauthbearer", stale, false, ""},

			{"plain", hashed, false, "plain"},
			{"auto", hashed, false, ""}, // SCRAM is announced, but there is nothing to do it with
		} {
			if way == "clear" && tt.cert || way != "implicit" && tt.used == "" {
				continue // a refusal takes half a second, and the way makes no difference to it
			}
			t.Run(strings.Join([]string{way, tt.mech, tt.cred.User, tt.used}, " "), func(t *testing.T) {
				t.Parallel()
				c, caps := d.session(t, way, tt.cert)
				used, err := pop3.Login(c, caps, true, tt.mech, tt.cred)
				if tt.used != "" {
					if n, _, stat := c.Stat().Wait(); used != tt.used || err != nil || n != 1 || stat != nil {
						t.Errorf("used %s: %v; %d messages: %v", used, err, n, stat)
					}
				} else {
					var refused *pop3.LoginError
					if !errors.As(err, &refused) || refused.Err.Code != "AUTH" {
						t.Errorf("used %s: %v", used, err)
					}
				}
				if err := c.Quit().Wait(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
