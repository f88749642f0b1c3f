package pop3

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// RFC 2449, section 5.
const capaExample = "+OK Capability list follows\r\n" +
	"TOP\r\nUSER\r\nSASL CRAM-MD5 KERBEROS_V4\r\nRESP-CODES\r\nLOGIN-DELAY 900\r\nPIPELINING\r\n" +
	"EXPIRE 60\r\nUIDL\r\nIMPLEMENTATION Shlemazle-Plotz-v302\r\n.\r\n"

func TestCapa(t *testing.T) {
	caps, err := streamClient(t, strings.NewReader(capaExample)).Capa().Wait()
	if err != nil || len(caps) != 9 {
		t.Fatalf("%q, %v", caps, err)
	}
	if !caps.Has("pipelining") || caps.Has("STLS") || caps.Has("") {
		t.Error("Has")
	}
	if got := caps.Args("expire"); !slices.Equal(got, []string{"60"}) || caps.Args("TOP") != nil || caps.Args("STLS") != nil {
		t.Errorf("Args: %q", got)
	}
	if caps.ExpiresRetrieved() || !(Caps{"Expire 0 USER"}).ExpiresRetrieved() || (Caps{"EXPIRE"}).ExpiresRetrieved() {
		t.Error("ExpiresRetrieved")
	}
	if !caps.SASL("cram-md5") || caps.SASL("PLAIN") || caps.SASL("SASL") {
		t.Error("SASL")
	}
}

func TestCapsLenient(t *testing.T) {
	caps, err := streamClient(t, strings.NewReader("+OK\r\n  sasl   PLAIN\t LOGIN  \r\nX-NO-STLS\r\n\r\nSASL\r\nAUTH=CRAM-MD5\r\n.\r\n")).Capa().Wait()
	if err != nil || len(caps) != 4 {
		t.Fatalf("%q, %v", caps, err)
	}
	if !caps.SASL("PLAIN") || !caps.SASL("LOGIN") || caps.SASL("CRAM-MD5") || caps.Has("STLS") {
		t.Errorf("%q", caps)
	}
	if got := caps.Without("plain"); got.SASL("PLAIN") || !got.SASL("LOGIN") || !got.Has("X-NO-STLS") || !caps.SASL("PLAIN") {
		t.Errorf("%q", got)
	}
}

// An -ERR means unknown, and the session goes on.
func TestCapaRefused(t *testing.T) {
	c := converse(t, nil, `
	S: +OK
	C: CAPA
	S: -ERR unknown command
	C: NOOP
	S: +OK`)
	var e *Error
	if caps, err := c.Capa().Wait(); !errors.As(err, &e) || caps != nil {
		t.Errorf("%q, %v", caps, err)
	}
	if err := c.Noop().Wait(); err != nil {
		t.Error(err)
	}
}

func TestCapaBounds(t *testing.T) {
	for n, ok := range map[int]bool{60: true, maxCapa/10 + 1: false, 1 << 20: false} {
		c := streamClient(t, io.MultiReader(strings.NewReader("+OK\r\n"), &endless{b: []byte("X-ABCDEF\r\n"), n: n}, strings.NewReader(".\r\n")))
		caps, err := c.Capa().Wait()
		if ok && (err != nil || len(caps) != n) || !ok && (!errors.Is(err, ErrProtocol) || c.Err() != err) {
			t.Errorf("%d lines: %d, %v", n, len(caps), err)
		}
	}
}

func FuzzCapa(f *testing.F) {
	f.Add([]byte(capaExample))
	f.Add([]byte("+OK\r\nSASL\r\n sasl plain\r\n.\r\n"))
	f.Add([]byte("-ERR\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		c := streamClient(t, bytes.NewReader(wire))
		caps, err := c.Capa().Wait()
		if err != nil {
			if caps != nil {
				t.Fatalf("%q with %v", caps, err)
			}
			return
		}
		for _, line := range caps {
			if line == "" || len(line) > maxListingLine || strings.ContainsAny(line, "\n") {
				t.Fatalf("line %q", line)
			}
			if name, _, _ := strings.Cut(line, " "); name == "" || strings.TrimSpace(name) == name && len(strings.Fields(name)) == 1 && !caps.Has(name) {
				t.Fatalf("%q has no %q", caps, name)
			}
		}
		caps.Without("PLAIN").SASL("PLAIN")
	})
}
