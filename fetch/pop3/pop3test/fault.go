package pop3test

import (
	"cmp"
	"fmt"
	"path"
	"strings"
)

// A Fault is something that the server does wrong on purpose.
type Fault struct {
	// On says at which commands: a pattern for the whole line, as of path.Match (but "*"
	// stands for slashes, too), with the first word in upper case: "RETR 3", "RETR *",
	// "UIDL", "PASS *", "*". The greeting counts as a command "greeting", and the server's
	// side of the TLS handshake as a command "handshake" that ends the session; no other
	// pattern matches these two.
	On string
	// Nth, if not 0, is at which of those commands alone, counting from 1 over all sessions
	// that Session allows.
	Nth int
	// Session, if not 0, is in which session alone.
	Session int
	// Behind is at commands alone that were sent before the reply to the one before (as far
	// as can be seen: in one packet with it): a server that is right as long as the client
	// waits for each reply.
	Behind bool

	// Do is what happens.
	Do Effect
	// Text is what Do says of it.
	Text string
	// After is how many octets of the reply are as they should be, where Do says so. It
	// counts from the end if it is negative: -1 is behind the last octet, -4 in front of a
	// final dot line, -3 between its dot and CRLF. It is never out of the reply's bounds.
	After int
	// Skip, with Stall, Cut and Reset, means that the command is not carried out, and nothing
	// of a reply is sent: QUIT deletes nothing.
	Skip bool
}

// Whole is a Fault.After that means the whole reply.
const Whole = -1

// An Effect is what a Fault does.
type Effect int

const (
	// Refuse does not carry the command out and answers "-ERR " and Text ("refused" if
	// empty). A refused greeting or QUIT ends the session.
	Refuse Effect = iota
	// Answer carries it out and answers Text, as it is (but with a CRLF if there is no LF).
	Answer
	// Drop goes on as if the command had never come.
	Drop
	// Mute carries it out and does not answer.
	Mute
	// Repeat answers twice.
	Repeat
	// Swap sends the reply behind that to the next command, if that has come already.
	Swap
	// Overtake refuses as Refuse does, in front of all replies not yet written, which are
	// those to commands that came together with this one.
	Overtake
	// Interleave sends the final dot behind the first line of the next reply, if the next
	// command has come already.
	Interleave
	// Overwrite puts Text in place of as many octets behind After.
	Overwrite
	// Insert puts Text in between behind After. In the reply to STLS that is text in the
	// clear before the handshake.
	Insert
	// Truncate leaves out what is behind After, and goes on.
	Truncate
	// Endless sends Text ("x" if empty) again and again behind After, for as long as the
	// client reads it: an endless line, or, if it ends with CRLF, an endless text.
	Endless
	// Stall sends nothing more behind After until the client closes the connection.
	Stall
	// Cut ends the stream behind After, with TLS without a close_notify.
	Cut
	// Reset does so with a TCP reset, which may take octets with it that were on their way.
	Reset
	// Drip writes the reply octet by octet.
	Drip
)

// armed is a fault and how often its pattern has matched. Server.mu guards it.
type armed struct {
	Fault
	seen int
}

func arm(faults []Fault) ([]*armed, error) {
	var all []*armed
	for _, f := range faults {
		if _, err := match(f.On, ""); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", f.On, err)
		}
		all = append(all, &armed{Fault: f})
	}
	return all, nil
}

// Inject adds faults behind those of Config.Faults.
func (s *Server) Inject(faults ...Fault) error {
	more, err := arm(faults)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, more...)
	return nil
}

// Mend removes all faults, those of Config.Faults, too.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// match reports whether a line matches a pattern of Fault.On.
func match(pattern, line string) (bool, error) {
	word, _, _ := strings.Cut(line, " ")
	if line == greeting || line == handshake {
		return pattern+"\n" == line, nil
	}
	// "*" of path.Match would end at a slash.
	line = strings.ToUpper(word) + strings.ReplaceAll(line[len(word):], "/", "\x00")
	return path.Match(strings.ReplaceAll(pattern, "/", "\x00"), line)
}

