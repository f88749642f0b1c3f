package main

import (
	"context"
	"errors"

	"mailhaul/fetch/pop3"
)

// refusesToken tells whether the server takes the token for a bad one (RFC 3206, section 4; the
// status of OAUTHBEARER and XOAUTH2).
func refusesToken(err error) bool {
	var login *pop3.LoginError
	return errors.As(err, &login) && (login.Err.Code == "AUTH" || login.Status == "400" || login.Status == "401")
}

// renewToken gets a token in place of one that was refused.
func (s *session) renewToken(ctx context.Context) error {
	if s.stale.Reveal() == "" {
		return nil
	}
	token, err := s.a.OAuth.accessToken(ctx, s.a, s.asker, s.stale.Reveal())
	if err != nil {
		return err
	}
	if token, err = checkSecret(token); err != nil {
		return &SecretError{Source: "oauth2", Err: err}
	}
	s.secret, s.stale = NewSecret(token), Secret{}
	return nil
}
