package pop3_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/pop3/pop3test"
)

// A tap is a listener that keeps every octet that clients have sent.
type tap struct {
	net.Listener
	mu   sync.Mutex
	wire bytes.Buffer
}

func newTap(t *testing.T) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &tap{Listener: l}
}

func (l *tap) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tapped{conn.(*net.TCPConn), l}, nil
}

func (l *tap) sent() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.wire.Bytes())
}

type tapped struct {
	*net.TCPConn
	l *tap
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	c.l.mu.Lock()
	c.l.wire.Write(p[:n])
	c.l.mu.Unlock()
	return n, err
}

// forbidden is what must not be on the wire: commands that log in or tell who would, and what
// they would have said. Base64 of the secrets is that of PLAIN and of LOGIN.
var forbidden = []string{
	"USER", "PASS", "AUTH", "APOP", "gustavson", "hunter2-hunter2",
	"Z3VzdGF2c29u", "AGd1c3RhdnNvbgBo", "aHVudGVyMi1odW50ZXIy",
}

// tryAll does what a program must not do: it goes on after TLS has failed, by every way there is.
func tryAll(t *testing.T, c *pop3.Client) {
	t.Helper()
	cred := pop3.Credentials{User: "gustavson", Password: "hunter2-hunter2", Token: ""}
	all := pop3.Caps{"SASL PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 EXTERNAL XOAUTH2 OAUTHBEARER", "USER"}
	for _, mech := range []string{"auto", "user", "apop", "plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256",
		"scram-sha-1-plus", "scram-sha-256-plus", "external", "xoauth2", "oauthbearer"} {
		for _, caps := range []pop3.Caps{nil, all} {
			if _, err := pop3.Login(c, caps, true, mech, cred); err == nil {
				t.Errorf("%s: logged in", mech)
			}
		}
	}
	for _, line := range []string{"USER gustavson", "pass hunter2-hunter2", "AUTH", "APOP gustavson x"} {
		if _, _, err := c.Do(line, false); err == nil {
			t.Errorf("%s: sent", line)
		}
	}
}

