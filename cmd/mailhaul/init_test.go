package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/BurntSushi/toml"
)

// Where nobody can be asked, --yes says yes to what the address itself, or a person, has named, and
// to nothing that only a record or a file names.
func TestInitConfirm(t *testing.T) {
	if canAsk() {
		t.Skip("there is somebody to ask")
	}
	of := func(host string, names ...string) *probed {
		p := &probed{proposal: proposal{tls: "implicit", source: "a test"}}
		if err := p.setServer(host, ""); err != nil {
			t.Fatal(err)
		}
		p.cs = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{DNSNames: names}}}
		return p
	}
	named := of("pop.example.net", "pop.example.net")
	named.named = true
	for _, tt := range []struct {
		name string
		p    *probed
		yes  bool
		ok   bool
	}{
		{"of the domain", of("pop.example.com", "pop.example.com"), true, true},
		{"the domain itself", of("example.com", "example.com"), true, true},
		{"without --yes", of("pop.example.com", "pop.example.com"), false, false},
		{"of another domain", of("pop.example.net", "pop.example.net"), true, false},
		{"of one that looks like it", of("pop-example.com", "pop-example.com"), true, false},
		{"of another, which has a certificate for the domain", of("pop.example.net", "pop.example.net", "example.com"), true, true},
		{"of another, with one for what is below the domain", of("pop.example.net", "*.example.com"), true, false},
		{"named by a person", named, true, true},
		{"named, without --yes", named, false, false},
	} {
		m := &program{report: &report{out: &bytes.Buffer{}, err: &bytes.Buffer{}, verbose: -1}}
		s := &setup{fetcher: m.newFetcher(&Config{}), domain: "example.com", yes: tt.yes}
		err := s.confirm(context.Background(), tt.p)
		if tt.ok && err != nil || !tt.ok && !errors.Is(err, errUnasked) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// What init prints is a configuration that says what was meant, whatever is in the names.
func TestInitText(t *testing.T) {
	t.Setenv("HOME", "/home/alice")
	for _, name := range []string{"work", "a.b", `q"\`, "with blank", "$HOME", "ü\u202e"} {
		p := proposal{tls: "starttls"}
		if err := p.setServer("::1", "1100"); err != nil {
			t.Fatal(err)
		}
		a := p.account()
		a.User = name + "@example.com"
		s := &setup{name: name, maildir: "~/Mail/" + fileName(name), passwordFile: "/pass $x/" + name}
		text := s.text(a)
		if _, err := toml.Decode(text, new(map[string]any)); err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		cfg, err := load(t, text)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		got := cfg.Accounts[0]
		if got.Name != name || got.User != a.User || got.Server.Addr != "[::1]:1100" || got.TLS != "starttls" || !got.Keep ||
			got.Deliver.Maildir != "/home/alice/Mail/"+name || got.Secret.Name != "/pass $x/"+name {
			t.Errorf("%+v\n%s", got, text)
		}
	}
}
