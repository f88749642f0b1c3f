package pop3

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
)

// The mechanisms, as clients in the sense of go-sasl. That package has some of them, but its LOGIN
// looks at the prompts, its OAUTHBEARER does not escape the user name and cannot answer an error
// challenge, and its PLAIN lets a NUL through.

var errChallenge = errors.New("unexpected challenge")

// plain is PLAIN (RFC 4616), without an authorization identity.
type plain struct{ user, pass string }

func (m *plain) Start() (string, []byte, error) {
	if err := errors.Join(checkArgument("user name", m.user), checkArgument("password", m.pass)); err != nil {
		return "", nil, err
	}
	return sasl.Plain, []byte("\x00" + m.user + "\x00" + m.pass), nil
}

func (m *plain) Next([]byte) ([]byte, error) { return nil, errChallenge }

// login is LOGIN, which was never standardised: two prompts of any wording.
type login struct {
	user, pass string
	step       int
}

func (m *login) Start() (string, []byte, error) {
	if err := errors.Join(checkArgument("user name", m.user), checkArgument("password", m.pass)); err != nil {
		return "", nil, err
	}
	return sasl.Login, nil, nil
}

func (m *login) Next([]byte) ([]byte, error) {
	m.step++
	switch m.step {
	case 1:
		return []byte(m.user), nil
	case 2:
		return []byte(m.pass), nil
	}
	return nil, errChallenge
}

func (m *login) finish() error {
	if m.step < 2 {
		return errors.New("the password was not asked for")
	}
	return nil
}

// cramMD5 is CRAM-MD5 (RFC 2195).
type cramMD5 struct {
	user, pass string
	done       bool
}

func (m *cramMD5) Start() (string, []byte, error) {
	if err := errors.Join(checkArgument("user name", m.user), checkArgument("password", m.pass)); err != nil {
		return "", nil, err
	}
	return "CRAM-MD5", nil, nil
}

func (m *cramMD5) Next(challenge []byte) ([]byte, error) {
	if m.done || len(challenge) == 0 {
		return nil, errChallenge
	}
	m.done = true
	mac := hmac.New(md5.New, []byte(m.pass))
	mac.Write(challenge)
	return []byte(m.user + " " + hex.EncodeToString(mac.Sum(nil))), nil
}

// external is EXTERNAL (RFC 4422, appendix A): the client certificate has told who we are.
type external struct{ user string }

func (m *external) Start() (string, []byte, error) {
	if err := checkArgument("user name", m.user); err != nil {
		return "", nil, err
	}
	return sasl.External, []byte(m.user), nil
}

func (m *external) Next([]byte) ([]byte, error) { return nil, errChallenge }

// oauthError is the error challenge of both token mechanisms: a JSON object with a status. The
// answer to it changes nothing, but the exchange needs one before the server may say -ERR.
type oauthError struct {
	code  string
	asked bool
}

func (e *oauthError) status() string { return e.code }

func (e *oauthError) answer(challenge []byte, with string) ([]byte, error) {
	if e.asked {
		return nil, errChallenge
	}
	e.asked = true
	var v struct{ Status any }
	if json.Unmarshal(challenge, &v) == nil {
		switch s := v.Status.(type) {
		case string:
			e.code = s[:min(len(s), 40)]
		case float64:
			e.code = strconv.FormatFloat(s, 'f', -1, 64)
		}
	}
	return []byte(with), nil
}

func (e *oauthError) finish() error {
	if e.asked {
		return errors.New("behind a refusal")
	}
	return nil
}

// checkToken also keeps out the separator of both token mechanisms.
func checkToken(user, token string) error {
	for _, s := range []string{user, token} {
		if strings.ContainsRune(s, '\x01') {
			return errors.Join(ErrArgument, errors.New("control character in the user name or token"))
		}
	}
	return errors.Join(checkArgument("user name", user), checkArgument("token", token))
}

// xoauth2 is XOAUTH2 (Google, Microsoft). The answer to the error challenge is empty.
type xoauth2 struct {
	user, token string
	oauthError
}

func (m *xoauth2) Start() (string, []byte, error) {
	if err := checkToken(m.user, m.token); err != nil {
		return "", nil, err
	}
	return "XOAUTH2", []byte("user=" + m.user + "\x01auth=Bearer " + m.token + "\x01\x01"), nil
}

func (m *xoauth2) Next(challenge []byte) ([]byte, error) { return m.answer(challenge, "") }

// oauthBearer is OAUTHBEARER (RFC 7628). The answer to the error challenge is a lone 0x01
// (section 3.2.3).
type oauthBearer struct {
	user, token string
	host        string
	port        int
	oauthError
}

// saslName escapes a user name as in SCRAM (RFC 5802, section 5.1).
var saslName = strings.NewReplacer("=", "=3D", ",", "=2C")

func (m *oauthBearer) Start() (string, []byte, error) {
	if err := checkToken(m.user, m.token); err != nil {
		return "", nil, err
	}
	var b strings.Builder
	b.WriteString("n,")
	if m.user != "" {
		b.WriteString("a=" + saslName.Replace(m.user))
	}
	b.WriteString(",\x01")
	if m.host != "" {
		b.WriteString("host=" + m.host + "\x01")
	}
	if m.port != 0 {
		b.WriteString("port=" + strconv.Itoa(m.port) + "\x01")
	}
	b.WriteString("auth=Bearer " + m.token + "\x01\x01")
	return sasl.OAuthBearer, []byte(b.String()), nil
}

func (m *oauthBearer) Next(challenge []byte) ([]byte, error) { return m.answer(challenge, "\x01") }
