package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
)

// A mail server that repeats what it is told, be it as a refusal or as a yes, does not get the secret
// into any output.
func TestReceiverRepeatsSecret(t *testing.T) {
	srv, err := pop3test.NewServer(pop3test.Config{}, pop3test.Message{UID: "a", Text: "Subject: a\r\n\r\na\r\n"})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	// Each says that, behind what was told it: in place of an answer to the login, or to all that comes then.
	for name, at := range map[string]struct{ protocol, login, later string }{
		"smtp, refused":       {"smtp", "535 5.7.8 what is ", ""},
		"smtp, no reply":      {"smtp", "what is ", ""},
		"smtp, refused later": {"smtp", "235 yes ", "550 for "},
		"smtp, all is well":   {"smtp", "235 yes ", "250 for "},
		"imap, refused":       {"imap", "NO what is ", ""},
		"imap, bye":           {"imap", "* BYE what is ", ""},
		"imap, no reply":      {"imap", "what is ", ""},
		"imap, refused later": {"imap", "OK ", "NO for "},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() { // the server's side
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					repeat(conn, at.protocol, at.login, at.later)
					conn.Close()
				}
			}()
			dir := t.TempDir()
			config := write(t, dir, "c.toml", fmt.Sprintf(`state_dir = %q
[accounts.x]
server = %q
tls = "none"
user = "user"
password = "secret"
keep = true
timeout = "1s"
deliver = { %s = %q, tls = "none", user = "ann", password = %q%s }
`, dir+"/state", srv.Addr, at.protocol, l.Addr().String(), theSecret, map[string]string{"smtp": `, recipient = "bob"`}[at.protocol]), 0o600)
			for _, args := range [][]string{{"check"}, {"fetch"}, {"fetch", "--json", "-v", "--dialogue"}} {
				stdout, stderr, _ := mailhaul(t, append([]string{"-c", config}, args...)...)
				if form := leaked(stdout+stderr, theSecret); form != "" {
					t.Errorf("%q in the output of %v:\n%s%s", form, args, stdout, stderr)
				}
			}
			states, err := filepath.Glob(dir + "/state/*")
			for _, path := range states {
				text, _ := os.ReadFile(path)
				if leaked(string(text), theSecret) != "" {
					t.Errorf("in the state: %s", text)
				}
			}
			if err != nil || len(states) == 0 {
				t.Error("no state", err)
			}
		})
	}
}

// repeat is one session of a mail server that repeats the login.
func repeat(conn net.Conn, protocol, login, later string) {
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	br := bufio.NewReader(conn)
	fmt.Fprint(conn, map[string]string{"smtp": "220 x\r\n", "imap": "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x\r\n"}[protocol])
	told := ""
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		tag := ""
		if protocol == "imap" && len(words) > 1 {
			tag, words = words[0]+" ", words[1:]
		}
		switch {
		case words[0] == "EHLO":
			fmt.Fprint(conn, "250-x\r\n250 AUTH PLAIN\r\n")
		case words[0] == "CAPABILITY":
			fmt.Fprintf(conn, "* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\n%sOK x\r\n", tag)
		case words[0] == "AUTH" || words[0] == "AUTHENTICATE":
			sasl, _ := base64.StdEncoding.DecodeString(words[2])
			told = words[2] + " or " + strings.ReplaceAll(string(sasl), "\x00", " ")
			if strings.HasPrefix(login, "*") || strings.HasPrefix(login, "what") {
				tag = ""
			}
			fmt.Fprint(conn, tag+login+told+"\r\n")
			if strings.HasPrefix(login, "*") {
				return
			}
		case words[0] == "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			for ; line != ".\r\n" && err == nil; line, err = br.ReadString('\n') {
			}
			fmt.Fprint(conn, later+told+"\r\n")
		default:
			fmt.Fprint(conn, tag+later+told+"\r\n")
		}
	}
}
