package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// An Account is one [accounts.NAME], with what [defaults] adds.
type Account struct {
	Name string
	file string // where it stands
	line int

	Server   Server
	TLS      string // "implicit", "starttls" or "none"
	User     string
	Secret   SecretSource
	OAuth    *OAuth // of Secret.Kind "oauth2"
	Deliver  Destination
	Also     []Destination // further ones
	Disabled bool

	Keep        bool
	DeleteAfter time.Duration // 0 = never
	MaxSize     int64         // octets; 0 = no limit
	MaxMessages int           // 0 = no limit
	NoReceived  bool

	Quarantine      string        // maildir; "" = none
	QuarantineAfter int           // refusals
	AlertAfter      time.Duration // 0 = at once

	Tunnel         []string // the command that is the connection; nil for none
	Proxy          *Proxy   // nil for none
	SourceAddress  netip.Addr
	ConnectTimeout time.Duration

	Timeout      time.Duration
	Auth         string
	NoPipelining bool
	Cleartext    bool

	leg   string            // which of Also it stands for, "" for the account itself
	ports map[string]string // of the TLS modes, of a server that takes mail
	takes string            // the protocol by which it takes mail, "" for the maildrop's server

	TLSCA         string
	TLSServerName string
	TLSInsecure   bool
	TLSMin        string
	TLSPin        []string
	TLSCert       string
	TLSKey        string
}

// A SecretSource says where an account's secret comes from. Kind is the name of its key, "" for
// none.
type SecretSource struct {
	Kind  string
	Value Secret   // of "password"
	Name  string   // a path, a variable or a credential
	Argv  []string // of "password_command"
}

// A configKey is one key of an account. Adding a key to the program is adding a line to
// accountKeys (and to the manual: a test compares them).
type configKey struct {
	name   string
	set    func(a *Account, v any, dir string) error // dir: what relative paths are relative to
	fits   func(a *Account) string                   // nil, or why it does not fit the rest of a ("" if it does)
	secret bool                                      // one of the sources of the secret
	plain  func(v any) bool                          // nil, or whether its value has a secret in it
}

// accountKeys are the keys of an account and of [defaults]. A key with fits stands behind those
// that its fits looks at.
var accountKeys = slices.Concat([]configKey{
	{name: "server", set: func(a *Account, v any, _ string) error { return setServer(&a.Server, v) }},
	{name: "tunnel", set: setTunnel, fits: wantsNoSocket},
	{name: "proxy", set: setProxy, fits: wantsNetwork, plain: holdsPassword},
	{name: "source_address", set: setSourceAddress, fits: wantsNetwork},
	{name: "connect_timeout", set: period(func(a *Account) *time.Duration { return &a.ConnectTimeout })},
}, loginKeys, []configKey{
	{name: "deliver", set: setDeliver},
	{name: "keep", set: boolean(func(a *Account) *bool { return &a.Keep })},
	{name: "delete_after", set: period(func(a *Account) *time.Duration { return &a.DeleteAfter }), fits: wantsKeep},
	{name: "max_size", set: octets(func(a *Account) *int64 { return &a.MaxSize })},
	{name: "max_messages", set: count(func(a *Account) *int { return &a.MaxMessages })},
	{name: "quarantine", set: path(func(a *Account) *string { return &a.Quarantine }), fits: wantsApart},
	{name: "quarantine_after", set: count(func(a *Account) *int { return &a.QuarantineAfter }), fits: wantsQuarantine},
	{name: "alert_after", set: period(func(a *Account) *time.Duration { return &a.AlertAfter })},
	{name: "received", set: negated(func(a *Account) *bool { return &a.NoReceived })},
	{name: "disabled", set: boolean(func(a *Account) *bool { return &a.Disabled })},
	{name: "pipelining", set: setPipelining},
})

// loginKeys say how to reach a server and log in. They mean the same in the table deliver, of the mail
// server that it names.
var loginKeys = []configKey{
	{name: "tls", set: oneOf(func(a *Account) *string { return &a.TLS }, "implicit", "starttls", "none")},
	{name: "user", set: line(func(a *Account) *string { return &a.User })},
	{name: "password", secret: true, plain: always, set: setPassword},
	{name: "password_command", secret: true, set: source("password_command", setCommand)},
	{name: "password_file", secret: true, set: source("password_file", setPathName)},
	{name: "password_env", secret: true, set: source("password_env", setVariable)},
	{name: "credential", secret: true, set: source("credential", setCredential)},
	{name: "netrc", secret: true, set: setNetrc},
	{name: "keyring", secret: true, set: setKeyring},
	{name: "timeout", set: period(func(a *Account) *time.Duration { return &a.Timeout })},
	{name: "cleartext", set: boolean(func(a *Account) *bool { return &a.Cleartext })},
	{name: "tls_ca", set: path(func(a *Account) *string { return &a.TLSCA }), fits: wantsTLS},
	{name: "tls_server_name", set: line(func(a *Account) *string { return &a.TLSServerName }), fits: wantsTLS},
	{name: "tls_insecure", set: boolean(func(a *Account) *bool { return &a.TLSInsecure }), fits: wantsTLS},
	{name: "tls_min", set: oneOf(func(a *Account) *string { return &a.TLSMin }, "1.2", "1.3"), fits: wantsTLS},
	{name: "tls_pin", set: setPins, fits: wantsTLS},
	{name: "tls_cert", set: path(func(a *Account) *string { return &a.TLSCert }), fits: wantsTLS},
	{name: "tls_key", set: path(func(a *Account) *string { return &a.TLSKey }), fits: wantsCert},
	{name: "auth", set: oneOf(func(a *Account) *string { return &a.Auth }, mechanisms...), fits: authFits},
	{name: "oauth2", secret: true, set: setOAuth, fits: wantsTokens, plain: holdsClientSecret},
}