// fault returns the first fault that strikes at a line. All of them count.
func (s *Session) fault(line string) *Fault {
	s.srv.mu.Lock()
	defer s.srv.mu.Unlock()
	var first *Fault
	for _, f := range s.srv.faults {
		if f.Session != 0 && f.Session != s.Num || f.Behind && !s.behind {
			continue
		}
		if ok, _ := match(f.On, line); !ok {
			continue
		}
		f.seen++
		if first == nil && (f.Nth == 0 || f.Nth == f.seen) {
			first = &f.Fault
		}
	}
	return first
}

// reorders reports whether replies must be kept for one that overtakes them.
func (s *Server) reorders() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Do == Overtake {
			return true
		}
	}
	return false
}

// obey carries a command out, or does with it what a fault says.
func (s *Session) obey(command string) error {
	f := s.fault(command)
	if f == nil {
		return s.settle(s.carryOut(command))
	}
	switch f.Do {
	case Refuse, Overtake:
		r := line("-ERR " + cmp.Or(f.Text, "refused"))
		s.over = command == greeting || strings.EqualFold(command, "QUIT")
		if f.Do == Refuse {
			return s.settle(r)
		}
		s.out = append([]reply{r}, s.out...)
		return s.settle()
	case Drop:
		return nil
	}
	if f.Skip {
		s.judge()
		return s.strike(f, "")
	}
	r := s.carryOut(command)
	s.judge()
	switch f.Do {
	case Answer:
		r = reply{first: terminated(f.Text)}
		s.upgrade = s.upgrade && strings.HasPrefix(f.Text, "+OK")
		return s.settle(r)
	case Mute:
		return s.settle()
	case Repeat:
		return s.settle(r, r)
	case Swap:
		s.unhold(&r)
		s.held = func(next *reply) { next.last += r.String() }
		return s.settle()
	case Interleave:
		return s.interleave(r)
	case Drip:
		if err := s.release(); err != nil {
			return err
		}
		usual := s.segment
		s.segment = 1
		defer func() { s.segment = usual }()
		if err := s.queue(r); err != nil {
			return err
		}
		if err := s.release(); err != nil {
			return err
		}
		return s.settle()
	}
	return s.strike(f, r.String())
}

// terminated is a text of a Fault or of Config.Reply as it is sent.
func terminated(text string) string {
	if text == "" || strings.Contains(text, "\n") {
		return text
	}
	return text + "\r\n"
}

// interleave holds the final dot of a reply back until the next has begun.
func (s *Session) interleave(r reply) error {
	const dot = ".\r\n"
	text, ok := strings.CutSuffix(r.String(), "\r\n"+dot)
	if !ok {
		return s.settle(r)
	}
	if err := s.queue(reply{first: text + "\r\n"}); err != nil {
		return err
	}
	s.held = func(next *reply) {
		first, rest, found := strings.Cut(next.String(), "\n")
		if found {
			first += "\n"
		}
		*next = reply{first: first + dot + rest}
	}
	return s.settle()
}

// strike does what happens behind so many octets of a reply.
func (s *Session) strike(f *Fault, text string) error {
	n := f.After
	if n < 0 {
		n += len(text) + 1
	}
	n = min(max(n, 0), len(text))
	switch f.Do {
	case Overwrite:
		return s.settle(reply{first: text[:n] + f.Text + text[min(n+len(f.Text), len(text)):]})
	case Insert:
		return s.settle(reply{first: text[:n] + f.Text + text[n:]})
	case Truncate:
		return s.settle(reply{first: text[:n]})
	}
	if err := s.queue(reply{first: text[:n]}); err != nil {
		return err
	}
	if err := s.release(); err != nil {
		return err
	}
	switch f.Do {
	case Endless:
		return s.endless(cmp.Or(f.Text, "x"))
	case Stall:
		s.wire.drain()
	case Reset:
		s.ending = endReset
		return errOver
	}
	s.ending = endCut
	return errOver
}

// endless writes a text until the client has enough.
func (s *Session) endless(text string) error {
	many := strings.Repeat(text, max(1, maxOut/len(text)))
	for {
		if err := s.emit(many); err != nil {
			return err
		}
	}
}
