package pop3test_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// TestAPOP is the example of RFC 1939, 7.
func TestAPOP(t *testing.T) {
	srv := serve(t, pop3test.Config{Stamp: "<1896.697170952@dbc.mtview.ca.us>", User: "mrose", Password: "tanstaaf"})
	c := dial(t, srv)
	c.say("APOP mrose c4c9334bac560ecc979e58001b3e22fb")
	c.wantOK()
}

func TestAuth(t *testing.T) {
	login := func(s *pop3test.Session, initial []byte, given bool) (string, error) {
		if given {
			return "", errors.New("no initial response here")
		}
		user, err := s.Challenge([]byte("Username:"))
		if err != nil {
			return "", err
		}
		pass, err := s.Challenge([]byte("Password:"))
		if err != nil {
			return "", err
		}
		if want, ok := s.Password(string(user)); !ok || want != string(pass) {
			return "", errors.New("[AUTH] no")
		}
		return string(user), nil
	}
	srv := serve(t, pop3test.Config{
		Memory:     true,
		Mechanisms: map[string]pop3test.Mechanism{"LOGIN": login},
	})
	for _, tt := range []struct{ say, want []string }{
		{[]string{"AUTH PLAIN AHVzZXIAc2VjcmV0"}, []string{"+OK logged in"}},
		{[]string{"AUTH PLAIN", "AHVzZXIAc2VjcmV0"}, []string{"+ ", "+OK logged in"}},
		{[]string{"auth plain dXNlcgB1c2VyAHNlY3JldA=="}, []string{"+OK logged in"}}, // authzid is the user
		{[]string{"AUTH PLAIN b3RoZXIAdXNlcgBzZWNyZXQ="}, []string{"-ERR [AUTH] refused"}},
		{[]string{"AUTH PLAIN AHVzZXIAd3Jvbmc="}, []string{"-ERR [AUTH] refused"}},
		{[]string{"AUTH PLAIN ="}, []string{"-ERR [AUTH] refused"}},
		{[]string{"AUTH PLAIN ?"}, []string{"-ERR not base64"}},
		{[]string{"AUTH PLAIN", "*"}, []string{"+ ", "-ERR cancelled"}},
		{[]string{"AUTH PLAIN", "?"}, []string{"+ ", "-ERR illegal base64 data at input byte 0"}},
		{[]string{"AUTH SCRAM-SHA-1"}, []string{"-ERR unknown mechanism"}},
		{[]string{"AUTH"}, []string{"-ERR unknown mechanism"}},
		{[]string{"AUTH LOGIN", "dXNlcg==", "c2VjcmV0"}, []string{"+ VXNlcm5hbWU6", "+ UGFzc3dvcmQ6", "+OK logged in"}},
		{[]string{"AUTH LOGIN dXNlcg=="}, []string{"-ERR no initial response here"}},
	} {
		c := newClient(t, srv.Dial())
		c.wantOK()
		for i := range tt.say {
			c.say(tt.say[i])
			c.want(tt.want[i])
		}
	}
	c := newClient(t, srv.Dial())
	c.wantOK()
	c.say("CAPA")
	if caps, _ := c.ReadDotLines(); !slices.Contains(caps, "SASL LOGIN PLAIN") {
		t.Errorf("announced: %q", caps)
	}
}

func TestCaps(t *testing.T) {
	for _, tt := range []struct {
		cfg  pop3test.Config
		want string // "" for -ERR
	}{
		{pop3test.Config{}, "+OK Capability list follows RESP-CODES AUTH-RESP-CODE PIPELINING TOP UIDL USER SASL PLAIN"},
		{pop3test.Config{NoTOP: true, NoUIDL: true, NoUSER: true, Mechanisms: map[string]pop3test.Mechanism{"PLAIN": nil}},
			"+OK Capability list follows RESP-CODES AUTH-RESP-CODE PIPELINING"},
		{pop3test.Config{Caps: []string{"EXPIRE 0"}}, "+OK Capability list follows EXPIRE 0"},
		{pop3test.Config{Capa: func(s *pop3test.Session) []string { return []string{"N" + string(rune('0'+s.Count()))} }}, "+OK Capability list follows N1"},
		{pop3test.Config{NoCAPA: true}, ""},
	} {
		c := dial(t, serve(t, tt.cfg))
		c.say("CAPA")
		if tt.want == "" {
			c.wantERR()
			continue
		}
		got, err := c.ReadDotLines()
		if strings.Join(got, " ") != tt.want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, tt.want)
		}
	}
}
