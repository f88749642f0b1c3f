package pop3

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// The choice of "auto", and what it falls back to: never after a secret went out.
func TestLogin(t *testing.T) {
	var (
		cred    = Credentials{User: "tim", Password: "tanstaaf"}
		token   = Credentials{User: "tim", Token: "ya29"}
		plain   = b64("\x00tim\x00tanstaaf")
		xoauth2 = b64("user=tim\x01auth=Bearer ya29\x01\x01")
		bearer  = b64("n,a=tim,\x01host=h\x01port=995\x01auth=Bearer ya29\x01\x01")
	)
	const (
		ok       = iota
		refusal  // *LoginError
		mechanic // ErrRefusedMechanism
	)
	for _, tt := range []struct {
		name     string
		caps     Caps
		known    bool
		mech     string
		cred     Credentials
		dialogue string
		used     string
		result   int
	}{
		{"CAPA unknown", Caps{"SASL PLAIN"}, false, "auto", cred, `
		C: USER tim
		S: +OK
		C: PASS tanstaaf
		S: +OK`, "user", ok},
		{"PLAIN announced", Caps{"SASL LOGIN PLAIN CRAM-MD5", "USER"}, true, "auto", cred, `
		C: AUTH PLAIN ` + plain + `
		S: +OK`, "plain", ok},
		{"PLAIN announced, and \"\" is auto", Caps{"SASL PLAIN"}, true, "", cred, `
		C: AUTH PLAIN ` + plain + `
		S: +OK`, "plain", ok},
		{"nothing announced", Caps{}, true, "auto", cred, `
		C: USER tim
		S: +OK
		C: PASS tanstaaf
		S: +OK`, "user", ok},
		{"only weak ones announced", Caps{"SASL CRAM-MD5"}, true, "auto", cred, `
		C: USER tim
		S: +OK
		C: PASS tanstaaf
		S: +OK`, "user", ok},
		{"USER refused", Caps{"SASL LOGIN"}, true, "auto", cred, `
		C: USER tim
		S: -ERR use AUTH
		C: AUTH LOGIN
		S: +
		C: dGlt
		S: +
		C: dGFuc3RhYWY=
		S: +OK`, "login", ok},
		{"credentials refused", Caps{"SASL PLAIN LOGIN"}, true, "auto", cred, `
		C: AUTH PLAIN ` + plain + `
		S: -ERR no`, "plain", refusal},
		{"password refused", Caps{"SASL LOGIN"}, true, "auto", cred, `
		C: USER tim
		S: +OK
		C: PASS tanstaaf
		S: -ERR no`, "user", refusal},
		{"too soon", Caps{"SASL LOGIN"}, true, "auto", cred, `
		C: USER tim
		S: -ERR [LOGIN-DELAY] wait`, "user", refusal},
		{"all refused", Caps{"SASL LOGIN"}, true, "auto", cred, `
		C: USER tim
		S: -ERR no
		C: AUTH LOGIN
		S: -ERR no`, "login", mechanic},
		{"named does not fall back", Caps{"SASL PLAIN"}, true, "cram-md5", cred, `
		C: AUTH CRAM-MD5
		S: -ERR no`, "cram-md5", mechanic},
		{"APOP without a stamp does not fall back", nil, true, "apop", cred, ``, "apop", mechanic},
		{"unknown name", nil, true, "ntlm", cred, ``, "ntlm", mechanic},
		{"PLAIN named, not announced", nil, true, "plain", cred, `
		C: AUTH PLAIN
		S: +
		C: ` + plain + `
		S: +OK`, "plain", ok},
		{"token", Caps{"SASL PLAIN XOAUTH2 OAUTHBEARER"}, true, "auto", token, `
		C: AUTH XOAUTH2
		S: +
		C: ` + xoauth2 + `
		S: +OK`, "xoauth2", ok},
		{"token, OAUTHBEARER announced", Caps{"SASL PLAIN OAUTHBEARER"}, true, "auto",
			Credentials{User: "tim", Token: "ya29", Host: "h", Port: 995}, `
		C: AUTH OAUTHBEARER
		S: +
		C: ` + bearer + `
		S: +OK`, "oauthbearer", ok},
		{"token, none announced", nil, false, "auto", token, `
		C: AUTH XOAUTH2
		S: +
		C: ` + xoauth2 + `
		S: +OK`, "xoauth2", ok},
		{"XOAUTH2 in one line", nil, false, "xoauth2", token, `
		C: AUTH XOAUTH2
		S: -ERR initial response expected
		C: AUTH XOAUTH2 ` + xoauth2 + `
		S: +OK`, "xoauth2", ok},
		{"token refused", nil, false, "auto", token, `
		C: AUTH XOAUTH2
		S: +
		C: ` + xoauth2 + `
		S: -ERR no`, "xoauth2", refusal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := converse(t, nil, "S: +OK"+tt.dialogue)
			used, err := Login(c, tt.caps, tt.known, tt.mech, tt.cred)
			if used != tt.used {
				t.Errorf("used %q", used)
			}
			got := ok
			switch {
			case isLogin(err):
				got = refusal
			case errors.Is(err, ErrRefusedMechanism):
				got = mechanic
			case err != nil:
				got = -1
			}
			if got != tt.result {
				t.Error(err)
			}
		})
	}
}

// A server that closes the connection at the refusal of a mechanism: the caller may dial again
// without it.
func TestLoginClosedAtRefusal(t *testing.T) {
	c := converse(t, nil, `
	S: +OK
	C: USER tim
	S: -ERR use AUTH
	close`)
	caps := Caps{"SASL LOGIN"}
	used, err := Login(c, caps, true, "auto", Credentials{User: "tim", Password: "tanstaaf"})
	if used != "user" || !errors.Is(err, ErrRefusedMechanism) || !errors.Is(err, io.ErrUnexpectedEOF) || c.Err() == nil {
		t.Errorf("%s, %v", used, err)
	}
	if isLogin(err) {
		t.Error(err)
	}
}

// A connection lost at the password is no refusal of anything.
func TestLoginLost(t *testing.T) {
	c := converse(t, nil, `
	S: +OK
	C: USER tim
	S: +OK
	C: PASS tanstaaf
	close`)
	_, err := Login(c, nil, false, "auto", Credentials{User: "tim", Password: "tanstaaf"})
	if errors.Is(err, ErrRefusedMechanism) || isLogin(err) || !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "tanstaaf") {
		t.Error(err)
	}
}
