package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-sasl"

	"mailhaul/deliver"
)

// receiver makes the setter of a place that is a mail server. ports are those of the TLS modes.
func receiver(protocol, tls string, ports map[string]string) func(*Destination, any, string) error {
	return func(d *Destination, v any, _ string) error {
		d.Protocol = protocol
		d.Receiver = &Account{TLS: tls, Auth: "auto", Timeout: time.Minute, ports: ports, takes: protocol}
		return setServer(&d.Receiver.Server, v)
	}
}

// reach reads how the mail server is reached, and checks that it all fits. dir is what relative paths
// are relative to.
func (d *Destination) reach(a *Account, table map[string]any, dir string) error {
	first := ""
	for _, k := range loginKeys {
		v, ok := table[k.name]
		if !ok {
			continue
		}
		if d.Receiver == nil {
			return fmt.Errorf("%s goes with lmtp, smtp and imap alone", k.name)
		}
		err := k.set(d.Receiver, v, dir)
		if k.name == "oauth2" && err == nil {
			err = knownKeys(v, oauthKeys)
		}
		if err == nil && k.fits != nil && v != false {
			if why := k.fits(d.Receiver); why != "" {
				err = errors.New(why)
			}
		}
		if err == nil && k.secret && v != false {
			if first != "" {
				err = fmt.Errorf("a second secret beside %s", first)
			}
			first = k.name
		}
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	if d.Receiver == nil {
		return nil
	}
	r := d.Receiver
	r.Name, r.file, r.line = a.Name+".deliver", a.file, a.line
	if d.Protocol == "imap" && d.Mailbox == "" {
		d.Mailbox = "INBOX"
	}
	port, ok := r.ports[r.TLS]
	r.Server.setDefaultPort(port)
	return d.fits(ok, first != "")
}

// knownKeys reports a key of a table that does not exist.
func knownKeys(v any, known []string) error {
	table, _ := v.(map[string]any)
	for name := range table {
		if slices.Contains(known, name) {
			continue
		}
		if near := nearest(name, known); near != "" {
			return fmt.Errorf("unknown key %q; did you mean %q?", name, near)
		}
		return fmt.Errorf("unknown key %q", name)
	}
	return nil
}

// fits tells what is wrong between the keys. tls: the protocol has this way of TLS.
func (d *Destination) fits(tls, secret bool) error {
	r := d.Receiver
	switch {
	case !tls:
		return fmt.Errorf(`tls = %q does not go with %s`, r.TLS, d.Protocol)
	case r.TLS == "none" && !r.Private() && !r.Cleartext:
		return errors.New(`tls = "none" sends the mail in clear over the network; use another, or allow it with cleartext = true`)
	case r.TLS != "none" && r.Server.Network == "unix" && r.TLSServerName == "" && !r.TLSInsecure:
		return errors.New(`TLS over a unix socket needs tls_server_name`)
	case d.Protocol != "imap" && d.Recipient == "":
		return errors.New("recipient is missing: whom the mail is for")
	case d.Protocol == "imap" && r.User == "":
		return errors.New("user is missing")
	case secret && r.User == "":
		return errors.New("a secret, and no user")
	case r.User != "" && !secret && r.Auth != "external":
		return errors.New("user, and no secret: one of password, password_command, password_file, password_env, credential, netrc, keyring, oauth2")
	case !slices.Contains([]string{"auto", "plain", "login", "external", "xoauth2", "oauthbearer"}, r.Auth):
		return errors.New("auth: want auto, plain, login, external, xoauth2 or oauthbearer")
	}
	return nil
}

// openReceiver makes the target of an account whose destination is a mail server. The secret is read
// first: no connection waits for a person or a vault.
func (f *fetcher) openReceiver(ctx context.Context, a *Account, create bool) (deliver.Target, error) {
	d, r := a.Deliver, a.Deliver.Receiver
	tls, err := tlsConfig(r)
	if err != nil {
		return nil, err
	}
	way := deliver.Receiver{Network: r.Server.Network, Addr: r.Server.Addr, TLS: tls, StartTLS: r.TLS == "starttls", Timeout: r.Timeout}
	if r.User != "" {
		var secret Secret
		if r.Secret.Kind != "" {
			if secret, err = readSecret(ctx, r, f.asker); err != nil {
				return nil, err
			}
		}
		way.Login = func(_ context.Context, offers func(string) bool) (sasl.Client, error) {
			return r.mechanism(secret, offers)
		}
	}
	if d.Protocol == "imap" {
		return deliver.NewIMAP(deliver.IMAPOptions{Receiver: way, Folder: d.Mailbox, Flags: imapFlags(d.Flags), Create: create, SpoolDir: f.cfg.StateDir})
	}
	return deliver.NewSMTP(deliver.SMTPOptions{Receiver: way, LMTP: d.Protocol == "lmtp", Sender: d.Sender, Recipient: d.Recipient,
		SpoolDir: f.cfg.StateDir, Account: a.Name, User: a.User})
}

// imapFlags are what the letters of maildir stand for (RFC 3501, section 2.3.2; $Forwarded is of RFC
// 5788's registry).
func imapFlags(letters string) (flags []string) {
	names := map[rune]string{'D': `\Draft`, 'F': `\Flagged`, 'P': `$Forwarded`, 'R': `\Answered`, 'S': `\Seen`, 'T': `\Deleted`}
	for _, l := range letters {
		flags = append(flags, names[l])
	}
	return flags
}

// mechanism chooses how to log in to a server that takes the mail.
func (a *Account) mechanism(secret Secret, offers func(string) bool) (sasl.Client, error) {
	name := strings.ToUpper(a.Auth)
	if name == "AUTO" && a.OAuth != nil {
		name = "OAUTHBEARER"
		if !offers(name) {
			name = "XOAUTH2"
		}
	}
	if name == "AUTO" {
		name = "PLAIN"
		if !offers(name) && offers("LOGIN") {
			name = "LOGIN"
		}
	}
	if !offers(name) {
		return nil, fmt.Errorf("%w: the server does not offer %s", deliver.ErrLogin, name)
	}
	switch name {
	case "LOGIN":
		return sasl.NewLoginClient(a.User, secret.Reveal()), nil
	case "EXTERNAL":
		return sasl.NewExternalClient(a.User), nil
	case "OAUTHBEARER":
		return sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: a.User, Token: secret.Reveal(), Host: a.Server.Host, Port: a.Server.portNumber()}), nil
	case "XOAUTH2":
		return &xoauth2{user: a.User, token: secret}, nil
	}
	return sasl.NewPlainClient("", a.User, secret.Reveal()), nil
}

// xoauth2 is Google's mechanism, which the library has not
// (https://developers.google.com/gmail/imap/xoauth2-protocol).
type xoauth2 struct {
	user  string
	token Secret
}

func (x *xoauth2) Start() (string, []byte, error) {
	return "XOAUTH2", []byte("user=" + x.user + "\x01auth=Bearer " + x.token.Reveal() + "\x01\x01"), nil
}

// Next answers the challenge, which says why the token was refused, with nothing: the refusal itself
// follows.
func (x *xoauth2) Next([]byte) ([]byte, error) { return []byte{}, nil }
