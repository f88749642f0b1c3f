package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
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
