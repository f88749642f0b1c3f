package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"mailhaul/fetch/pop3"
)

// errUnasked says that there was nobody to ask, and that no option answers.
var errUnasked = errors.New("nobody to ask")

// confirm shows the server and asks whether it is the right one. What a record or a file says is a
// proposal: the password goes only where a person, or an option that a person wrote, has said.
func (s *setup) confirm(ctx context.Context, p *probed) error {
	foreign := p.foreign(s.domain)
	ask := canAsk() && !(s.yes && !foreign)
	if ask || s.report.verbose >= 0 {
		fmt.Fprint(os.Stderr, s.description(p, foreign))
	}
	switch {
	case !ask && s.yes && !foreign:
		return nil
	case !ask:
		return errUnasked
	case foreign:
		return askYes(ctx, fmt.Sprintf("Is %s your provider, and may it get the password? [y/N] ", visible(p.server.Host)))
	}
	return askYes(ctx, "Use this server? [y/N] ")
}

// description is what a person decides by.
func (s *setup) description(p *probed, foreign bool) string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(safeLine(fmt.Sprintf(format, args...)) + "\n") }
	line("%s: %s (%s)", visible(s.address), visible(p.server.Addr), visible(p.source))
	if p.cs == nil {
		line("   no TLS: the server is on this machine")
	} else {
		how := "from the first octet"
		if p.tls == "starttls" {
			how = "by STLS"
		}
		line("   %s %s", tls.VersionName(p.cs.Version), how)
		if len(p.cs.PeerCertificates) > 0 {
			line("   certificate of %s", certificateText(p.cs.PeerCertificates[0]))
		}
	}
	line("   says %s", visible(p.greeting))
	if foreign {
		line("   It is not of the domain %s. Where the DNS is not safe, anybody can have put it there.", s.domain)
	}
	return b.String()
}

// login tries to log in, by the names that are usual one after the other, and looks what is there.
func (s *setup) login(ctx context.Context, a *Account, user string) error {
	password, err := s.password(ctx, a)
	if err != nil || password.Reveal() == "" {
		return err
	}
	a.Secret = SecretSource{Kind: "password", Value: password}
	users := s.users
	if user != "" && len(users) > 1 { // the domain says what it wants
		users = []string{user}
	}
	st, err := nothingKnown()
	if err != nil {
		return err
	}
	for i, user := range users {
		a.User = user
		var d *maildrop
		err = s.visit(ctx, s.cfg, a, st, func(c *pop3.Client, got *maildrop) error {
			d = got
			d.leave(c)
			return nil
		})
		if err == nil {
			s.tried = fmt.Sprintf("the login works; %s there", messages(len(d.mails)))
			s.remark("%s", s.tried)
			return nil
		}
		var refused *pop3.LoginError
		if !errors.As(err, &refused) || exitStatus(err) != exNoPerm || i+1 == len(users) {
			return err
		}
		s.remark("as %s the login is refused; once more as %s", visible(user), visible(users[i+1]))
	}
	return err
}

// password reads the password file, or asks. It gives none where there is neither.
func (s *setup) password(ctx context.Context, a *Account) (Secret, error) {
	if s.passwordFile != "" {
		if _, err := os.Stat(s.passwordFile); !errors.Is(err, fs.ErrNotExist) {
			b := *a
			b.Secret = SecretSource{Kind: "password_file", Name: s.passwordFile}
			return readSecret(ctx, &b, s.asker)
		}
	}
	if !canAsk() {
		s.remark("the login was not tried: there is no password (--password-file), and no terminal to ask on")
		return Secret{}, nil
	}
	secret, err := readSecret(ctx, a, s.asker)
	if err == nil {
		s.asked = secret.Reveal()
	}
	return secret, err
}
