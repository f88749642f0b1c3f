package pop3test_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

func TestImplicitTLS(t *testing.T) {
	srv := serve(t, pop3test.Config{TLS: pop3test.ImplicitTLS}, two...)
	conn, err := tls.Dial("tcp", srv.Addr, &tls.Config{RootCAs: srv.CAPool()})
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, conn)
	c.wantOK()
	c.say("AUTH PLAIN AHVzZXIAc2VjcmV0")
	c.wantOK()
	c.say("QUIT")
	c.wantOK()
	if _, err := c.ReadLine(); err != io.EOF {
		t.Errorf("without close_notify: %v", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(srv.CAPEM()) {
		t.Error("PEM is not a certificate")
	}
}

func TestSTLS(t *testing.T) {
	srv := serve(t, pop3test.Config{TLS: pop3test.STLS}, two...)
	c := dial(t, srv)
	c.say("CAPA")
	if caps, _ := c.ReadDotLines(); !strings.Contains(strings.Join(caps, " "), "STLS") {
		t.Errorf("before: %q", caps)
	}
	c.say("STLS", "USER user") // what follows in the clear must not count
	c.wantOK()
	secure := tls.Client(c.Conn, srv.ClientTLS())
	c = newClient(t, secure)
	c.say("CAPA")
	if caps, _ := c.ReadDotLines(); strings.Contains(strings.Join(caps, " "), "STLS") {
		t.Errorf("behind: %q", caps)
	}
	c.say("STLS")
	c.wantERR()
	c.say("PASS secret")
	c.wantERR()
	if srv.Early() != int64(len("USER user\r\n")) {
		t.Errorf("%d octets early", srv.Early())
	}
}

func TestSTLSFaults(t *testing.T) {
	for _, tt := range []struct {
		fault pop3test.Fault
		want  string
	}{
		{pop3test.Fault{On: "STLS"}, "-ERR refused\r\n"},
		{pop3test.Fault{On: "STLS", Do: pop3test.Insert, After: pop3test.Whole, Text: "+OK mine\r\n"}, "+OK Begin TLS negotiation\r\n+OK mine\r\n"},
		{pop3test.Fault{On: "handshake", Do: pop3test.Answer, Text: "garbage\r\n"}, "+OK Begin TLS negotiation\r\ngarbage\r\n"},
		{pop3test.Fault{On: "handshake", Do: pop3test.Cut}, "+OK Begin TLS negotiation\r\n"},
		{pop3test.Fault{On: "STLS", Do: pop3test.Answer, Text: "-ERR then not"}, "-ERR then not\r\n"},
	} {
		srv := serve(t, pop3test.Config{TLS: pop3test.STLS, Faults: []pop3test.Fault{tt.fault}})
		c := dial(t, srv)
		c.say("STLS")
		c.Conn.(*net.TCPConn).CloseWrite()
		if got, _ := io.ReadAll(c.R); string(got) != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.fault, got, tt.want)
		}
	}
}

func TestCertificate(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg    pop3test.Config
		client func(*tls.Config)
	}{
		"unknown authority": {pop3test.Config{}, func(c *tls.Config) { c.RootCAs = nil }},
		"other name":        {pop3test.Config{Names: []string{"pop.example.org", "192.0.2.1"}}, nil},
		"expired":           {pop3test.Config{Expired: true}, nil},
		"TLS 1.1":           {pop3test.Config{TLSConfig: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }}, nil},
	} {
		tt.cfg.TLS = pop3test.ImplicitTLS
		srv := serve(t, tt.cfg)
		cfg := srv.ClientTLS()
		if tt.client != nil {
			tt.client(cfg)
		}
		if conn, err := tls.Dial("tcp", srv.Addr, cfg); err == nil {
			conn.Close()
			t.Errorf("%s: taken", name)
		}
	}
}

// TestCutOfTLS has a cut that counts octets of POP3. (crypto/tls takes an end of stream between
// two records for an end without close_notify, and lets it pass.)
func TestCutOfTLS(t *testing.T) {
	srv := serve(t, pop3test.Config{
		TLS:    pop3test.ImplicitTLS,
		Faults: []pop3test.Fault{{On: "greeting", Do: pop3test.Cut, After: 5}},
	})
	conn := tls.Client(srv.Dial(), srv.ClientTLS())
	defer conn.Close()
	got, err := io.ReadAll(conn)
	if string(got) != "+OK p" || srv.Octets() != 5 {
		t.Errorf("got %q, %v", got, err)
	}
}
