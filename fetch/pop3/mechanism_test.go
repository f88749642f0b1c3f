package pop3_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/xdg-go/scram"

	"mailhaul/fetch/pop3/pop3test"
)

// The servers' sides of the mechanisms, in so far as tests need them.

var errNo = errors.New("[AUTH] no")

func serveLogin(s *pop3test.Session, _ []byte, given bool) (string, error) {
	user, err := s.Challenge([]byte("Username:"))
	if err != nil {
		return "", err
	}
	pass, err := s.Challenge([]byte("Password:"))
	if err != nil {
		return "", err
	}
	if want, ok := s.Password(string(user)); !ok || want != string(pass) || given {
		return "", errNo
	}
	return string(user), nil
}

func serveCramMD5(s *pop3test.Session, _ []byte, given bool) (string, error) {
	const challenge = "<1896.697170952@postoffice.reston.mci.net>"
	resp, err := s.Challenge([]byte(challenge))
	if err != nil {
		return "", err
	}
	user, digest, _ := strings.Cut(string(resp), " ")
	pass, ok := s.Password(user)
	mac := hmac.New(md5.New, []byte(pass))
	mac.Write([]byte(challenge))
	if !ok || given || digest != hex.EncodeToString(mac.Sum(nil)) {
		return "", errNo
	}
	return user, nil
}

// serveOne is a mechanism with one response, which has want in it.
func serveOne(want string) pop3test.Mechanism {
	return func(s *pop3test.Session, resp []byte, given bool) (string, error) {
		if !given {
			var err error
			if resp, err = s.Challenge(nil); err != nil {
				return "", err
			}
		}
		if !bytes.Contains(resp, []byte(want)) {
			return "", errNo
		}
		return "user", nil
	}
}

// A scramServer is SCRAM by the library's server.
type scramServer struct {
	hash scram.HashGeneratorFcn
	// binding is that of the connection, and plus says that only who binds to it may log in;
	// a server without a binding does not know -PLUS.
	binding func(*pop3test.Session) scram.ChannelBinding
	plus    bool

	first string // the last client-first-message
}

func (m *scramServer) lookup(s *pop3test.Session) scram.CredentialLookup {
	return func(user string) (scram.StoredCredentials, error) {
		pass, ok := s.Password(user)
		if !ok {
			return scram.StoredCredentials{}, errNo
		}
		c, err := m.hash.NewClient(user, pass, "")
		if err != nil {
			return scram.StoredCredentials{}, err
		}
		return c.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt", Iters: 4096})
	}
}

func (m *scramServer) serve(s *pop3test.Session, resp []byte, given bool) (string, error) {
	srv, err := m.hash.NewServer(m.lookup(s))
	if err != nil {
		return "", err
	}
	conv := srv.NewConversation()
	switch {
	case m.plus:
		conv = srv.NewConversationWithChannelBindingRequired(m.binding(s))
	case m.binding != nil:
		conv = srv.NewConversationWithChannelBinding(m.binding(s))
	}
	if !given {
		if resp, err = s.Challenge(nil); err != nil {
			return "", err
		}
	}
	m.first = string(resp)
	for range 2 {
		msg, err := conv.Step(string(resp))
		if err != nil {
			return "", errors.New("[AUTH] " + msg)
		}
		if resp, err = s.Challenge([]byte(msg)); err != nil {
			return "", err
		}
	}
	if !conv.Valid() || len(resp) > 0 {
		return "", errNo
	}
	return conv.Username(), nil
}

func exporter(s *pop3test.Session) scram.ChannelBinding {
	state, _ := s.TLS()
	b, err := scram.NewTLSExporterBinding(&state)
	if err != nil {
		panic(err)
	}
	return b
}

func unique(s *pop3test.Session) scram.ChannelBinding {
	state, _ := s.TLS()
	return scram.NewTLSUniqueBinding(state.TLSUnique)
}

// endPoint makes the binding to a certificate, that of the server at last.
func endPoint(cert *tls.Certificate) func(*pop3test.Session) scram.ChannelBinding {
	return func(*pop3test.Session) scram.ChannelBinding {
		leaf, err := x509.ParseCertificate(cert.Certificate[0])
		if err != nil {
			panic(err)
		}
		b, err := scram.NewTLSServerEndpointBinding(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
		if err != nil {
			panic(err)
		}
		return b
	}
}
