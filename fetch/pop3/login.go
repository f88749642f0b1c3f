package pop3

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
)

// Credentials are what a user logs in with: a password, or an OAuth access token.
type Credentials struct {
	User     string
	Password string
	Token    string
	// Host and Port are what OAUTHBEARER tells the server that it was connected to; "" and 0
	// mean what was dialled.
	Host string
	Port int
}

// Login logs in by the mechanism mech, named as in the configuration ("user", "apop", "plain",
// "login", "cram-md5", "scram-sha-1", "scram-sha-256", both with "-plus", "external", "xoauth2",
// "oauthbearer"), and by no other; or, if mech is "auto" or "", by the best that the server does. It
// returns the one that it used, or tried last. caps are those of this connection as it is now;
// capaKnown says that the server has announced them at all.
//
// Another mechanism is tried only after one was refused before a secret was sent
// (ErrRefusedMechanism). If the connection ended with such a refusal, the error is one too, and the
// caller may dial again and leave that mechanism out (Caps.Without). Refused credentials are tried
// once: a *LoginError. So is a failure of any kind with channel binding, and one of SCRAM once the
// exchange has begun.
//
// Whether the connection is fit for a password or a token is the caller's decision, and must be
// made before.
func Login(c *Client, caps Caps, capaKnown bool, mech string, cred Credentials) (used string, err error) {
	if err := cred.check(); err != nil {
		return mech, err
	}
	c.Mask(cred.Password)
	c.Mask(cred.Token)
	if !capaKnown {
		caps = nil
	}
	if mech != "" && mech != "auto" {
		return mech, c.loginBy(mech, caps, cred)
	}
	var before error
	_, unbound := c.binding()
	for _, mech := range choose(caps, cred, unbound == nil) {
		err := c.loginBy(mech, caps, cred)
		if before != nil && err != nil && c.Err() != nil && !isLogin(err) {
			// The refusal before closed the connection.
			return used, fmt.Errorf("%w (then: %w)", before, err)
		}
		used = mech
		if !errors.Is(err, ErrRefusedMechanism) {
			return used, err
		}
		before = err
		if c.Err() != nil {
			break
		}
	}
	return used, before
}

// choose lists the mechanisms for "auto", the best first. USER is tried whether or not it is
// announced; what is optional must be announced (RFC 2449, section 7). APOP and CRAM-MD5 protect
// little and demand a password in clear on the server: only users choose them. bindable says that
// the connection has something to bind to.
func choose(caps Caps, cred Credentials, bindable bool) []string {
	if cred.Token != "" {
		if caps.SASL("OAUTHBEARER") && !caps.SASL("XOAUTH2") {
			return []string{"oauthbearer"}
		}
		return []string{"xoauth2"} // some servers forget to announce it
	}
	var mechs []string
	for _, name := range []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"} {
		if caps.SASL(name) && (bindable || !strings.HasSuffix(name, plusSuffix)) && preparable(cred.User, cred.Password) {
			mechs = append(mechs, configName(name))
		}
	}
	if caps.SASL("PLAIN") {
		mechs = append(mechs, "plain")
	}
	mechs = append(mechs, "user")
	if caps.SASL("LOGIN") {
		mechs = append(mechs, "login")
	}
	return mechs
}

// loginBy logs in by one mechanism.
func (c *Client) loginBy(mech string, caps Caps, cred Credentials) error {
	switch mech {
	case "user":
		return c.UserPass(cred.User, cred.Password)
	case "apop":
		return c.Apop(cred.User, cred.Password)
	}
	m, initial, err := c.mechanism(mech, caps, cred)
	if err != nil {
		return err
	}
	err = c.Auth(m, initial)
	if mech == "xoauth2" && errors.Is(err, ErrRefusedMechanism) && c.Err() == nil {
		// The same mechanism in its one-line form. That is not tried first, for Microsoft
		// closes the connection at it.
		m, _, _ = c.mechanism(mech, caps, cred)
		if _, ir, _ := m.Start(); fitsLine("XOAUTH2", len(ir)) {
			return c.Auth(m, true)
		}
	}
	return err
}

// mechanism makes the client side of a SASL mechanism, and tells whether its initial response is
// to be sent with AUTH. With PLAIN, SCRAM and EXTERNAL it saves a wait, and servers that announce
// them know it; with tokens it is what Microsoft's servers choke on.
func (c *Client) mechanism(mech string, caps Caps, cred Credentials) (m sasl.Client, initial bool, err error) {
	switch mech {
	case "plain":
		return &plain{cred.User, cred.Password}, caps.SASL("PLAIN"), nil
	case "login":
		return &login{user: cred.User, pass: cred.Password}, false, nil
	case "cram-md5":
		return &cramMD5{user: cred.User, pass: cred.Password}, false, nil
	case "scram-sha-1", "scram-sha-256", "scram-sha-1-plus", "scram-sha-256-plus":
		name := strings.ToUpper(mech)
		m, err := newSCRAM(name, cred.User, cred.Password, caps.SASL(name+plusSuffix), c.binding)
		return m, caps.SASL(name), err
	case "external":
		return &external{cred.User}, caps.SASL("EXTERNAL"), nil
	case "xoauth2":
		return &xoauth2{user: cred.User, token: cred.Token}, false, nil
	case "oauthbearer":
		host, port := cred.Host, cred.Port
		if host == "" {
			host = c.host
		}
		if port == 0 {
			port, _ = strconv.Atoi(portOf(c.wire.RemoteAddr()))
		}
		return &oauthBearer{user: cred.User, token: cred.Token, host: host, port: port}, false, nil
	}
	return nil, false, fmt.Errorf("%w: %q is not known", ErrRefusedMechanism, mech)
}

// check refuses what would break a command line, whatever the mechanism would make of it.
func (cred Credentials) check() error {
	return errors.Join(checkArgument("user name", cred.User), checkArgument("password", cred.Password),
		checkArgument("token", cred.Token), checkArgument("host name", cred.Host))
}

// fitsLine tells whether AUTH with an initial response of n octets is within the limit of a command.
func fitsLine(mech string, n int) bool {
	return len("AUTH  \r\n")+len(mech)+(n+2)/3*4 <= maxCommand
}

func isLogin(err error) bool {
	var e *LoginError
	return errors.As(err, &e)
}

// configName is the name of a SASL mechanism in the configuration.
func configName(name string) string { return strings.ToLower(name) }

// Without returns the capabilities without a SASL mechanism.
func (caps Caps) Without(mech string) Caps {
	var out Caps
	for _, line := range caps {
		fields := strings.Fields(line)
		if len(fields) > 0 && strings.EqualFold(fields[0], "SASL") {
			kept := fields[:1]
			for _, f := range fields[1:] {
				if !strings.EqualFold(f, mech) {
					kept = append(kept, f)
				}
			}
			line = strings.Join(kept, " ")
		}
		out = append(out, line)
	}
	return out
}
