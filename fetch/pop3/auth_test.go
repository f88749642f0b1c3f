package pop3

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestUserPass(t *testing.T) {
	// The octets of a password are sent as they are (RFC 1939, section 7).
	c := converse(t, nil, `
	S: +OK
	C: USER frated
	S: +OK
	C: PASS  two  blanks and `+"\xe4"+` `+`
	S: +OK`)
	if err := c.UserPass("frated", " two  blanks and \xe4 "); err != nil {
		t.Error(err)
	}
}

func TestApop(t *testing.T) {
	// The good case is in TestSession.
	c := converse(t, nil, `
	S: +OK no stamp <here>`)
	if err := c.Apop("mrose", "tanstaaf"); !errors.Is(err, ErrRefusedMechanism) || c.Err() != nil {
		t.Error(err)
	}
	c = converse(t, nil, `
	S: +OK <1896.697170952@dbc.mtview.ca.us>
	C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
	S: -ERR [AUTH] c4c9334bac560ecc979e58001b3e22fb is wrong`)
	err := c.Apop("mrose", "tanstaaf")
	if !isLogin(err) || strings.Contains(err.Error(), "c4c9334bac") {
		t.Error(err)
	}
}

// The examples of the RFCs, in two steps and with the initial response, to their end.
func TestMechanisms(t *testing.T) {
	token := "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
	for _, tt := range []struct {
		name     string
		mech     sasl.Client
		initial  bool
		dialogue string
	}{
		{"RFC 5034, section 6", sasl.NewPlainClient("test", "test", "test"), true, `
		C: AUTH PLAIN dGVzdAB0ZXN0AHRlc3Q=
		S: +OK Maildrop locked and ready`},
		{"PLAIN in two steps", sasl.NewPlainClient("test", "test", "test"), false, `
		C: AUTH PLAIN
		S: + ` + `
		C: dGVzdAB0ZXN0AHRlc3Q=
		S: +OK Maildrop locked and ready`},
		{"our PLAIN", &plain{"tim", "tanstaaf"}, true, `
		C: AUTH PLAIN ` + b64("\x00tim\x00tanstaaf") + `
		S: +OK`},
		{"challenge without blank", &plain{"tim", "tanstaaf"}, false, `
		C: AUTH PLAIN
		S: +
		C: ` + b64("\x00tim\x00tanstaaf") + `
		S: +OK`},
		{"RFC 2195", &cramMD5{user: "tim", pass: "tanstaaftanstaaf"}, true, `
		C: AUTH CRAM-MD5
		S: + PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
		C: ` + b64("tim b913a602c7eda7a495b4e6e7334d3890") + `
		S: +OK CRAM authentication successful`},
		{"LOGIN", &login{user: "tim", pass: "tanstaaf"}, true, `
		C: AUTH LOGIN
		S: + VXNlcm5hbWU6
		C: dGlt
		S: + UGFzc3dvcmQ6
		C: dGFuc3RhYWY=
		S: +OK`},
		{"LOGIN with other prompts", &login{user: "tim", pass: "tanstaaf"}, false, `
		C: AUTH LOGIN
		S: + d2hvPw==
		C: dGlt
		S: +
		C: dGFuc3RhYWY=
		S: +OK`},
		{"LOGIN of go-sasl", sasl.NewLoginClient("tim", "tanstaaf"), false, `
		C: AUTH LOGIN
		S: + VXNlcm5hbWU6
		C: dGlt
		S: + UGFzc3dvcmQ6
		C: dGFuc3RhYWY=
		S: +OK`},
		{"EXTERNAL", &external{"tim"}, true, `
		C: AUTH EXTERNAL dGlt
		S: +OK`},
		{"EXTERNAL without a name", &external{}, true, `
		C: AUTH EXTERNAL =
		S: +OK`},
		{"EXTERNAL in two steps", &external{}, false, `
		C: AUTH EXTERNAL
		S: +
		C: ` + `
		S: +OK`},
		{"XOAUTH2 (Google's example)", &xoauth2{user: "someuser@example.com", token: "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"}, false, `
		C: AUTH XOAUTH2
		S: + ` + `
		C: dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==
		S: +OK Welcome.`},
		{"RFC 7628, section 4.1", &oauthBearer{user: "user@example.com", token: token, host: "server.example.com", port: 143}, false, `
		C: AUTH OAUTHBEARER
		S: +
		C: bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB
		S: +OK`},
		{"OAUTHBEARER escapes the user", &oauthBearer{user: "a=b,c@x", token: "t"}, true, `
		C: AUTH OAUTHBEARER ` + b64("n,a=a=3Db=2Cc@x,\x01auth=Bearer t\x01\x01") + `
		S: +OK`},
		{"OAUTHBEARER without a user", &oauthBearer{token: "t"}, true, `
		C: AUTH OAUTHBEARER ` + b64("n,,\x01auth=Bearer t\x01\x01") + `
		S: +OK`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := converse(t, nil, "S: +OK"+tt.dialogue)
			if err := c.Auth(tt.mech, tt.initial); err != nil {
				t.Error(err)
			}
			if n, _ := c.Unanswered(); n != 0 || c.Err() != nil {
				t.Errorf("%d unanswered, %v", n, c.Err())
			}
		})
	}
}