// For each way in which TLS can fail or be taken away, nothing that logs in, and nothing that
// tells the user's name, leaves the machine.
func TestNothingInClear(t *testing.T) {
	const stamp = "<1896.697170952@dbc.mtview.ca.us>"
	old := func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }
	own := func(c *tls.Config) { c.Certificates[0] = ed25519Certificate(t) }
	onSTLS := func(do pop3test.Effect, text string) []pop3test.Fault {
		return []pop3test.Fault{{On: "STLS", Do: do, Text: text, After: pop3test.Whole}}
	}
	onHandshake := func(do pop3test.Effect, text string) []pop3test.Fault {
		return []pop3test.Fault{{On: "handshake", Do: do, Text: text}}
	}
	onGreeting := func(do pop3test.Effect, text string) []pop3test.Fault {
		return []pop3test.Fault{{On: "greeting", Do: do, Text: text}}
	}
	both := []pop3test.TLSMode{pop3test.ImplicitTLS, pop3test.STLS}
	stls, implicit := both[1:], both[:1]
	for _, tt := range []struct {
		name  string
		modes []pop3test.TLSMode // the client's
		cfg   pop3test.Config    // TLS is by the mode, unless it is plain
		plain bool
		tls   func(*tls.Config)
	}{
		{name: "wrong name", modes: both, cfg: pop3test.Config{Names: []string{"pop.example.com"}}},
		{name: "expired", modes: both, cfg: pop3test.Config{Expired: true}},
		{name: "unknown authority", modes: both, tls: func(c *tls.Config) { c.RootCAs = nil }},
		{name: "self-signed", modes: both, cfg: pop3test.Config{TLSConfig: own}},
		{name: "another pin", modes: both, tls: func(c *tls.Config) {
			c.InsecureSkipVerify = true
			c.VerifyConnection = func(tls.ConnectionState) error { return errors.New("pin") }
		}},
		{name: "TLS 1.1 only", modes: both, cfg: pop3test.Config{TLSConfig: old}},
		{name: "EOF in the handshake", modes: both, cfg: pop3test.Config{Faults: onHandshake(pop3test.Cut, "")}},
		{name: "reset in the handshake", modes: both, cfg: pop3test.Config{Faults: onHandshake(pop3test.Reset, "")}},
		{name: "silence in the handshake", modes: both, cfg: pop3test.Config{Faults: onHandshake(pop3test.Stall, "")}},
		{name: "garbage in the handshake", modes: both, cfg: pop3test.Config{Faults: onHandshake(pop3test.Answer, "\x00\x01\x02 nonsense\r\n")}},
		{name: "alert in the handshake", modes: both, cfg: pop3test.Config{Faults: onHandshake(pop3test.Answer, "\x15\x03\x03\x00\x02\x02\x28\n")}},
		{name: "half a record in the handshake", modes: both, cfg: pop3test.Config{Faults: onHandshake(pop3test.Answer, "\x16\x03\x03\x01\x00\x02\n")}},

		{name: "plain server on the TLS port", modes: implicit, plain: true},
		{name: "plain server on the TLS port that says nothing", modes: implicit, plain: true, cfg: pop3test.Config{Faults: onGreeting(pop3test.Stall, "")}},
		{name: "plain server on the TLS port that refuses", modes: implicit, plain: true, cfg: pop3test.Config{Faults: onGreeting(pop3test.Refuse, "TLS")}},
		{name: "EOF on the TLS port", modes: implicit, plain: true, cfg: pop3test.Config{Faults: onGreeting(pop3test.Cut, "")}},
		{name: "web server", modes: implicit, plain: true, cfg: pop3test.Config{Faults: onGreeting(pop3test.Answer, "HTTP/1.1 400 Bad Request\r\n")}},

		{name: "STLS unknown", modes: stls, plain: true},
		{name: "STLS unknown, nor CAPA", modes: stls, plain: true, cfg: pop3test.Config{NoCAPA: true}},
		{name: "STLS not announced, and refused", modes: stls, cfg: pop3test.Config{Caps: []string{"USER", "SASL PLAIN"}, Faults: onSTLS(pop3test.Refuse, "")}},
		{name: "STLS refused", modes: stls, cfg: pop3test.Config{Faults: onSTLS(pop3test.Refuse, "")}},
		{name: "STLS refused for now", modes: stls, cfg: pop3test.Config{Faults: onSTLS(pop3test.Refuse, "[SYS/TEMP] later")}},
		{name: "STLS answered by another protocol", modes: stls, cfg: pop3test.Config{Faults: onSTLS(pop3test.Answer, "220 go ahead")}},
		{name: "STLS answered by a challenge", modes: stls, cfg: pop3test.Config{Faults: onSTLS(pop3test.Answer, "+ ")}},
		{name: "STLS answered by nearly +OK", modes: stls, cfg: pop3test.Config{Faults: onSTLS(pop3test.Answer, "+OKAY")}},
		{name: "STLS not answered", modes: stls, cfg: pop3test.Config{Faults: onSTLS(pop3test.Mute, "")}},
		{name: "EOF at STLS", modes: stls, cfg: pop3test.Config{Faults: []pop3test.Fault{{On: "STLS", Do: pop3test.Cut, Skip: true}}}},
		{name: "plaintext behind STLS", modes: stls, cfg: pop3test.Config{Faults: onSTLS(pop3test.Insert, "+OK\r\n")}},
		{name: "two answers to STLS", modes: stls, cfg: pop3test.Config{Faults: onSTLS(pop3test.Answer, "-ERR no\r\n+OK\r\n")}},
		{name: "STLS without TLS", modes: stls, plain: true, cfg: pop3test.Config{Reply: func(_ *pop3test.Session, cmd string) (string, bool) {
			return "+OK", cmd == "STLS"
		}}},
		{name: "greeting in front of STLS twice", modes: stls, cfg: pop3test.Config{Faults: onGreeting(pop3test.Repeat, "")}},
		{name: "refused by the greeting", modes: stls, cfg: pop3test.Config{Faults: onGreeting(pop3test.Refuse, "")}},
	} {
		for _, mode := range tt.modes {
			name := map[pop3test.TLSMode]string{pop3test.ImplicitTLS: "implicit", pop3test.STLS: "STLS"}[mode]
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				t.Parallel() // two of them wait for a time-out
				l := newTap(t)
				cfg := tt.cfg
				cfg.Listener, cfg.Stamp, cfg.User, cfg.Password = l, stamp, "gustavson", "hunter2-hunter2"
				if !tt.plain {
					cfg.TLS = mode
				}
				srv := newServer(t, cfg)
				client := roots(srv)
				if tt.tls != nil {
					tt.tls(client)
				}
				opts := pop3.DialOptions{Options: pop3.Options{Timeout: 300 * time.Millisecond}}
				if mode == pop3test.ImplicitTLS {
					opts.TLS = client
				}
				c, err := pop3.Dial(t.Context(), "tcp", l.Addr().String(), &opts)
				if err == nil {
					if err = c.STLS(client); err == nil {
						t.Error("TLS is up")
					}
					tryAll(t, c)
					c.Close()
				}
				if err == nil || mode == pop3test.ImplicitTLS && c != nil {
					t.Error("no error")
				}
				srv.Wait()
				wire := l.sent()
				for _, word := range forbidden {
					if bytes.Contains(bytes.ToUpper(wire), []byte(strings.ToUpper(word))) {
						t.Errorf("%s left the machine: %q", word, wire)
					}
				}
			})
		}
	}
}

// The tap hears what it must: the same login with the user's consent is seen.
func TestTap(t *testing.T) {
	l := newTap(t)
	srv := newServer(t, pop3test.Config{Listener: l, User: "gustavson", Password: "hunter2-hunter2", Mechanisms: map[string]pop3test.Mechanism{"LOGIN": serveLogin}})
	for _, mech := range []string{"user", "plain", "login"} {
		c, err := pop3.Dial(t.Context(), "tcp", l.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pop3.Login(c, pop3.Caps{"SASL PLAIN"}, true, mech, pop3.Credentials{User: "gustavson", Password: "hunter2-hunter2"}); err != nil {
			t.Error(err)
		}
		c.Quit().Wait()
		c.Close()
	}
	srv.Wait()
	for _, word := range forbidden {
		if !bytes.Contains(l.sent(), []byte(word)) && word != "APOP" {
			t.Errorf("%s was not seen", word)
		}
	}
}
