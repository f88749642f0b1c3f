package pop3

import (
	"crypto/tls"
	"errors"

	"github.com/xdg-go/scram"
)

// binding returns what ties a login to this TLS connection and no other (RFC 5056), or an error
// if there is nothing.
//
// The server does not say which types it knows, so the one is taken that is the default: from TLS
// 1.3 on tls-exporter (RFC 9266); before it tls-unique (RFC 5929, section 3), but only where two
// connections cannot be made to have the same (RFC 7677, section 4): in a full handshake with the
// extended master secret. Else it is the server's certificate (RFC 5929, section 4), unless that
// is signed in a way for which no hash is defined.
func (c *Client) binding() (scram.ChannelBinding, error) {
	state, ok := c.TLS()
	if !ok {
		return scram.ChannelBinding{}, errors.New("the connection has no TLS")
	}
	// The exporter demands TLS 1.3 or the extended master secret.
	exporter, err := scram.NewTLSExporterBinding(&state)
	switch {
	case err == nil && state.Version >= tls.VersionTLS13:
		return exporter, nil
	case err == nil && !state.DidResume && len(state.TLSUnique) > 0:
		return scram.NewTLSUniqueBinding(state.TLSUnique), nil
	}
	return scram.NewTLSServerEndpointBinding(&state)
}
