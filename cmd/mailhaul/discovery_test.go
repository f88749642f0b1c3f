package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsServer answers SRV questions on loopback; what is not in records does not exist, and a nil
// entry is a server that is in trouble. It returns a resolver that asks nobody else.
func dnsServer(t *testing.T, records map[string][]dnsmessage.SRVResource) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() { // it serves while the test asks
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Header.Response, m.Additionals = true, nil
			found, ok := records[strings.ToLower(q.Name.String())]
			switch {
			case !ok:
				m.Header.RCode = dnsmessage.RCodeNameError
			case found == nil:
				m.Header.RCode = dnsmessage.RCodeServerFailure
			}
			for _, r := range found {
				m.Answers = append(m.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}, Body: &r})
			}
			if reply, err := m.Pack(); err == nil {
				conn.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func srv(target string, port, priority uint16) dnsmessage.SRVResource {
	return dnsmessage.SRVResource{Target: dnsmessage.MustNewName(target), Port: port, Priority: priority}
}

func proposalText(cs []proposal) string {
	var words []string
	for _, c := range cs {
		words = append(words, strings.TrimSuffix(fmt.Sprintf("%s/%s/%s", c.server.Addr, c.tls, c.user), "/"))
	}
	return strings.Join(words, " ")
}

// Records come in the order of their priority, those of implicit TLS first.
func TestFinderRecords(t *testing.T) {
	f := &discovery{resolver: dnsServer(t, map[string][]dnsmessage.SRVResource{
		"_pop3s._tcp.example.com.": {srv("b.example.com.", 995, 20), srv("a.example.com.", 9955, 10), srv(".", 0, 30)},
		"_pop3._tcp.example.com.":  {srv("Pop.Example.NET.", 110, 0)},
		"_pop3s._tcp.none.test.":   {srv(".", 0, 0)},
		"_pop3._tcp.broken.test.":  nil,
	})}
	for _, tt := range []struct {
		domain, want string
		trouble      bool
	}{
		{"example.com", "a.example.com:9955/implicit b.example.com:995/implicit pop.example.net:110/starttls", false},
		{"none.test", "", false},
		{"nothing.test", "", false},
		{"broken.test", "", true},
	} {
		found, err := f.records(context.Background(), "", tt.domain)
		if proposalText(found) != tt.want || (err != nil) != tt.trouble {
			t.Errorf("%s: %s, %v", tt.domain, proposalText(found), err)
		}
	}
}

const sampleAutoconfig = `<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="example.com">
    <domain>example.com</domain>
    <incomingServer type="imap"><hostname>imap.example.com</hostname><port>993</port><socketType>SSL</socketType></incomingServer>
    <incomingServer type="pop3"><hostname>plain.example.com</hostname><port>110</port><socketType>plain</socketType></incomingServer>
    <incomingServer type="pop3">
      <hostname> pop.%EMAILDOMAIN% </hostname><port>995</port><socketType>SSL</socketType>
      <authentication>password-cleartext</authentication><username>%EMAILADDRESS%</username>
    </incomingServer>
    <incomingServer type="pop3"><hostname>pop.example.net</hostname><port>110</port><socketType>STARTTLS</socketType><username>%EMAILLOCALPART%</username></incomingServer>
    <incomingServer type="pop3"><hostname>a/b</hostname><port>995</port><socketType>SSL</socketType></incomingServer>
    <incomingServer type="pop3"><hostname>c</hostname><port>99999</port><socketType>SSL</socketType></incomingServer>
  </emailProvider>
</clientConfig>`

const sampleServers = "pop.example.com:995/implicit/alice@example.com pop.example.net:110/starttls/alice"

func TestParseAutoconfig(t *testing.T) {
	found, err := parseAutoconfig(strings.NewReader(sampleAutoconfig), "alice@example.com")
	if proposalText(found) != sampleServers || err != nil {
		t.Errorf("%s, %v", proposalText(found), err)
	}
	for _, text := range []string{"", "<html></html>", "<clientConfig><emailProvider>", sampleAutoconfig[:400]} {
		if found, err := parseAutoconfig(strings.NewReader(text), "a@b"); err == nil {
			t.Errorf("%q: %v", text, found)
		}
	}
}

func FuzzAutoconfig(f *testing.F) {
	f.Add(sampleAutoconfig, "alice@example.com")
	f.Add("<clientConfig><emailProvider><incomingServer type='pop3'><hostname>%EMAILLOCALPART%</hostname><socketType>SSL</socketType></incomingServer></emailProvider></clientConfig>", "a\r\nb@c")
	f.Fuzz(func(t *testing.T, text, address string) {
		found, _ := parseAutoconfig(strings.NewReader(text), "x"+strings.ReplaceAll(address, "@", "")+"@example.com")
		for _, c := range found {
			if c.tls != "implicit" && c.tls != "starttls" || c.server.Network != "tcp" || strings.ContainsAny(c.server.Addr+c.user, "\r\n\x00") {
				t.Fatalf("%+v", c)
			}
		}
	})
}

// The file is asked for over TLS alone, at the two places, and a redirect into the clear is not
// followed.
func TestFinderAutoconfig(t *testing.T) {
	clear := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, sampleAutoconfig) }))
	defer clear.Close()
	for _, tt := range []struct {
		name, host, path, body, redirect, want string
		trouble                                bool
	}{
		{name: "first place", host: "autoconfig.example.com", path: "/mail/config-v1.1.xml", body: sampleAutoconfig, want: sampleServers},
		{name: "second place", host: "example.com", path: "/.well-known/autoconfig/mail/config-v1.1.xml", body: sampleAutoconfig, want: sampleServers},
		{name: "elsewhere", host: "example.com", path: "/config.xml", body: sampleAutoconfig},
		{name: "no such file", host: "autoconfig.example.com", path: "/mail/config-v1.1.xml", body: "<html/>", trouble: true},
		{name: "without end", host: "autoconfig.example.com", path: "/mail/config-v1.1.xml", body: "<clientConfig>" + strings.Repeat(" ", maxAutoconfig) + sampleAutoconfig, trouble: true},
		{name: "into the clear", host: "example.com", path: "/.well-known/autoconfig/mail/config-v1.1.xml", redirect: clear.URL},
		{name: "redirected", host: "example.com", path: "/.well-known/autoconfig/mail/config-v1.1.xml", redirect: "/other", want: sampleServers},
	} {
		var asked []string
		web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Host+r.URL.String())
			switch {
			case tt.redirect != "" && r.Host == tt.host && r.URL.Path == tt.path:
				http.Redirect(w, r, tt.redirect, http.StatusFound)
			case r.URL.Path == "/other":
				io.WriteString(w, sampleAutoconfig)
			case r.Host == tt.host && r.URL.Path == tt.path:
				io.WriteString(w, tt.body)
			default:
				http.NotFound(w, r)
			}
		}))
		f := &discovery{web: newWebClient()}
		transport := f.web.Transport.(*http.Transport)
		// All names lead here; the certificate is for one of them.
		transport.TLSClientConfig = web.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		transport.TLSClientConfig.ServerName = "example.com"
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			to := web.Listener.Addr().String()
			if strings.HasPrefix(addr, "127.0.0.1:") {
				to = addr
			}
			return new(net.Dialer).DialContext(ctx, network, to)
		}
		found, err := f.autoconfig(context.Background(), "alice@example.com", "example.com")
		if proposalText(found) != tt.want || (err != nil) != tt.trouble {
			t.Errorf("%s: %s, %v (asked %q)", tt.name, proposalText(found), err, asked)
		}
		if asked[0] != "autoconfig.example.com/mail/config-v1.1.xml?emailaddress=alice%40example.com" {
			t.Errorf("%s: asked %q", tt.name, asked)
		}
		transport.CloseIdleConnections()
		web.Close()
	}
}

