package pop3test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"maps"
	"strings"
)

// A Mechanism is the server's side of a SASL mechanism. It is given the initial response, if
// there was one, asks for what else it needs with Session.Challenge, and returns who has
// logged in. The text of an error is sent behind -ERR; one from Challenge is to be returned.
type Mechanism func(s *Session, initial []byte, given bool) (user string, err error)

// ErrCancelled is returned by Session.Challenge when the client has sent "*".
var ErrCancelled = errors.New("cancelled")

var errRefused = errors.New("[AUTH] refused")

// Challenge sends a challenge and returns the client's response (RFC 5034, 4).
func (s *Session) Challenge(challenge []byte) (response []byte, err error) {
	return s.challenge(base64.StdEncoding.EncodeToString(challenge))
}

// Password returns the password of a user.
func (s *Session) Password(user string) (string, bool) { return s.srv.password(user) }

func (s *Session) challenge(encoded string) ([]byte, error) {
	if err := s.settle(line("+ " + encoded)); err != nil {
		return nil, err
	}
	text, err := s.readLine()
	if err != nil {
		s.over = true
		return nil, err
	}
	if text == "*" {
		return nil, ErrCancelled
	}
	return base64.StdEncoding.DecodeString(text)
}

func (srv *Server) mechanisms() map[string]Mechanism {
	all := map[string]Mechanism{"PLAIN": plain}
	maps.Copy(all, srv.cfg.Mechanisms)
	maps.DeleteFunc(all, func(_ string, m Mechanism) bool { return m == nil })
	return all
}

func (s *Session) auth(arg string) reply {
	name, text, given := strings.Cut(arg, " ")
	mech := s.srv.mechanisms()[strings.ToUpper(name)]
	if mech == nil {
		return line("-ERR unknown mechanism")
	}
	var initial []byte
	if given && text != "=" { // "=" is an initial response of no octets
		var err error
		if initial, err = base64.StdEncoding.DecodeString(text); err != nil {
			return line("-ERR not base64")
		}
	}
	user, err := mech(s, initial, given)
	if s.over { // the client is gone
		return reply{}
	}
	if err != nil {
		return line("-ERR " + err.Error())
	}
	return s.login(user)
}

// plain is RFC 4616. The authorization identity must be empty or the user.
func plain(s *Session, response []byte, given bool) (string, error) {
	if !given {
		var err error
		if response, err = s.Challenge(nil); err != nil {
			return "", err
		}
	}
	f := bytes.Split(response, []byte{0})
	if len(f) != 3 || len(f[0]) > 0 && !bytes.Equal(f[0], f[1]) {
		return "", errRefused
	}
	if want, ok := s.srv.password(string(f[1])); !ok || want != string(f[2]) {
		return "", errRefused
	}
	return string(f[1]), nil
}

func (srv *Server) password(user string) (string, bool) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	d := srv.drops[user]
	if d == nil {
		return "", false
	}
	return d.password, true
}

// login opens the maildrop and numbers its messages.
func (s *Session) login(user string) reply {
	s.srv.mu.Lock()
	defer s.srv.mu.Unlock()
	d := s.srv.drops[user]
	if d == nil {
		return line("-ERR [AUTH] no maildrop")
	}
	if s.srv.cfg.Exclusive {
		if d.owner != nil {
			return line("-ERR [IN-USE] maildrop is locked")
		}
		d.owner = s
	}
	s.user, s.drop = user, d
	for _, m := range d.msgs {
		if n := s.srv.cfg.PerSession; n > 0 && len(s.slots) == n {
			break
		}
		s.slots = append(s.slots, &slot{Message: m})
	}
	return line("+OK logged in")
}

// unlock gives the maildrop up. Server.mu must be held.
func (s *Session) unlock() {
	if s.drop != nil && s.drop.owner == s {
		s.drop.owner = nil
	}
}
