package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// A certificateError says of a refused certificate what was expected and what came. Err says what
// is wrong.
type certificateError struct {
	Want string
	Came *x509.Certificate
	Pin  string // what its key is to tls_pin, if that is set and the chain was refused; then Want is not told
	Err  error
}

func (e *certificateError) Error() string {
	// What crypto/x509 guesses, that a certificate signed by itself is no authority, explains nothing.
	text, _, _ := strings.Cut(e.Err.Error(), " (possibly because of ")
	if e.Pin != "" {
		return text + "; " + e.Pin
	}
	return fmt.Sprintf("%s; expected was one for %s; this is for %s", text, e.Want, certificateText(e.Came))
}

// Unwrap gives the cause.
func (e *certificateError) Unwrap() error { return e.Err }

// aboutCertificate adds to an error of the handshake which certificate it is about, if it is.
func aboutCertificate(a *Account, cfg *tls.Config, err error) error {
	if cfg == nil {
		return err
	}
	var verify *tls.CertificateVerificationError
	var pin *pinError
	e := &certificateError{Err: err, Want: visible(cfg.ServerName)}
	switch {
	case errors.As(err, &pin):
		e.Came = pin.cert
		e.Want = "the key " + strings.Join(a.TLSPin, " or ")
	case errors.As(err, &verify) && len(verify.UnverifiedCertificates) > 0:
		e.Came = verify.UnverifiedCertificates[0]
		if len(a.TLSPin) > 0 {
			// Who has pinned a key knows the certificate by it: names and dates say no more.
			e.Pin = "its key is one of tls_pin, which does not decide alone"
			if checkPinned(e.Came, a.TLSPin) != nil {
				e.Pin = "its key is none of tls_pin either"
			}
		} else if a.TLSCA != "" {
			e.Want += ", signed as " + visible(a.TLSCA) + " demands"
		} else {
			e.Want += ", signed by an authority that this system trusts"
		}
	default:
		return err
	}
	return e
}

// certificateHints says what can be done about a refused certificate. That its key is the right
// one is for the user to know: a pin that the network has told proves nothing.
func certificateHints(e *certificateError, a *Account) []string {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		pin     *pinError
		told    []string
	)
	line := fmt.Sprintf("tls_pin = [%q]", pinOf(e.Came))
	switch {
	case errors.As(e, &pin):
		return []string{"if you know that the server has a new key, and that it is this one: " + line}
	case errors.As(e, &host):
		told = append(told, "write the name of the certificate as server, or as tls_server_name")
	case errors.As(e, &invalid) && invalid.Reason == x509.Expired:
		told = append(told, "if the clock of this machine is right, the server needs a new certificate")
	case errors.As(e, &unknown) && a.TLSCA != "":
		told = append(told, "if the server has a new certificate: put that, or its authority's, into the file of tls_ca")
	case errors.As(e, &unknown):
		told = append(told, `if the server has an authority of its own: tls_ca = "…/its.pem"`)
	}
	if checkPinned(e.Came, a.TLSPin) == nil {
		return append(told, "its key is one of tls_pin: with tls_insecure = true that alone decides")
	}
	return append(told, "if you know that this is the server's key: "+line+" and tls_insecure = true")
}
