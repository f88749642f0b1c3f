package main

import (
	"fmt"
	"strings"

	"github.com/emersion/go-sasl"

	"mailhaul/deliver"
)

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
