package pop3

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestDo(t *testing.T) {
	var b strings.Builder
	c := converse(t, &Options{Dialogue: &b}, `
	S: +OK
	C: user  tim
	S: +ok [X] go
	C: pass`+"\t"+`tanstaaf
	S: -ERR [AUTH] tanstaaf?
	C: RETR 1
	S: +OK	here  it is
	S: ..dot
	S: .
	C: XTND all
	S: -ERR no
	C: APOP tim 0123456789abcdef
	S: +OK
	C: AUTH PLAIN AHRpbQB0YW5zdGFhZg==
	S: -ERR AHRpbQB0YW5zdGFhZg==
	C: quit
	S: +OK bye`)
	for _, tt := range []struct {
		line   string
		multi  bool
		status string
		text   string
		code   string
		ok     bool
	}{
		{"user  tim", false, "+ok [X] go", "", "", true},
		{"pass\ttanstaaf", false, "-ERR [AUTH] ****?", "", "AUTH", false},
		{"RETR 1", true, "+OK\there  it is", ".dot\r\n", "", true},
		{"XTND all", true, "-ERR no", "", "", false},
		{"APOP tim 0123456789abcdef", false, "+OK", "", "", true},
		{"AUTH PLAIN AHRpbQB0YW5zdGFhZg==", false, "-ERR ****", "", "", false},
		{"quit", false, "+OK bye", "", "", true},
	} {
		status, body, err := c.Do(tt.line, tt.multi)
		var e *Error
		if status != tt.status || (err == nil) != tt.ok || errors.As(err, &e) == tt.ok || e != nil && e.Code != tt.code {
			t.Errorf("%s: %q, %v", tt.line, status, err)
		}
		if (body != nil) != (tt.multi && tt.ok) {
			t.Errorf("%s: body %v", tt.line, body)
		}
		if body != nil {
			if text, err := io.ReadAll(body); string(text) != tt.text || err != nil {
				t.Errorf("%s: %q, %v", tt.line, text, err)
			}
		}
	}
	if _, _, err := c.Do("NOOP", false); !errors.Is(err, errAfterQuit) {
		t.Errorf("behind QUIT: %v", err)
	}
	for _, secret := range []string{"tanstaaf", "0123456789abcdef", "AHRpb"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%s in the dialogue:\n%s", secret, b.String())
		}
	}
	if !strings.Contains(b.String(), "C: user  tim\n") || !strings.Contains(b.String(), "C: APOP tim ****\n") {
		t.Errorf("the dialogue is\n%s", b.String())
	}
}

func TestDoRefused(t *testing.T) {
	c := converse(t, nil, "S: +OK\nC: NOOP\nS: +OK")
	for _, line := range []string{"", " NOOP", "NOOP\r\nDELE 1", "NOOP\n", "NOOP\r", "NO\x00OP", "STLS", "stls now"} {
		if status, _, err := c.Do(line, false); !errors.Is(err, ErrArgument) || status != "" {
			t.Errorf("%q: %q, %v", line, status, err)
		}
	}
	if _, _, err := c.Do("NOOP", false); err != nil {
		t.Error(err)
	}
}

// Of AUTH a person makes the responses, and cancels.
func TestDoChallenge(t *testing.T) {
	var b strings.Builder
	c := converse(t, &Options{Dialogue: &b}, `
	S: +OK
	C: AUTH LOGIN
	S: + VXNlcm5hbWU6
	C: dGlt
	S: +
	C:
	S: + UGFzc3dvcmQ6
	C: dGFuc3RhYWY=
	S: -ERR [AUTH] no tanstaaf, no dGFuc3RhYWY=
	C: auth LOGIN
	S: + VXNlcm5hbWU6
	C: *
	S: -ERR cancelled
	C: AUTH PLAIN
	S: +
	C: AHRpbQBvdGhlciBzZWNyZXQ=
	S: +OK other secret
	C: NOOP
	S: +OK`)
	status, _, err := c.Do("AUTH LOGIN", false)
	if status != "+ VXNlcm5hbWU6" || !errors.Is(err, ErrChallenge) || c.Err() != nil {
		t.Fatalf("%q, %v", status, err)
	}
	if _, _, err := c.Do("NOOP", false); !errors.Is(err, ErrArgument) {
		t.Errorf("a command within AUTH: %v", err)
	}
	if _, err := c.Respond("a\nb"); !errors.Is(err, ErrArgument) {
		t.Errorf("two lines: %v", err)
	}
	var e *Error
	for _, tt := range []struct {
		response, status string
		end              error
	}{
		{"dGlt", "+", ErrChallenge},
		{"", "+ UGFzc3dvcmQ6", ErrChallenge},
		{"dGFuc3RhYWY=", "-ERR [AUTH] no ****, no ****", nil},
	} {
		status, err := c.Respond(tt.response)
		if status != tt.status || !errors.Is(err, tt.end) && !errors.As(err, &e) {
			t.Errorf("%s: %q, %v", tt.response, status, err)
		}
	}
	if e == nil || e.Code != "AUTH" {
		t.Errorf("the refusal is %v", e)
	}
	if _, err := c.Respond("*"); !errors.Is(err, ErrArgument) {
		t.Errorf("a response without a challenge: %v", err)
	}
	if _, _, err := c.Do("auth LOGIN", false); !errors.Is(err, ErrChallenge) {
		t.Error(err)
	}
	if status, err := c.Respond("*"); status != "-ERR cancelled" || !errors.As(err, &e) {
		t.Errorf("%q, %v", status, err)
	}
	if _, _, err := c.Do("AUTH PLAIN", false); !errors.Is(err, ErrChallenge) {
		t.Error(err)
	}
	if status, err := c.Respond("AHRpbQBvdGhlciBzZWNyZXQ="); status != "+OK ****" || err != nil {
		t.Errorf("%q, %v", status, err)
	}
	if _, _, err := c.Do("NOOP", false); err != nil {
		t.Error(err)
	}
	for _, secret := range []string{"tanstaaf", "dGFuc3RhYWY", "other secret", "AHRpb"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%s in the dialogue:\n%s", secret, b.String())
		}
	}
}

// A challenge is no answer to any other command.
func TestDoChallengeElsewhere(t *testing.T) {
	c := converse(t, nil, "S: +OK\nC: NOOP\nS: + PDE+")
	status, _, err := c.Do("NOOP", false)
	if status != "+ PDE+" || !errors.Is(err, ErrProtocol) || c.Err() == nil {
		t.Errorf("%q, %v", status, err)
	}
}
