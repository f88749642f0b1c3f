package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mailhaul/fetch/pop3"
)

// The notes of the state about what the server wants of us.
const (
	noteDelay  = "login-delay" // seconds to stay away, from the moment of the note
	noteExpire = "expire"      // a warning was given about this EXPIRE
)

// maxDelay bounds how long a server can keep us away: what it says is not to be trusted further.
const maxDelay = 24 * time.Hour

// A delayError says that an earlier login was refused as too early, and that it is still too early.
type delayError struct{ until time.Time }

func (e *delayError) Error() string {
	return fmt.Sprintf("an earlier login came too soon for the server (LOGIN-DELAY); the next attempt is made from %s on", e.until.Local().Format(time.DateTime))
}

// delayed tells whether the account is to be left alone for now. Only a refusal leads to that: an
// announcement alone is an upper bound (RFC 2449, section 6.5).
func (s *session) delayed(now time.Time) error {
	value, at := s.st.Note(noteDelay)
	seconds, err := strconv.Atoi(value)
	// A note from the future is of a clock that was wrong.
	if err != nil || seconds <= 0 || now.Before(at) {
		return nil
	}
	if until := at.Add(min(time.Duration(seconds)*time.Second, maxDelay)); now.Before(until) {
		return &delayError{until}
	}
	return nil
}

// refusedAsEarly notes a refusal with [LOGIN-DELAY], with the number of seconds that the server
// announces. They run from the last login, which was before now: this is the longest that it can
// be. A refusal without a number delays nothing.
func (s *session) refusedAsEarly(err error) error {
	var refused *pop3.Error
	args := s.caps.Args("LOGIN-DELAY")
	if s.dryRun || !errors.As(err, &refused) || refused.Code != "LOGIN-DELAY" || len(args) == 0 {
		return nil
	}
	seconds, err := strconv.Atoi(args[0])
	if err != nil || seconds <= 0 {
		return nil
	}
	seconds = min(seconds, int(maxDelay/time.Second))
	return s.st.SetNote(noteDelay, strconv.Itoa(seconds), time.Now())
}

// expireWarning says that the server will delete what is to be kept (RFC 2449, section 6.7), or
// nothing.
func expireWarning(a *Account, keep bool, caps pop3.Caps) string {
	args := caps.Args("EXPIRE")
	if !keep || len(args) == 0 || strings.EqualFold(args[0], "NEVER") {
		return ""
	}
	days, err := strconv.Atoi(args[0])
	switch {
	case err != nil || days < 0:
		return ""
	case days == 0:
		return "the server may delete what was retrieved (EXPIRE 0), although keep is set"
	case a.DeleteAfter > 0 && a.DeleteAfter <= time.Duration(min(days, 100_000))*24*time.Hour:
		return ""
	}
	return fmt.Sprintf("the server may delete messages after %d days (EXPIRE), although keep is set", days)
}

// warnOfExpiry warns once, and then once in 30 days.
func (s *session) warnOfExpiry() error {
	text := expireWarning(s.a, s.a.Keep || s.keep, s.caps)
	if text == "" || !s.dryRun && s.recall(noteExpire, time.Now()) == text {
		return nil
	}
	s.report.warn(s.a.Name, "%s", text)
	if s.dryRun {
		return nil
	}
	return s.st.SetNote(noteExpire, text, time.Now())
}

// utf8 asks for messages as they are, where the server can give them (RFC 6856, section 2.1):
// after STLS, before the login. A refusal is harmless.
func (s *session) utf8(c *pop3.Client) error {
	if !s.known || s.noUTF8 || !s.caps.Has("UTF8") {
		return nil
	}
	_, _, err := c.Do("UTF8", false)
	switch {
	case c.Err() == nil:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		s.noUTF8 = true
		return errors.Join(errHungUp, err)
	}
	return err
}
