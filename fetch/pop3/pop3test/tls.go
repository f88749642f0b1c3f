package pop3test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// An authority is a certification authority that nobody trusts but who is told to.
type authority struct {
	cert *x509.Certificate
	pool *x509.CertPool
	pem  []byte
}

// Certificates are good for all of these years, so that the clock does not matter: the one of
// testing/synctest stands at 2000.
var (
	notBefore = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2190, 1, 1, 0, 0, 0, 0, time.UTC)
	expired   = time.Date(1991, 1, 1, 0, 0, 0, 0, time.UTC)
)

// newAuthority makes an authority and the TLS server with a certificate from it.
func newAuthority(cfg *Config) (authority, *tls.Config, error) {
	var ca authority
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return ca, nil, err
	}
	issuer := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "pop3test authority"},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, issuer, issuer, caKey.Public(), caKey)
	if err != nil {
		return ca, nil, err
	}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		return ca, nil, err
	}
	ca.pool = x509.NewCertPool()
	ca.pool.AddCert(ca.cert)
	ca.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return ca, nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "pop3test"},
		NotBefore:    notBefore,
		NotAfter:     notAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if cfg.Expired {
		leaf.NotAfter = expired
	}
	names := cfg.Names
	if names == nil {
		names = []string{"127.0.0.1", "::1", "localhost"}
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	if der, err = x509.CreateCertificate(rand.Reader, leaf, ca.cert, key.Public(), caKey); err != nil {
		return ca, nil, err
	}
	server := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	if cfg.TLSConfig != nil {
		cfg.TLSConfig(server)
	}
	return ca, server, nil
}

// CAPool is the authority that has signed the server's certificate, for tls.Config.RootCAs; nil
// without TLS.
func (s *Server) CAPool() *x509.CertPool { return s.ca.pool }

// CAPEM is the same as a PEM file.
func (s *Server) CAPEM() []byte { return s.ca.pem }

// ClientTLS returns a configuration that trusts the server as 127.0.0.1.
func (s *Server) ClientTLS() *tls.Config {
	return &tls.Config{RootCAs: s.ca.pool, ServerName: "127.0.0.1"}
}

// handshake puts TLS on the connection.
func (s *Session) handshake() error {
	if f := s.fault(handshake); f != nil {
		s.ending = endCut
		if f.Do == Answer {
			s.Send(f.Text)
			return errOver
		}
		return s.strike(f, "")
	}
	c := tls.Server(s.wire, s.srv.tls)
	s.conn, s.secure = c, true
	if err := c.Handshake(); err != nil {
		s.ending = endCut
		return err
	}
	return nil
}
