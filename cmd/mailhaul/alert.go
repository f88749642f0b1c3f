package main

import (
	"crypto/tls"
	"errors"
	"net"
	"reflect"
)

// The alerts of RFC 8446, section 6.2, by which a server says that it will not talk to us as we are.
const (
	handshakeFailure    = 40
	badCertificate      = 42
	unknownCA           = 48
	accessDenied        = 49
	protocolVersion     = 70
	lowSecurity         = 71
	unrecognizedName    = 112
	certificateRequired = 116
)

// tlsAlert gives the alert that the server has sent, 0 if it is none. The library's type for those
// outside of QUIC has no name, but is an octet all the same.
func tlsAlert(err error) uint8 {
	var quic tls.AlertError
	if errors.As(err, &quic) {
		return uint8(quic)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
			return uint8(v.Uint())
		}
	}
	return 0
}

// alertRefuses tells whether the server has refused TLS as we do it. Other alerts are about a
// connection that went wrong.
func alertRefuses(err error) bool {
	switch a := tlsAlert(err); a {
	case handshakeFailure, accessDenied, protocolVersion, lowSecurity, unrecognizedName, certificateRequired:
		return true
	default:
		return a >= badCertificate && a <= unknownCA
	}
}
