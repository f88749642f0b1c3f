package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
)

// tlsConfig makes the account's TLS settings; nil for none. The lowest version is 1.2 (RFC 8996).
// The certificate must be good for the name that the user wrote, never for one that the network
// said (RFC 2595, section 2.4, as replaced by RFC 7817).
func tlsConfig(a *Account) (*tls.Config, error) {
	if a.TLS == "none" {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: a.TLSServerName}
	if cfg.ServerName == "" && a.Server.Network != "unix" {
		cfg.ServerName = a.Server.Host
	}
	if a.TLSMin == "1.3" {
		cfg.MinVersion = tls.VersionTLS13
	}
	wrong := func(key string, err error) error {
		return &ConfigError{[]Problem{{File: a.file, Line: a.line, Key: "accounts." + a.Name + "." + key, Text: err.Error()}}}
	}
	if a.TLSCA != "" {
		pem, err := os.ReadFile(a.TLSCA)
		if err != nil {
			return nil, wrong("tls_ca", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, wrong("tls_ca", fmt.Errorf("%s has no certificate in PEM form", a.TLSCA))
		}
	}
	if a.TLSCert != "" {
		key := a.TLSKey
		if key == "" {
			key = a.TLSCert // one file for both
		}
		pair, err := tls.LoadX509KeyPair(a.TLSCert, key)
		if err != nil {
			return nil, wrong("tls_cert", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if len(a.TLSPin) > 0 {
		// A pin is demanded beside all else. Alone it decides only where the user has given up the
		// rest by tls_insecure; it is identity enough then.
		cfg.VerifyConnection = func(cs tls.ConnectionState) error { return checkPin(cs, a.TLSPin) }
	}
	if a.TLSInsecure {
		cfg.InsecureSkipVerify = true
	}
	return cfg, nil
}

// A pinError says that the server has another key than those pinned.
type pinError struct{ cert *x509.Certificate }

func (e *pinError) Error() string {
	return "the server's key is not one of tls_pin; it is " + pinOf(e.cert)
}

// checkPin compares the server's own key: whoever speaks has proven to have it, which is not so
// for the rest of the chain.
func checkPin(cs tls.ConnectionState, pins []string) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("the server has no certificate")
	}
	return checkPinned(cs.PeerCertificates[0], pins)
}

func checkPinned(cert *x509.Certificate, pins []string) error {
	if !slices.Contains(pins, pinOf(cert)) {
		return &pinError{cert}
	}
	return nil
}

// pinOf is the pin of a certificate's public key, as curl writes it.
func pinOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(bytes.Clone(cert.RawSubjectPublicKeyInfo))
	return "sha256//" + base64.StdEncoding.EncodeToString(sum[:])
}