// mechanisms are the values of auth.
var mechanisms = []string{
	"auto", "user", "apop", "plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256",
	"scram-sha-1-plus", "scram-sha-256-plus", "external", "xoauth2", "oauthbearer",
}

// always says of a key that its value is a secret.
func always(any) bool { return true }

func keyNames() []string {
	names := make([]string, len(accountKeys))
	for i, k := range accountKeys {
		names[i] = k.name
	}
	return names
}

// What follows makes the setters of the table.

func line(field func(*Account) *string) func(*Account, any, string) error {
	return func(a *Account, v any, _ string) (err error) {
		*field(a), err = asLine(v)
		return err
	}
}

func path(field func(*Account) *string) func(*Account, any, string) error {
	return func(a *Account, v any, dir string) (err error) {
		*field(a), err = asPath(v, dir)
		return err
	}
}

func boolean(field func(*Account) *bool) func(*Account, any, string) error {
	return func(a *Account, v any, _ string) (err error) {
		*field(a), err = asBool(v)
		return err
	}
}

func negated(field func(*Account) *bool) func(*Account, any, string) error {
	return func(a *Account, v any, _ string) error {
		b, err := asBool(v)
		*field(a) = err == nil && !b
		return err
	}
}

func count(field func(*Account) *int) func(*Account, any, string) error {
	return func(a *Account, v any, _ string) error {
		n, ok := v.(int64)
		if !ok {
			return fmt.Errorf("want a whole number, not %s", typeName(v))
		}
		if n < 1 || n > 1<<31-1 {
			return errors.New("want a number from 1 on")
		}
		*field(a) = int(n)
		return nil
	}
}

func period(field func(*Account) *time.Duration) func(*Account, any, string) error {
	return func(a *Account, v any, _ string) (err error) {
		*field(a), err = asDuration(v)
		return err
	}
}

func octets(field func(*Account) *int64) func(*Account, any, string) error {
	return func(a *Account, v any, _ string) (err error) {
		*field(a), err = asSize(v)
		return err
	}
}

func oneOf(field func(*Account) *string, values ...string) func(*Account, any, string) error {
	return func(a *Account, v any, _ string) error {
		s, err := asText(v)
		if err != nil {
			return err
		}
		if !slices.Contains(values, s) {
			last := len(values) - 1
			if near := nearestValue(s, values); near != "" {
				return fmt.Errorf("want %s or %s; did you mean %q?", strings.Join(values[:last], ", "), values[last], near)
			}
			return fmt.Errorf("want %s or %s", strings.Join(values[:last], ", "), values[last])
		}
		*field(a) = s
		return nil
	}
}

func source(kind string, set func(s *SecretSource, v any, dir string) error) func(*Account, any, string) error {
	return func(a *Account, v any, dir string) error {
		s := SecretSource{Kind: kind}
		if err := set(&s, v, dir); err != nil {
			return err
		}
		a.Secret = s
		return nil
	}
}

func setPipelining(a *Account, v any, _ string) error {
	var s string
	if err := oneOf(func(*Account) *string { return &s }, "auto", "off")(a, v, ""); err != nil {
		return err
	}
	a.NoPipelining = s == "off"
	return nil
}

// The conditions between keys.

func wantsTLS(a *Account) string {
	if a.TLS == "none" {
		return `does not go with tls = "none"`
	}
	return ""
}

func wantsCert(a *Account) string {
	if why := wantsTLS(a); why != "" {
		return why
	}
	if a.TLSCert == "" {
		return "needs tls_cert"
	}
	return ""
}

func wantsKeep(a *Account) string {
	if !a.Keep {
		return "needs keep = true: without it messages are deleted at once"
	}
	return ""
}

// wantsApart keeps a quarantine out of the destination: what was refused would be among the mail.
func wantsApart(a *Account) string {
	for _, d := range append([]Destination{a.Deliver}, a.Also...) {
		if d.Maildir == a.Quarantine {
			return "is the account's own destination; it wants a maildir of its own"
		}
	}
	return ""
}

func wantsQuarantine(a *Account) string {
	if a.Quarantine == "" {
		return "needs quarantine, a maildir"
	}
	return ""
}

func authFits(a *Account) string {
	switch {
	case strings.HasSuffix(a.Auth, "-plus") && a.TLS == "none":
		return `binds to TLS and does not go with tls = "none"`
	case a.Auth == "external" && a.TLSCert == "":
		return "external needs tls_cert"
	case (a.Auth == "xoauth2" || a.Auth == "oauthbearer") && a.TLS == "none" && !a.Private():
		return `a token never goes in clear over a network; use tls = "implicit" or "starttls"`
	}
	return ""
}
