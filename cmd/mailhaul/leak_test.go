package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// secretForms are the forms of a secret that must not be found anywhere: as it is, in a URL, in
// hex, and in base64 whatever stands before and behind it, such as the user's name in PLAIN.
func secretForms(secret string) []string {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), fmt.Sprintf("%q", secret)[1 : len(secret)+1], hex.EncodeToString([]byte(secret))}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for before := range 3 {
			s := enc.EncodeToString(append(make([]byte, before), secret...))
			// What shares its octets with the neighbours is left out.
			forms = append(forms, s[(before*8+5)/6:(before+len(secret))*8/6])
		}
	}
	return forms
}

func TestSecretForms(t *testing.T) {
	for _, sasl := range []string{"", "\x00", "\x00user\x00", "user=user\x01auth=Bearer "} {
		text := base64.StdEncoding.EncodeToString([]byte(sasl + theSecret + "\x01\x01"))
		if leaked(text, theSecret) == "" {
			t.Errorf("%q is not recognised behind %q", text, sasl)
		}
	}
}

// leaked gives the form of a secret that a text has in it, or "".
func leaked(text string, secrets ...string) string {
	for _, s := range secrets {
		for _, form := range secretForms(s) {
			if strings.Contains(text, form) {
				return form
			}
		}
	}
	return ""
}

// echo refuses a login with all that it was told, as it came and decoded.
func echo(challenges int) pop3test.Mechanism {
	return func(s *pop3test.Session, initial []byte, given bool) (string, error) {
		told := initial
		for range challenges {
			r, err := s.Challenge([]byte(`{"status":"401","you":"` + string(told) + `"}`))
			if err != nil {
				return "", err
			}
			told = append(told, r...)
		}
		return "", errors.New("[AUTH] what is this: " + base64.StdEncoding.EncodeToString(told) + " or " + strings.ReplaceAll(string(told), "\x00", " ") + "?")
	}
}

// For each level of output and each kind of failure, no secret is in any output or in the state.
func TestNoSecretInAnyOutput(t *testing.T) {
	const proxySecret = "pr0xy-horse-battery"
	fail := func(on string, do pop3test.Effect, text string) func(*pop3test.Config) {
		return func(c *pop3test.Config) {
			c.Faults = []pop3test.Fault{{On: on, Do: do, Text: text, Skip: do == pop3test.Cut || do == pop3test.Stall}}
		}
	}
	repeats := func(command, before string) func(*pop3test.Config) {
		return func(c *pop3test.Config) {
			c.Reply = func(_ *pop3test.Session, line string) (string, bool) {
				return before + line, strings.HasPrefix(line, command)
			}
		}
	}
	mechanism := func(name string, challenges int) func(*pop3test.Config) {
		return func(c *pop3test.Config) {
			c.Mechanisms = map[string]pop3test.Mechanism{name: echo(challenges)}
		}
	}
	secret := "password = '" + theSecret + "'\n"
	kinds := []struct {
		name   string
		server func(*pop3test.Config)
		keys   string
		ok     bool
	}{
		{"none", func(*pop3test.Config) {}, secret, true},
		{"refused, with an echo", repeats("PASS", "-ERR unknown command: "), secret + "auth = 'user'", false},
		{"refused as in use, with an echo", repeats("PASS", "-ERR [IN-USE] "), secret + "auth = 'user'", false},
		{"no reply of POP3, with an echo", repeats("PASS", "500 what is "), secret + "auth = 'user'", false},
		{"accepted with an echo, then refused", func(c *pop3test.Config) {
			c.Reply = func(_ *pop3test.Session, line string) (string, bool) {
				switch {
				case strings.HasPrefix(line, "PASS"):
					return "+OK " + line, true
				case line == "STAT" || line == "UIDL":
					return "-ERR [SYS/TEMP] not for " + theSecret, true
				}
				return "", false
			}
		}, secret + "auth = 'user'", false},
		{"hung up", fail("PASS *", pop3test.Cut, ""), secret + "auth = 'user'", false},
		{"silence", fail("PASS *", pop3test.Stall, ""), secret + "auth = 'user'\ntimeout = '300ms'", false},
		{"USER refused", fail("USER *", pop3test.Refuse, "no"), secret + "auth = 'user'", false},
		{"greeting", fail("greeting", pop3test.Refuse, "[SYS/PERM] closed"), secret, false},
		{"RETR refused", fail("RETR *", pop3test.Refuse, "[SYS/TEMP] no"), secret, false},
		{"PLAIN", mechanism("PLAIN", 0), secret + "auth = 'plain'", false},
		{"PLAIN, initial response repeated", repeats("AUTH PLAIN", "-ERR [AUTH] "), secret + "auth = 'plain'", false},
		{"LOGIN", mechanism("LOGIN", 2), secret + "auth = 'login'", false},
		{"CRAM-MD5", mechanism("CRAM-MD5", 1), secret + "auth = 'cram-md5'", false},
		{"SCRAM", mechanism("SCRAM-SHA-256", 1), secret + "auth = 'scram-sha-256'", false},
		{"APOP", func(c *pop3test.Config) { c.Stamp = "<1@x>"; repeats("APOP", "-ERR ")(c) }, secret + "auth = 'apop'", false},
		{"XOAUTH2", mechanism("XOAUTH2", 2), secret + "auth = 'xoauth2'", false},
		{"OAUTHBEARER", mechanism("OAUTHBEARER", 2), secret + "auth = 'oauthbearer'", false},
		{"auto", func(c *pop3test.Config) { c.Password = "another" }, secret, false},
		{"TLS", func(c *pop3test.Config) { c.TLS = pop3test.ImplicitTLS }, secret + "tls = 'implicit'", false},
		{"no TLS", func(*pop3test.Config) {}, secret + "tls = 'implicit'\ntimeout = '300ms'", false},
		{"no STLS", func(*pop3test.Config) {}, secret + "tls = 'starttls'", false},
		{"destination", func(*pop3test.Config) {}, secret + "deliver = { maildir = '/dev/null/x' }", false},
		{"command", func(*pop3test.Config) {}, secret + "deliver = { command = ['false'] }", false},
		{"proxy", func(*pop3test.Config) {}, secret + "cleartext = true\nproxy = 'http://ann:" + proxySecret + "@PROXY'", false},
		{"no proxy", func(*pop3test.Config) {}, secret + "cleartext = true\nproxy = 'socks5://ann:" + proxySecret + "@127.0.0.1:1'", false},
		{"tunnel", func(*pop3test.Config) {}, secret + "tunnel = ['false']", false},
		{"key", func(*pop3test.Config) {}, secret + "pasword = '" + theSecret + "'", false},
		{"type", func(*pop3test.Config) {}, "password = ['" + theSecret + "']", false},
		{"syntax", func(*pop3test.Config) {}, "password = \"" + theSecret, false},
		{"syntax behind it", func(*pop3test.Config) {}, "password = \"x\" " + theSecret, false},
		{"proxy value", func(*pop3test.Config) {}, secret + "proxy = 'socks5://ann:" + proxySecret + "@h:99999'", false},
		{"command's secret is bad", func(*pop3test.Config) {}, "password_command = ['printf', '" + theSecret + `\000']`, false},
	}
	levels := [][]string{{"-q", "fetch"}, {"fetch"}, {"-v", "fetch"}, {"-vv", "fetch"}, {"--dialogue", "fetch"}, {"--dialogue", "-vv", "fetch", "--json"},
		{"fetch", "--json"}, {"fetch", "--dry-run"}, {"--dialogue", "check"}, {"--dialogue", "list", "a"}, {"--dialogue", "console", "a"}, {"--dialogue", "state", "show", "a"}}
	if testing.Short() {
		levels = levels[4:6]
	}
	refusing := refusingProxy(t)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			cfg := pop3test.Config{Password: theSecret}
			k.server(&cfg)
			srv, err := pop3test.NewServer(cfg, pop3test.Message{UID: "a", Text: sampleText("a", 0)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(srv.Close)
			dir := t.TempDir()
			keys := strings.ReplaceAll(k.keys, "PROXY", refusing) + "\n"
			for key, value := range map[string]string{"tls": "'none'", "timeout": "'10s'", "deliver": "{ maildir = '" + dir + "/mail' }"} {
				if !strings.Contains("\n"+keys, "\n"+key+" = ") {
					keys = key + " = " + value + "\n" + keys
				}
			}
			config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.a]\nserver = %q\nuser = 'user'\n%s", dir+"/state", srv.Addr, keys), 0o600)
			for _, level := range levels {
				stdout, stderr, status := mailhaul(t, append([]string{"-c", config}, level...)...)
				if form := leaked(stdout+stderr, theSecret, proxySecret); form != "" {
					t.Errorf("%q: %q is in\n%s%s", level, form, stdout, stderr)
				}
				if ok := status == 0; level[len(level)-1] == "fetch" && ok != k.ok {
					t.Errorf("%q: status %d\n%s%s", level, status, stdout, stderr)
				}
			}
			_ = filepath.WalkDir(dir+"/state", func(path string, d fs.DirEntry, err error) error {
				text, _ := os.ReadFile(path)
				if form := leaked(path+string(text), theSecret, proxySecret); form != "" {
					t.Errorf("%q is in %s", form, path)
				}
				return err
			})
		})
	}
}

