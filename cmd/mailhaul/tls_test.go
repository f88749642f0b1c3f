package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
)

// clientPair writes a self-signed certificate and its key, in one file and in two.
func clientPair(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	keyPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	write(t, dir, "cert.pem", certPEM, 0o600)
	write(t, dir, "key.pem", keyPEM, 0o600)
	write(t, dir, "both.pem", certPEM+keyPEM, 0o600)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(certPEM))
	return pool
}

// Every tls_ key does what the manual says, and of a refused certificate the message says what was
// expected, what came and what to do. Where it is refused, no login has left the machine.
func TestTLSKeys(t *testing.T) {
	dir := t.TempDir()
	clients := clientPair(t, dir)
	servers := map[string]*pop3test.Server{}
	for name, cfg := range map[string]pop3test.Config{
		"GOOD":    {},
		"OTHER":   {Names: []string{"pop.example.com"}},
		"EXPIRED": {Expired: true},
		"OLD":     {TLSConfig: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }},
		"CLIENT": {TLSConfig: func(c *tls.Config) {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, clients
		}},
	} {
		cfg.TLS = pop3test.ImplicitTLS
		srv, err := pop3test.NewServer(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(srv.Close)
		servers[name] = srv
		write(t, dir, name+".pem", string(srv.CAPEM()), 0o600)
	}
	pins := map[string]string{}
	for name, srv := range servers {
		conn, err := tls.Dial("tcp", srv.Addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		pins["PIN-"+name] = pinOf(conn.ConnectionState().PeerCertificates[0])
		conn.Close()
	}
	const wrongPin = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	tests := []struct {
		name, server, keys string
		status             int
		stderr             string // what it must match
	}{
		{"its authority", "GOOD", "tls_ca = 'GOOD.pem'", 0, "^$"},
		{"not of the system", "GOOD", "", 77, `expected was one for 127\.0\.0\.1, signed by an authority that this system trusts; this is for localhost, 127\.0\.0\.1, .*, by .*, until .*\nmailhaul: hint: if the server has an authority .*tls_ca = .*\nmailhaul: hint: if you know .*: tls_pin = \["PIN-GOOD"\] and tls_insecure = true\n$`},
		{"another authority", "GOOD", "tls_ca = 'OTHER.pem'", 77, `signed as \S*OTHER\.pem demands; this is for`},
		{"another name", "OTHER", "tls_ca = 'OTHER.pem'", 77, `expected was one for 127\.0\.0\.1, .*this is for pop\.example\.com, .*\nmailhaul: hint: write the name of the certificate as server`},
		{"tls_server_name", "OTHER", "tls_ca = 'OTHER.pem'\ntls_server_name = 'pop.example.com'", 0, "^$"},
		{"expired", "EXPIRED", "tls_ca = 'EXPIRED.pem'", 77, `expired.*\nmailhaul: hint: if the clock`},
		{"insecure", "EXPIRED", "tls_insecure = true", 0, `^mailhaul: warning: a: tls_insecure: `},

		{"pin and authority", "GOOD", "tls_ca = 'GOOD.pem'\ntls_pin = ['PIN-GOOD']", 0, "^$"},
		{"one of two pins", "GOOD", "tls_ca = 'GOOD.pem'\ntls_pin = ['" + wrongPin + "', 'PIN-GOOD']", 0, "^$"},
		{"another pin", "GOOD", "tls_ca = 'GOOD.pem'\ntls_pin = ['" + wrongPin + "']", 77, `the server's key is not one of tls_pin; it is PIN-GOOD; expected was one for the key ` + regexp.QuoteMeta(wrongPin) + `; this is for .*\nmailhaul: hint: if you know that the server has a new key, and that it is this one: tls_pin = \["PIN-GOOD"\]\n$`},
		{"the pin is right, no authority", "GOOD", "tls_pin = ['PIN-GOOD']", 77, `unknown authority; its key is one of tls_pin, which does not decide alone\nmailhaul: hint: if the server .*\nmailhaul: hint: its key is one of tls_pin: with tls_insecure = true that alone decides\n$`},
		{"neither pin nor authority", "GOOD", "tls_pin = ['" + wrongPin + "']", 77, `unknown authority; its key is none of tls_pin either\nmailhaul: hint: `},
		{"the pin is right, the name is not", "OTHER", "tls_ca = 'OTHER.pem'\ntls_pin = ['PIN-OTHER']", 77, `hint: its key is one of tls_pin`},
		{"the pin alone", "EXPIRED", "tls_pin = ['PIN-EXPIRED']\ntls_insecure = true", 0, "^$"},
		{"another pin alone", "GOOD", "tls_pin = ['" + wrongPin + "']\ntls_insecure = true", 77, "the server's key is not one of tls_pin"},

		{"tls_min", "GOOD", "tls_ca = 'GOOD.pem'\ntls_min = '1.3'", 0, "^$"},
		{"TLS 1.2", "OLD", "tls_ca = 'OLD.pem'", 0, "^$"},
		{"TLS 1.2 is too old", "OLD", "tls_ca = 'OLD.pem'\ntls_min = '1.3'", 77, `protocol version`},

		{"client certificate", "CLIENT", "tls_ca = 'CLIENT.pem'\ntls_cert = 'cert.pem'\ntls_key = 'key.pem'", 0, "^$"},
		{"client certificate, one file", "CLIENT", "tls_ca = 'CLIENT.pem'\ntls_cert = 'both.pem'", 0, "^$"},
		{"no client certificate", "CLIENT", "tls_ca = 'CLIENT.pem'", 77, `certificate required.*\nmailhaul: hint: the server demands a certificate of yours: tls_cert`},
		{"client certificate without its key", "CLIENT", "tls_ca = 'CLIENT.pem'\ntls_cert = 'cert.pem'", 78, `accounts\.a\.tls_cert: `},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := servers[tt.server]
			state := t.TempDir()
			text := fmt.Sprintf("state_dir = %q\n[accounts.a]\nserver = %q\nuser = \"user\"\npassword = \"secret\"\ndeliver = { maildir = %q }\n%s\n", state, srv.Addr, state+"/mail", tt.keys)
			for name, pin := range pins {
				text = strings.ReplaceAll(text, name, pin)
			}
			config := write(t, dir, "c.toml", text, 0o600)
			first := srv.Sessions() + 1
			_, stderr, status := mailhaul(t, "-q", "-c", config, "fetch")
			if strings.Contains(tt.keys, "insecure") && status == 0 { // -q leaves no warning
				_, stderr, status = mailhaul(t, "-c", config, "fetch")
			}
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			for name, pin := range pins {
				stderr = strings.ReplaceAll(stderr, pin, name)
			}
			if !regexp.MustCompile(tt.stderr).MatchString(stderr) {
				t.Errorf("standard error %q", stderr)
			}
			var sent []string
			for i := first; i <= srv.Sessions(); i++ {
				sent = append(sent, srv.Commands(i)...)
			}
			if tt.status != 0 && len(sent) > 0 {
				t.Errorf("it was told %q", sent)
			}
		})
	}
}
