package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// A server on a unix socket: in clear without a word, and with TLS under the name that is given.
func TestUnixSocket(t *testing.T) {
	for _, mode := range []pop3test.TLSMode{pop3test.NoTLS, pop3test.ImplicitTLS, pop3test.STLS} {
		dir, err := os.MkdirTemp("", "mh") // the path of a socket is short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		path := filepath.Join(dir, "pop")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		srv, err := pop3test.NewServer(pop3test.Config{Listener: l, TLS: mode, Names: []string{"pop.example.com"}}, pop3test.Message{UID: "a", Text: sampleText("a", 0)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(srv.Close)
		keys := "tls = 'none'\n"
		if mode != pop3test.NoTLS {
			write(t, dir, "ca.pem", string(srv.CAPEM()), 0o600)
			keys = map[pop3test.TLSMode]string{pop3test.ImplicitTLS: "tls = 'implicit'\n", pop3test.STLS: "tls = 'starttls'\n"}[mode] +
				"tls_ca = 'ca.pem'\ntls_server_name = 'pop.example.com'\n"
		}
		config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = 'state'\n[accounts.a]\nserver = \"unix:%s\"\nuser = 'user'\npassword = 'secret'\ndeliver = { maildir = 'mail' }\n%s", path, keys), 0o600)
		if stdout, stderr, status := mailhaul(t, "-c", config, "fetch"); status != 0 || stderr != "" {
			t.Errorf("mode %d: status %d\n%s%s", mode, status, stdout, stderr)
		}
		if n := len(srv.Maildrop()); n != 0 {
			t.Errorf("mode %d: %d messages left", mode, n)
		}
	}
}
