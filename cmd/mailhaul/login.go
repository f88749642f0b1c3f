package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/oauth2"
)

// consentTime is how long a person has for the consent.
const consentTime = 15 * time.Minute

func (m *program) loginCommand() *cli.Command {
	return &cli.Command{
		Name:      "login",
		Usage:     "let a provider give its consent (OAuth 2), once",
		ArgsUsage: "ACCOUNT",
		Description: `For an account with a table oauth2. Where the provider has a device flow, a code is to be
entered on a page, on whatever device. Else a page is to be opened in a browser; it leads back
to this machine, or where the browser is on another one, its last address is to be pasted here.

   mailhaul login work              once; the token is renewed by itself from then on
   mailhaul login --browser work    not by the device flow
   mailhaul login --deliver work    for the mail server that the account delivers to`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "browser", DisableDefaultText: true, Usage: "use the page that leads back here, not the device flow"},
			&cli.BoolFlag{Name: "deliver", DisableDefaultText: true, Usage: "log in to the mail server that the account delivers to"},
		},
		Action: m.login,
	}
}

// login gets the first tokens of an account.
func (m *program) login(c *cli.Context) error {
	_, a, _, err := m.accountArgument(c, 1, 1)
	if err != nil {
		return err
	}
	if c.Bool("deliver") {
		if a, err = a.receiver(); err != nil {
			return err
		}
	}
	switch {
	case a.OAuth == nil:
		return usagef("account %q has no table oauth2: its password is all it needs", a.Name)
	case len(a.OAuth.TokenCommand) > 0:
		return usagef("account %q has a token_command, which logs in by itself", a.Name)
	case c.Bool("browser") && a.OAuth.AuthURL == "":
		return usagef("account %q has no auth_url for a browser", a.Name)
	}
	if err := m.consent(c.Context, a, c.Bool("browser")); err != nil {
		return m.about(a, err)
	}
	return m.tell("%s: logged in; the token is kept in %s", visible(a.Name), visible(a.OAuth.file))
}

// receiver gives the login of the first destination that has a table oauth2.
func (a *Account) receiver() (*Account, error) {
	for _, d := range append([]Destination{a.Deliver}, a.Also...) {
		if d.Receiver != nil && d.Receiver.OAuth != nil {
			return d.Receiver, nil
		}
	}
	return nil, usagef("no destination of account %q has a table oauth2", a.Name)
}

func (m *program) consent(ctx context.Context, a *Account, browser bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, consentTime, fmt.Errorf("no consent within %v", consentTime))
	defer cancel()
	o := a.OAuth
	cfg, client, err := o.client(ctx, a, newAsker(os.Stderr))
	if err != nil {
		return err
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, client)
	var got *oauth2.Token
	if o.DeviceURL != "" && !browser {
		got, err = m.deviceConsent(ctx, cfg)
	} else {
		got, err = m.browserConsent(ctx, a, cfg)
	}
	switch {
	case ctx.Err() != nil:
		return &SecretError{Source: "oauth2", Temporary: true, Err: context.Cause(ctx)}
	case err != nil:
		return err
	}
	unlock, err := lockTokens(ctx, o.file, time.Minute)
	if err != nil {
		return oauthError(err)
	}
	defer unlock()
	w, err := newTokenWriter(o.file)
	if err == nil {
		err = o.save(w, a, got)
	}
	if err != nil {
		return oauthError(err)
	}
	if got.RefreshToken == "" {
		m.report.warn(a.Name, "the provider gave no refresh token: when this token ends, a new login is needed (is a scope like offline_access missing?)")
	}
	return nil
}

// deviceConsent is the device flow (RFC 8628).
func (m *program) deviceConsent(ctx context.Context, cfg *oauth2.Config) (*oauth2.Token, error) {
	device, err := cfg.DeviceAuth(ctx)
	if err != nil {
		return nil, providerError(err, cfg.ClientSecret)
	}
	m.report.say("open %s and enter the code %s", visible(device.VerificationURI), visible(device.UserCode))
	got, err := cfg.DeviceAccessToken(ctx, device)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return nil, needsLogin("the code has expired")
		}
		return nil, providerError(err, cfg.ClientSecret, device.DeviceCode)
	}
	return got, nil
}
