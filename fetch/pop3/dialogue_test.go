package pop3

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

// converse plays the server's side of a dialogue in the notation of RFC 1939 and returns the
// client's. Lines other than "C: …" and "S: …":
//
//	S= "raw"   these octets, as a Go string, without a CRLF
//	close      closes the connection
//
// When the test ends, the whole dialogue must have taken place, and the client must have said
// nothing else.
func converse(t *testing.T, opts *Options, script string) *Client {
	t.Helper()
	c, err := New(serve(t, script), opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve is converse for tests that make the Client themselves.
func serve(t *testing.T, script string) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan error, 1)
	go func() {
		defer server.Close()
		done <- play(server, script)
	}()
	t.Cleanup(func() {
		client.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return client
}

func play(conn net.Conn, script string) error {
	r := bufio.NewReader(conn)
	for _, line := range strings.Split(script, "\n") {
		line = strings.TrimLeft(line, "\t")
		kind, text, _ := strings.Cut(line, " ")
		var err error
		switch kind {
		case "":
		case "S:":
			_, err = conn.Write([]byte(text + "\r\n"))
		case "S=":
			var raw string
			if raw, err = strconv.Unquote(text); err == nil {
				_, err = conn.Write([]byte(raw))
			}
		case "C:":
			var got string
			if got, err = r.ReadString('\n'); err == nil && got != text+"\r\n" {
				err = fmt.Errorf("client said %q", got)
			}
		case "close":
			return nil
		default:
			err = fmt.Errorf("bad script")
		}
		if err != nil {
			return fmt.Errorf("at %q: %w", line, err)
		}
	}
	if rest, err := r.ReadString('\n'); rest != "" {
		return fmt.Errorf("client said %q after the end (%v)", rest, err)
	}
	return nil
}

func TestDialogueWriter(t *testing.T) {
	var b strings.Builder
	c := converse(t, &Options{Dialogue: &b}, `
	S: +OK ready \ `+"\x1b[31m"+`
	C: CAPA
	S: +OK
	S: SASL PLAIN
	S: .
	C: USER tim
	S: +OK
	C: PASS tanstaaf
	S: +OK logged in as tim with tanstaaf
	C: UIDL
	C: RETR 1
	C: RETR 2
	S: +OK
	S= "1 a\xffb\r\n"
	S: .
	S: +OK
	S: Subject: secret
	S: .
	S: -ERR no such message`)
	c.Capa().Wait()
	if err := c.UserPass("tim", "tanstaaf"); err != nil {
		t.Fatal(err)
	}
	c.UIDL()
	c.Retr(1)
	if _, err := c.Retr(2).Body(); err == nil {
		t.Fatal("no error")
	}
	want := `S: +OK ready \\ \x1b[31m
C: CAPA
S: +OK
S: SASL PLAIN
S: .
C: USER tim
S: +OK
C: PASS ****
S: +OK logged in as tim with ****
C: UIDL
C: RETR 1
C: RETR 2
S: +OK
S: 1 a\xffb
S: .
S: +OK
S: (17 octets)
S: -ERR no such message
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestRedact(t *testing.T) {
	for _, tt := range []struct{ secret, in, want string }{
		{"hunter2", "no hunter2, hunter2x", "no ****, ****x"},
		{"abc", "abcdef is not abc.", "abcdef is not ****"},
		{"a", "a cat", "**** cat"},
		{"x y z w", "is x y z w", "is ****"},
	} {
		d := dialogue{secrets: []string{tt.secret}}
		if got := d.redact(tt.in); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

// Of two secrets the one that has the other in it is masked as a whole, in whatever order they came.
func TestMaskLongestFirst(t *testing.T) {
	for _, secrets := range [][]string{{"dXNl", "dXNlcg=="}, {"dXNlcg==", "dXNl"}} {
		c := converse(t, nil, "S: +OK")
		for _, s := range secrets {
			c.Mask(s)
		}
		if got := c.Redact("no dXNlcg== here, nor dXNl"); got != "no **** here, nor ****" {
			t.Errorf("%q: %q", secrets, got)
		}
	}
}