// A later place is asked only where the earlier ones did not do.
func TestFinderStages(t *testing.T) {
	f := &discovery{resolver: dnsServer(t, map[string][]dnsmessage.SRVResource{"_pop3s._tcp.example.com.": {srv("a.example.com.", 995, 0)}})}
	var asked atomic.Bool
	f.web = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		asked.Store(true)
		return nil, errors.New("nobody there")
	}}}
	var got []string
	for found := range f.stages(context.Background(), "alice@example.com", "example.com") {
		got = append(got, proposalText(found))
		if len(got) == 1 && asked.Load() {
			t.Error("the web was asked although there is a record")
		}
	}
	want := "a.example.com:995/implicit||pop.example.com:995/implicit pop3.example.com:995/implicit mail.example.com:995/implicit example.com:995/implicit " +
		"pop.example.com:110/starttls pop3.example.com:110/starttls mail.example.com:110/starttls example.com:110/starttls"
	if strings.Join(got, "|") != want {
		t.Errorf("%q", got)
	}
}

func TestIsWithin(t *testing.T) {
	for _, host := range []string{"example.com", "pop.Example.com", "a.b.example.com"} {
		if !isWithin(host, "example.com") {
			t.Error(host)
		}
	}
	for _, host := range []string{"badexample.com", "example.com.evil.net", "com", "example.net"} {
		if isWithin(host, "example.com") {
			t.Error(host)
		}
	}
}
