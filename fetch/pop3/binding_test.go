package pop3_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/pop3/pop3test"
)

var userCred = pop3.Credentials{User: "user", Password: "secret"}

// login dials, asks for the capabilities and logs in.
func login(t *testing.T, srv *pop3test.Server, cfg *tls.Config, mech string) (used string, err error) {
	t.Helper()
	c, err := pop3.Dial(t.Context(), "tcp", srv.Addr, &pop3.DialOptions{TLS: cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	caps, err := c.Capa().Wait()
	if err != nil {
		t.Fatal(err)
	}
	if used, err = pop3.Login(c, caps, true, mech, userCred); err == nil {
		if _, _, err := c.Stat().Wait(); err != nil {
			t.Errorf("%s: not logged in: %v", used, err)
		}
		if err := c.Quit().Wait(); err != nil {
			t.Error(err)
		}
	}
	return used, err
}

// verbs returns the first words of the commands that the client sent, of AUTH two; the lines of an
// exchange are left out.
func verbs(srv *pop3test.Server) string {
	var all []string
	for _, line := range srv.Commands(0) {
		verb, rest, _ := strings.Cut(line, " ")
		if mech, _, _ := strings.Cut(rest, " "); verb == "AUTH" {
			verb += " " + mech
		} else if len(verb) != 4 {
			continue
		}
		all = append(all, verb)
	}
	return strings.Join(all, ", ")
}

func ed25519Certificate(t *testing.T) tls.Certificate {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"a"}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Each type of binding where it belongs, with both hashes, and what is sent where there is none.
func TestChannelBinding(t *testing.T) {
	var cert tls.Certificate // of the server
	for _, tt := range []struct {
		name    string
		version uint16
		resumed bool
		ed25519 bool
		binding func(*pop3test.Session) scram.ChannelBinding
		plus    bool // -PLUS is announced
		used    string
		gs2     string
	}{
		{"TLS 1.3", tls.VersionTLS13, false, false, exporter, true, "-plus", "p=tls-exporter,,"},
		{"TLS 1.3, resumed", tls.VersionTLS13, true, false, exporter, true, "-plus", "p=tls-exporter,,"},
		{"TLS 1.3, Ed25519", tls.VersionTLS13, false, true, exporter, true, "-plus", "p=tls-exporter,,"},
		{"TLS 1.3, no -PLUS", tls.VersionTLS13, false, false, nil, false, "", "y,,"},
		{"TLS 1.2", tls.VersionTLS12, false, false, unique, true, "-plus", "p=tls-unique,,"},
		{"TLS 1.2, Ed25519", tls.VersionTLS12, false, true, unique, true, "-plus", "p=tls-unique,,"},
		{"TLS 1.2, no -PLUS", tls.VersionTLS12, false, false, nil, false, "", "y,,"},
		{"TLS 1.2, resumed", tls.VersionTLS12, true, false, endPoint(&cert), true, "-plus", "p=tls-server-end-point,,"},
		{"TLS 1.2, resumed, Ed25519", tls.VersionTLS12, true, true, unique, true, "", "n,,"},
		{"in clear", 0, false, false, nil, false, "", "n,,"},
	} {
		for name, hash := range map[string]scram.HashGeneratorFcn{"SCRAM-SHA-1": scram.SHA1, "SCRAM-SHA-256": scram.SHA256} {
			bare := &scramServer{hash: hash, binding: tt.binding}
			plus := &scramServer{hash: hash, binding: tt.binding, plus: true}
			cfg := pop3test.Config{Mechanisms: map[string]pop3test.Mechanism{name: bare.serve, "PLAIN": nil}}
			if tt.plus {
				cfg.Mechanisms[name+"-PLUS"] = plus.serve
			}
			if tt.version != 0 {
				cfg.TLS = pop3test.ImplicitTLS
			}
			cfg.TLSConfig = func(c *tls.Config) {
				c.MaxVersion = tt.version
				if tt.ed25519 {
					c.Certificates[0] = ed25519Certificate(t)
				}
				cert = c.Certificates[0]
			}
			srv := newServer(t, cfg)
			var client *tls.Config
			if tt.version != 0 {
				client = roots(srv)
				client.InsecureSkipVerify = tt.ed25519
			}
			if tt.resumed {
				client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
				if tt.ed25519 || tt.version == tls.VersionTLS13 {
					login(t, srv, client, "auto")
				} else {
					login(t, srv, client, strings.ToLower(name)) // it would be another binding
				}
			}
			used, err := login(t, srv, client, "auto")
			if want := strings.ToLower(name) + tt.used; used != want || err != nil {
				t.Errorf("%s: used %s: %v", tt.name, used, err)
			}
			srv.Close()
			if got := bare.first + plus.first; !strings.Contains(got, tt.gs2+"n=user,r=") {
				t.Errorf("%s: said %q, want %q", tt.name, got, tt.gs2)
			}
		}
	}
}

// What somebody in between can do to SCRAM: there is no login, and nothing else is tried.
func TestChannelBindingDowngrade(t *testing.T) {
	other := func(*pop3test.Session) scram.ChannelBinding {
		return scram.ChannelBinding{Type: scram.ChannelBindingTLSExporter, Data: make([]byte, 32)}
	}
	weak := func(*pop3test.Session) scram.ChannelBinding { return scram.NewTLSUniqueBinding([]byte("x")) }
	for _, tt := range []struct {
		name string
		cfg  pop3test.Config
		mech string
		plus *scramServer
		want string // commands
		code string
	}{
		{"-PLUS taken away", pop3test.Config{Caps: []string{"SASL SCRAM-SHA-256 PLAIN", "USER"}}, "auto",
			&scramServer{binding: exporter}, "CAPA, AUTH SCRAM-SHA-256", "server-does-support-channel-binding"},
		{"another connection", pop3test.Config{}, "auto",
			&scramServer{binding: other}, "CAPA, AUTH SCRAM-SHA-256-PLUS", "channel-bindings-dont-match"},
		{"another connection, named", pop3test.Config{}, "scram-sha-256-plus",
			&scramServer{binding: other}, "CAPA, AUTH SCRAM-SHA-256-PLUS", "channel-bindings-dont-match"},
		{"another type", pop3test.Config{}, "auto",
			&scramServer{binding: weak}, "CAPA, AUTH SCRAM-SHA-256-PLUS", "unsupported-channel-binding-type"},
		{"-PLUS refused", pop3test.Config{Faults: []pop3test.Fault{{On: "AUTH SCRAM-SHA-256-PLUS *"}}}, "auto",
			&scramServer{binding: exporter}, "CAPA, AUTH SCRAM-SHA-256-PLUS", "refused"},
		{"-PLUS refused, and hung up", pop3test.Config{Reply: func(s *pop3test.Session, cmd string) (string, bool) {
			if !strings.HasPrefix(cmd, "AUTH") {
				return "", false
			}
			s.Send("-ERR refused\r\n")
			return "", true
		}}, "auto", &scramServer{binding: exporter}, "CAPA, AUTH SCRAM-SHA-256-PLUS", "refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bare := &scramServer{hash: scram.SHA256, binding: tt.plus.binding}
			tt.plus.hash, tt.plus.plus = scram.SHA256, true
			tt.cfg.TLS = pop3test.ImplicitTLS
			tt.cfg.Mechanisms = map[string]pop3test.Mechanism{
				"SCRAM-SHA-256": bare.serve, "SCRAM-SHA-256-PLUS": tt.plus.serve, "LOGIN": serveLogin,
			}
			srv := newServer(t, tt.cfg)
			_, err := login(t, srv, roots(srv), tt.mech)
			var refused *pop3.LoginError
			if !errors.As(err, &refused) || errors.Is(err, pop3.ErrRefusedMechanism) || !strings.Contains(refused.Err.Text, tt.code) {
				t.Errorf("%v, want %q", err, tt.code)
			}
			srv.Wait()
			if got := verbs(srv); got != tt.want {
				t.Errorf("sent %s, want %s", got, tt.want)
			}
		})
	}
}