// The line of AUTH has at most 255 octets; what is longer goes behind it (RFC 5034, section 4).
func TestInitialResponseLimit(t *testing.T) {
	for octets, inLine := range map[int]bool{255: true, 256: false} {
		enc := strings.Repeat("QUJD", (octets-len("AUTH X-ABCD \r\n"))/4)
		mech := "X-" + strings.Repeat("A", octets-len("AUTH X- \r\n")-len(enc))
		dialogue := "C: AUTH " + mech + " " + enc
		if !inLine {
			dialogue = "C: AUTH " + mech + "\nS: +\nC: " + enc
		}
		c := converse(t, nil, "S: +OK\n"+dialogue+"\nS: +OK")
		if err := c.Auth(once{mech, enc}, true); err != nil {
			t.Error(err)
		}
	}
}

// once is a mechanism with one response.
type once struct{ name, enc string }

func (m once) Start() (string, []byte, error) {
	ir, err := base64.StdEncoding.DecodeString(m.enc)
	return m.name, ir, err
}

func (m once) Next([]byte) ([]byte, error) { return nil, errChallenge }

// A challenge may be as long as 64 KiB; no fixed buffer of a kilobyte.
func TestLongChallenge(t *testing.T) {
	challenge := b64(strings.Repeat("x", 45<<10))
	c := converse(t, nil, "S: +OK\nC: AUTH CRAM-MD5\nS: + "+challenge+"\nC: *\nS: -ERR")
	if err := c.Auth(&counting{}, false); !errors.Is(err, ErrRefusedMechanism) || !strings.Contains(err.Error(), "46080 octets") {
		t.Error(err)
	}
	c = streamClient(t, strings.NewReader("+ "+strings.Repeat("QUJD", maxChallenge/4)+"\r\n"))
	if err := c.Auth(&counting{}, false); !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
}

type counting struct{}

func (counting) Start() (string, []byte, error) { return "CRAM-MD5", nil, nil }

func (counting) Next(challenge []byte) ([]byte, error) {
	return nil, fmt.Errorf("%d octets", len(challenge))
}

// A long token is one line, whatever its length.
func TestLongToken(t *testing.T) {
	token := strings.Repeat("t", 5000)
	c := converse(t, nil, "S: +OK\nC: AUTH XOAUTH2\nS: +\nC: "+b64("user=u\x01auth=Bearer "+token+"\x01\x01")+"\nS: +OK")
	if err := c.Auth(&xoauth2{user: "u", token: token}, true); err != nil {
		t.Error(err)
	}
}

// Nothing that the server echoes, and nothing that we say, tells a secret.
func TestAuthDialogue(t *testing.T) {
	var b strings.Builder
	enc := b64("\x00tim\x00tanstaaf")
	c := converse(t, &Options{Dialogue: &b}, `
	S: +OK <1896.697170952@dbc.mtview.ca.us>
	C: AUTH PLAIN `+enc+`
	S: -ERR `+enc+` and tanstaaf
	C: AUTH CRAM-MD5
	S: + PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
	C: `+b64("tim 85a2deaeb5209b0f54d40759dacc24c4")+`
	S: -ERR no
	C: APOP tim c4c9334bac560ecc979e58001b3e22fb
	S: -ERR c4c9334bac560ecc979e58001b3e22fb
	C: USER tim
	S: +OK
	C: PASS tanstaaf
	S: -ERR no tanstaaf`)
	cred := Credentials{User: "tim", Password: "tanstaaf"}
	for _, mech := range []string{"plain", "cram-md5", "apop", "user"} {
		used, err := Login(c, Caps{"SASL PLAIN"}, true, mech, cred)
		if used != mech || !isLogin(err) || strings.Contains(err.Error(), "tanstaaf") || strings.Contains(err.Error(), enc) {
			t.Errorf("%s: %v", used, err)
		}
	}
	want := `S: +OK <1896.697170952@dbc.mtview.ca.us>
C: AUTH PLAIN ****
S: -ERR **** and ****
C: AUTH CRAM-MD5
S: + (56 octets)
C: ****
S: -ERR no
C: APOP tim ****
S: -ERR ****
C: USER tim
S: +OK
C: PASS ****
S: -ERR no ****
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
