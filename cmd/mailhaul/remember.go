package main

import (
	"errors"
	"strings"
	"time"
)

// The notes of the state that are ours.
const (
	noteCaps     = "caps"     // what the server announced before the login
	noteLockstep = "lockstep" // it announces PIPELINING and cannot do it
	noteTarget   = "target"   // where messages were delivered
	noteInto     = "into"     // where the last deliveries were begun, or the first are to go
	noteGone     = "gone"     // other destinations go on without that of this state
)

// noteAge is how long something remembered of the server is believed.
const noteAge = 30 * 24 * time.Hour

const (
	// noCaps is remembered of a server that refuses CAPA, or hangs up on it.
	noCaps = "-"
	// once is remembered, of CAPA and of pipelining, where all that happened is that a connection
	// ended: any may. The next run tries again, and believes it if it happens again.
	once = "?"
	// lockstep is remembered of a server that announces PIPELINING and does not do it.
	lockstep = "1"
)

// recall gives a note that is young enough.
func (s *session) recall(name string, now time.Time) string {
	value, at := s.st.Note(name)
	if age := now.Sub(at); age < 0 || age > noteAge {
		return ""
	}
	return value
}

// remember writes down what was learnt of the server, if it is new: an idle run changes no octet. It makes
// no state of a first run that came to nothing, or the next one would not say that it is the first.
func (s *session) remember() error {
	if !s.loggedIn || s.st.New() && !s.listed {
		return nil
	}
	if err := s.warnOfExpiry(); err != nil || s.dryRun {
		return err
	}
	now := time.Now()
	note := func(name, value string) error {
		if s.recall(name, now) == value {
			return nil
		}
		return s.st.SetNote(name, value, now)
	}
	was := s.recall(noteCaps, now)
	caps := noCaps
	switch {
	case s.capa:
		caps = strings.Join(s.caps, "\n")
	case s.hungUp && was != s.a.TLS+"\n"+once:
		caps = once
	}
	err := note(noteCaps, s.a.TLS+"\n"+caps)
	pipelining := s.recall(noteLockstep, now)
	switch {
	case s.lockstep == once && pipelining == once:
		pipelining = lockstep
	case s.lockstep != "":
		pipelining = s.lockstep
	case s.pipelining:
		pipelining = ""
	}
	return errors.Join(err, note(noteLockstep, pipelining))
}
