package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// An OAuth is [accounts.X.oauth2]: how an account gets its access tokens.
type OAuth struct {
	Provider     string
	ClientID     string
	ClientSecret SecretSource // Kind "" for none
	Scopes       []string
	AuthURL      string
	TokenURL     string
	DeviceURL    string // "" for no device flow
	RedirectURL  string // without a port any free one is added
	AuthParams   []oauth2.AuthCodeOption
	TokenCommand []string // in place of all else

	file string // where the tokens are; set once the state directory is known
}

// oauthKeys are the keys of the table oauth2.
var oauthKeys = []string{
	"provider", "tenant", "client_id", "client_secret", "client_secret_command", "client_secret_file", "client_secret_env",
	"scopes", "auth_url", "token_url", "device_url", "redirect_url", "token_command",
}

// preset fills in what is known of a provider. Google gives the scope of mail to no device flow;
// its refresh token comes only with access_type=offline, and after the first consent only with
// prompt=consent. Microsoft takes any port of localhost, by that name alone.
func (o *OAuth) preset(tenant, takes string) error {
	switch o.Provider {
	case "":
		return nil
	case "google":
		o.AuthURL = "https://accounts.google.com/o/oauth2/v2/auth"
		o.TokenURL = "https://oauth2.googleapis.com/token"
		o.Scopes = []string{"https://mail.google.com/"}
		o.AuthParams = []oauth2.AuthCodeOption{oauth2.AccessTypeOffline, oauth2.SetAuthURLParam("prompt", "consent")}
	case "microsoft":
		base := "https://login.microsoftonline.com/" + url.PathEscape(tenant) + "/oauth2/v2.0/"
		o.AuthURL, o.TokenURL, o.DeviceURL = base+"authorize", base+"token", base+"devicecode"
		o.Scopes = []string{microsoftScopes[takes], "offline_access"}
		o.RedirectURL = "http://localhost"
	default:
		return errors.New(`provider: want "google" or "microsoft"; for another one leave it out and give auth_url, token_url and scopes`)
	}
	return nil
}

// microsoftScopes are those of a POP3 server and of one that takes mail, by protocol.
var microsoftScopes = map[string]string{
	"":     "https://outlook.office.com/POP.AccessAsUser.All",
	"imap": "https://outlook.office.com/IMAP.AccessAsUser.All",
	"smtp": "https://outlook.office.com/SMTP.Send",
}

// setOAuth reads the table oauth2. No error quotes a value.
func setOAuth(a *Account, v any, dir string) error {
	table, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("want a table like [accounts.NAME.oauth2], not %s", typeName(v))
	}
	o := &OAuth{RedirectURL: "http://127.0.0.1"}
	var err error
	text := func(key string, to *string) {
		if v, ok := table[key]; ok && err == nil {
			if *to, err = asLine(v); err != nil {
				err = fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	if v, ok := table["token_command"]; ok {
		if o.TokenCommand, err = asCommand(v, dir); err != nil {
			return fmt.Errorf("token_command: %w", err)
		}
		if len(table) > 1 {
			return errors.New("token_command stands alone: it does all by itself")
		}
		a.OAuth, a.Secret = o, SecretSource{Kind: "oauth2"}
		return nil
	}
	tenant := "common"
	text("provider", &o.Provider)
	text("tenant", &tenant)
	if err == nil {
		err = o.preset(tenant, a.takes)
	}
	text("client_id", &o.ClientID)
	text("auth_url", &o.AuthURL)
	text("token_url", &o.TokenURL)
	text("device_url", &o.DeviceURL)
	text("redirect_url", &o.RedirectURL)
	if v, ok := table["scopes"]; ok && err == nil {
		if o.Scopes, err = asTexts(v); err != nil {
			err = fmt.Errorf("scopes: %w", err)
		}
	}
	if err == nil {
		o.ClientSecret, err = clientSecret(table, dir)
	}
	if err == nil {
		err = o.check(table)
	}
	if err == nil {
		a.OAuth, a.Secret = o, SecretSource{Kind: "oauth2"}
	}
	return err
}

// clientSecret reads the one source of the client's secret that there may be.
func clientSecret(table map[string]any, dir string) (SecretSource, error) {
	var found SecretSource
	for _, key := range oauthKeys {
		what, ok := strings.CutPrefix(key, "client_secret")
		v, given := table[key]
		if !ok || !given {
			continue
		}
		if found.Kind != "" {
			return found, fmt.Errorf("%s: a second client secret", key)
		}
		found.Kind = "password" + what // they are read as passwords are
		var err error
		switch what {
		case "":
			b := &Account{}
			err = setPassword(b, v, dir)
			found.Value = b.Secret.Value
		case "_command":
			err = setCommand(&found, v, dir)
		case "_file":
			err = setPathName(&found, v, dir)
		case "_env":
			err = setVariable(&found, v, dir)
		}
		if err != nil {
			return found, fmt.Errorf("%s: %w", key, err)
		}
	}
	return found, nil
}

// check looks at the whole table.
func (o *OAuth) check(table map[string]any) error {
	if _, ok := table["tenant"]; ok && o.Provider != "microsoft" {
		return errors.New(`tenant goes with provider = "microsoft"`)
	}
	if o.ClientID == "" {
		return errors.New("client_id is missing: it is that of a client of your own, registered with the provider")
	}
	if o.TokenURL == "" || o.AuthURL == "" && o.DeviceURL == "" {
		return errors.New("provider is missing, or token_url with auth_url or device_url")
	}
	for key, value := range map[string]string{"auth_url": o.AuthURL, "token_url": o.TokenURL, "device_url": o.DeviceURL} {
		if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname()))) {
			return fmt.Errorf("%s: want a URL that begins with https://", key)
		}
	}
	if u, err := url.Parse(o.RedirectURL); err != nil || u.Scheme != "http" || !isLoopback(u.Hostname()) {
		return errors.New(`redirect_url: want one of this machine, like "http://127.0.0.1:8080/"`)
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// holdsClientSecret tells whether the table has the client's secret in it.
func holdsClientSecret(v any) bool {
	table, _ := v.(map[string]any)
	_, ok := table["client_secret"]
	return ok
}

// wantsTokens says why a token would go where it must not, or by a mechanism that takes none.
func wantsTokens(a *Account) string {
	switch {
	case a.TLS == "none" && !a.Private():
		return `a token never goes in clear over a network; use tls = "implicit" or "starttls"`
	case !slices.Contains([]string{"auto", "xoauth2", "oauthbearer"}, a.Auth):
		return "goes with auth = auto, xoauth2 or oauthbearer"
	}
	return ""
}