// refusingProxy refuses with all that it was told.
func refusingProxy(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 1024)
			n, _ := conn.Read(buf)
			fmt.Fprintf(conn, "HTTP/1.1 407 %s\r\n\r\n", strings.ReplaceAll(string(buf[:n]), "\r\n", " "))
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// No process that a run starts, nor the run itself, has a secret in its arguments.
func TestNoSecretInArguments(t *testing.T) {
	dir := t.TempDir()
	srv, err := pop3test.NewServer(pop3test.Config{Password: theSecret}, pop3test.Message{UID: "a", Text: sampleText("a", 0)})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	write(t, dir, "secret", theSecret+"\n", 0o600)
	write(t, dir, "ps.sh", "ps -ww -eo args >>"+dir+"/args\n", 0o600)
	write(t, dir, "secret.sh", ". "+dir+"/ps.sh\ncat "+dir+"/secret\n", 0o600)
	write(t, dir, "tunnel.sh", ". "+dir+"/ps.sh\nexec relay \"$1\"\n", 0o600)
	write(t, dir, "deliver.sh", ". "+dir+"/ps.sh\ncat >/dev/null\n", 0o600)
	config := write(t, dir, "c.toml", fmt.Sprintf(`state_dir = "state"
[accounts.a]
server = %q
tls = "none"
user = "user"
password_command = ["sh", "%[2]s/secret.sh"]
tunnel = ["sh", "%[2]s/tunnel.sh", %[1]q]
deliver = { command = ["sh", "%[2]s/deliver.sh"] }
`, srv.Addr, dir), 0o600)
	if stdout, stderr, status := mailhaul(t, "-c", config, "fetch"); status != 0 {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	args, err := os.ReadFile(dir + "/args")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(args), "mailhaul -c "+config); n < 3 {
		t.Errorf("the run was seen %d times", n)
	}
	if form := leaked(string(args), theSecret); form != "" {
		t.Errorf("%q is in the arguments", form)
	}
}
