package pop3

import (
	"errors"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
)

func TestUserPassRefused(t *testing.T) {
	c := converse(t, nil, `
	S: +OK
	C: USER a
	S: -ERR no clear text here
	C: USER b
	S: -ERR [AUTH] nobody
	C: USER c
	S: +OK
	C: PASS pa55word
	S: -ERR [IN-USE] pa55word is right, but wait
	C: NOOP
	S: +OK`)
	if err := c.UserPass("a", "pa55word"); !errors.Is(err, ErrRefusedMechanism) || isLogin(err) {
		t.Error(err)
	}
	if err := c.UserPass("b", "pa55word"); errors.Is(err, ErrRefusedMechanism) || !isLogin(err) {
		t.Error(err)
	}
	err := c.UserPass("c", "pa55word")
	var login *LoginError
	if !errors.As(err, &login) || login.Mechanism != "user" || login.Err.Code != "IN-USE" || login.Err.Command != "PASS" {
		t.Fatal(err)
	}
	if want := `login refused: PASS: "[IN-USE] **** is right, but wait"`; err.Error() != want || strings.Contains(login.Err.Text, "pa55word") {
		t.Errorf("%v, want %s", err, want)
	}
	if err := c.Noop().Wait(); err != nil {
		t.Error(err)
	}
}

func TestAuthRefused(t *testing.T) {
	json401 := b64(`{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}`)
	for _, tt := range []struct {
		name     string
		mech     sasl.Client
		initial  bool
		dialogue string
		secret   bool // it went out
		status   string
	}{
		{"mechanism", &plain{"tim", "tanstaaf"}, false, `
		C: AUTH PLAIN
		S: -ERR unknown mechanism`, false, ""},
		{"credentials", &plain{"tim", "tanstaaf"}, false, `
		C: AUTH PLAIN
		S: +
		C: ` + b64("\x00tim\x00tanstaaf") + `
		S: -ERR no`, true, ""},
		{"initial response", &plain{"tim", "tanstaaf"}, true, `
		C: AUTH PLAIN ` + b64("\x00tim\x00tanstaaf") + `
		S: -ERR no`, true, ""},
		{"initial response ignored", &plain{"tim", "tanstaaf"}, true, `
		C: AUTH PLAIN ` + b64("\x00tim\x00tanstaaf") + `
		S: +
		C: *
		S: -ERR cancelled`, true, ""},
		{"undecodable challenge", &cramMD5{user: "tim"}, false, `
		C: AUTH CRAM-MD5
		S: + ***
		C: *
		S: -ERR cancelled`, false, ""},
		{"challenge with rubbish behind it", &cramMD5{user: "tim"}, false, `
		C: AUTH CRAM-MD5
		S: + PDE4OTY= x
		C: *
		S: -ERR cancelled`, false, ""},
		{"empty challenge", &cramMD5{user: "tim"}, false, `
		C: AUTH CRAM-MD5
		S: +
		C: *
		S: -ERR cancelled`, false, ""},
		{"one challenge too many", &login{user: "tim", pass: "x"}, false, `
		C: AUTH LOGIN
		S: +
		C: dGlt
		S: +
		C: eA==
		S: + aGE=
		C: *
		S: -ERR cancelled`, true, ""},
		{"XOAUTH2", &xoauth2{user: "u", token: "t"}, false, `
		C: AUTH XOAUTH2
		S: +
		C: ` + b64("user=u\x01auth=Bearer t\x01\x01") + `
		S: + ` + json401 + `
		C: ` + `
		S: -ERR invalid credentials`, true, "401"},
		{"XOAUTH2 asks twice", &xoauth2{user: "u", token: "t"}, false, `
		C: AUTH XOAUTH2
		S: +
		C: ` + b64("user=u\x01auth=Bearer t\x01\x01") + `
		S: + ` + b64(`{"status":400}`) + `
		C: ` + `
		S: +
		C: *
		S: -ERR invalid credentials`, true, "400"},
		{"OAUTHBEARER", &oauthBearer{user: "u", token: "t"}, false, `
		C: AUTH OAUTHBEARER
		S: +
		C: ` + b64("n,a=u,\x01auth=Bearer t\x01\x01") + `
		S: + ` + b64(`{"status":"invalid_token"}`) + `
		C: AQ==
		S: -ERR no`, true, "invalid_token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := converse(t, nil, "S: +OK"+tt.dialogue+"\nC: QUIT\nS: +OK")
			err := c.Auth(tt.mech, tt.initial)
			var login *LoginError
			var e *Error
			if errors.As(err, &login) != tt.secret || errors.Is(err, ErrRefusedMechanism) == tt.secret || !errors.As(err, &e) {
				t.Fatal(err)
			}
			if login != nil && login.Status != tt.status {
				t.Errorf("status %q, want %q", login.Status, tt.status)
			}
			if err := c.Quit().Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAuthProtocolErrors(t *testing.T) {
	for _, tt := range []struct {
		name     string
		mech     sasl.Client
		dialogue string
	}{
		{"+OK before any response", &plain{"tim", "x"}, "C: AUTH PLAIN\nS: +OK"},
		{"+OK before the password", &login{user: "tim"}, "C: AUTH LOGIN\nS: +\nC: dGlt\nS: +OK"},
		{"+OK behind an error", &oauthBearer{token: "t"}, "C: AUTH OAUTHBEARER\nS: +\nC: " + b64("n,,\x01auth=Bearer t\x01\x01") + "\nS: + e30=\nC: AQ==\nS: +OK"},
		{"+OK to a cancellation", &cramMD5{}, "C: AUTH CRAM-MD5\nS: +\nC: *\nS: +OK"},
		{"challenge to a cancellation", &cramMD5{}, "C: AUTH CRAM-MD5\nS: +\nC: *\nS: +"},
		{"something else", &plain{"tim", "x"}, "C: AUTH PLAIN\nS: 334"},
		{"early reply", &plain{"tim", "x"}, "C: AUTH PLAIN\n" + `S= "+ \r\n+OK\r\n"`},
		{"early challenge", &login{user: "tim"}, "C: AUTH LOGIN\n" + `S= "+ \r\n+ \r\n"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := converse(t, nil, "S: +OK\n"+tt.dialogue)
			if err := c.Auth(tt.mech, false); !errors.Is(err, ErrProtocol) || c.Err() != err {
				t.Errorf("%v; Err %v", err, c.Err())
			}
			if err := c.Quit().Wait(); err != c.Err() {
				t.Errorf("QUIT: %v", err)
			}
		})
	}
}
