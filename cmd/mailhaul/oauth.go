package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// accessToken gives a token to log in with: the one that the last run had, or a new one. refused is
// a token that the server did not take, "" for none.
func (o *OAuth) accessToken(ctx context.Context, a *Account, k *asker, refused string) (string, error) {
	if len(o.TokenCommand) > 0 {
		token, err := commandSecret(ctx, o.TokenCommand, a.Timeout, k.stderr)
		var se *SecretError
		if errors.As(err, &se) {
			err = &SecretError{Source: "token_command", Err: se.Err, Temporary: se.Temporary, Config: se.Config}
		}
		return token, err
	}
	if t, err := o.read(a); err != nil || t.fresh(time.Now()) && t.Access != refused {
		return t.access(), err
	}
	unlock, err := lockTokens(ctx, o.file, max(a.Timeout, time.Minute))
	if err != nil {
		return "", oauthError(err)
	}
	defer unlock()
	t, err := o.read(a) // another run may have renewed it while we waited
	if err != nil || t.fresh(time.Now()) && t.Access != refused {
		return t.access(), err
	}
	return o.renew(ctx, a, k, t)
}

func (t *tokens) access() string {
	if t == nil {
		return ""
	}
	return t.Access
}

// errNeedsLogin says that only a person can go on.
var errNeedsLogin = errors.New("a login is needed")

func needsLogin(why string) error {
	return &SecretError{Source: "oauth2", Err: fmt.Errorf("%s: %w", why, errNeedsLogin)}
}

// read gives the account's tokens, if they are of the client, the provider and the user that are configured.
func (o *OAuth) read(a *Account) (*tokens, error) {
	t, err := readTokens(o.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, needsLogin("there is no token yet")
	case err != nil:
		return nil, oauthError(err)
	case t.ClientID != o.ClientID || t.TokenURL != o.TokenURL || t.User != a.User:
		return nil, needsLogin("the token is of another client, provider or user than is configured")
	}
	return t, nil
}

// oauthError makes a trouble with files one with the secret; the system's reason stays visible.
func oauthError(err error) error {
	var se *SecretError
	if errors.As(err, &se) {
		return err
	}
	return &SecretError{Source: "oauth2", Err: err, Config: true}
}

// renew asks for a new access token. The caller holds the lock. The provider may take back the old
// refresh token at the same time, so a signal does not interrupt this, and the new one is on the
// disk before anything else is done.
func (o *OAuth) renew(ctx context.Context, a *Account, k *asker, t *tokens) (string, error) {
	if t.Refresh == "" {
		return "", needsLogin("the token has ended, and there is none to renew it")
	}
	cfg, client, err := o.client(ctx, a, k)
	if err != nil {
		return "", err
	}
	w, err := newTokenWriter(o.file)
	if err != nil {
		return "", oauthError(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Timeout)
	defer cancel()
	got, err := cfg.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, client), &oauth2.Token{RefreshToken: t.Refresh}).Token()
	if err != nil {
		w.discard()
		return "", providerError(err, t.Refresh, t.Access, cfg.ClientSecret)
	}
	if err := o.save(w, a, got); err != nil {
		return "", oauthError(err)
	}
	return got.AccessToken, nil
}

// save writes down what the provider gave. A token is of visible ASCII (RFC 6749, appendix A.12 and A.17); no
// other comes back from the file, or goes over the wire, as it was.
func (o *OAuth) save(w *tokenWriter, a *Account, got *oauth2.Token) error {
	if strings.ContainsFunc(got.AccessToken+got.RefreshToken, func(c rune) bool { return c < ' ' || c > '~' }) {
		w.discard()
		return errors.New("the provider gave a token with a character in it that none may have")
	}
	return w.save(&tokens{
		User: a.User, ClientID: o.ClientID, TokenURL: o.TokenURL, Access: got.AccessToken, Refresh: got.RefreshToken,
		Obtained: time.Now().UTC().Truncate(time.Second), Expiry: got.Expiry.UTC(),
	})
}

// client makes what speaks to the provider, by the way that the account takes. It follows no
// redirect, which would carry secrets elsewhere.
func (o *OAuth) client(ctx context.Context, a *Account, k *asker) (*oauth2.Config, *http.Client, error) {
	cfg := &oauth2.Config{
		ClientID: o.ClientID, Scopes: o.Scopes,
		// In the body, for all that is known takes it there. To find that out by trying would
		// send a code twice, which is good for once.
		Endpoint: oauth2.Endpoint{AuthURL: o.AuthURL, TokenURL: o.TokenURL, DeviceAuthURL: o.DeviceURL, AuthStyle: oauth2.AuthStyleInParams},
	}
	if o.ClientSecret.Kind != "" {
		b := *a
		b.Secret = o.ClientSecret
		secret, err := readSecret(ctx, &b, k)
		if err != nil {
			return nil, nil, fmt.Errorf("the client's secret: %w", err)
		}
		cfg.ClientSecret = secret.Reveal()
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // a run with a thousand accounts would hold a thousand connections
	if p := a.Proxy; p != nil {
		u := &url.URL{Scheme: p.Scheme, Host: p.Addr}
		if p.User != "" {
			u.User = url.UserPassword(p.User, p.Password.Reveal())
		}
		transport.Proxy = http.ProxyURL(u)
	}
	return cfg, &http.Client{
		Transport: transport, Timeout: a.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// providerError says what the provider's answer means. Of the answer only the error code and its
// description are told, with the secrets masked: it may echo what it was sent.
func providerError(err error, secrets ...string) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		return &SecretError{Source: "oauth2", Temporary: true, Err: errors.New(maskAll(err.Error(), secrets))}
	}
	text := fmt.Sprintf("the provider answers %d", answer.Response.StatusCode)
	if answer.ErrorCode != "" {
		text += " " + brief(maskAll(answer.ErrorCode, secrets))
	}
	if answer.ErrorDescription != "" {
		text += ": " + brief(maskAll(answer.ErrorDescription, secrets))
	}
	status := answer.Response.StatusCode
	switch {
	case status < 400 && answer.ErrorCode == "" || status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout ||
		answer.ErrorCode == "temporarily_unavailable" || answer.ErrorCode == "server_error":
		return &SecretError{Source: "oauth2", Temporary: true, Err: errors.New(text)}
	case answer.ErrorCode == "invalid_client" || answer.ErrorCode == "unauthorized_client" || answer.ErrorCode == "invalid_scope":
		return &SecretError{Source: "oauth2", Config: true, Err: errors.New(text)}
	}
	return needsLogin(text)
}

// brief shortens a text from outside.
func brief(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "…"
	}
	return visible(s)
}

// maskAll masks secrets, as they are and as a form would have them.
func maskAll(s string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, masked)
			s = strings.ReplaceAll(s, url.QueryEscape(secret), masked)
		}
	}
	return s
}
