package pop3test

import (
	"cmp"
	"crypto/md5"
	"fmt"
	"strconv"
	"strings"
)

// greeting stands for the greeting where commands are named: a session begins with it, as if
// it had been asked for. handshake stands for the handshake of TLS in the same way. No line of
// a client can be either.
const (
	greeting  = "greeting\n"
	handshake = "handshake\n"
)

// A state is a set of states of a session (RFC 1939, 3).
type state int

const (
	authorization state = 1 << iota
	transaction
)

type command struct {
	state
	do func(s *Session, arg string) reply
}

// commands are those of RFC 1939, 2449 (CAPA), 2595 (STLS) and 5034 (AUTH).
var commands = map[string]command{
	"USER": {authorization, (*Session).userName},
	"PASS": {authorization, (*Session).pass},
	"APOP": {authorization, (*Session).apop},
	"AUTH": {authorization, (*Session).auth},
	"STLS": {authorization, (*Session).stls},
	"CAPA": {authorization | transaction, (*Session).capa},
	"QUIT": {authorization | transaction, (*Session).quit},
	"STAT": {transaction, (*Session).stat},
	"LIST": {transaction, (*Session).list},
	"UIDL": {transaction, (*Session).uidl},
	"RETR": {transaction, (*Session).retr},
	"TOP":  {transaction, (*Session).top},
	"DELE": {transaction, (*Session).dele},
	"NOOP": {transaction, func(*Session, string) reply { return line("+OK") }},
	"RSET": {transaction, (*Session).rset},
}

// carryOut is the correct server.
func (s *Session) carryOut(text string) reply {
	if text == greeting {
		return line(strings.TrimRight("+OK "+cmp.Or(s.srv.cfg.Greeting, "pop3test ready")+" "+s.srv.cfg.Stamp, " "))
	}
	word, arg, _ := strings.Cut(text, " ")
	word = strings.ToUpper(word)
	cfg := &s.srv.cfg
	named := s.named
	s.named = false
	cmd, ok := commands[word]
	switch {
	case !ok,
		word == "CAPA" && cfg.NoCAPA, word == "UIDL" && cfg.NoUIDL, word == "TOP" && cfg.NoTOP,
		word == "LIST" && cfg.NoLIST, word == "USER" && cfg.NoUSER, word == "PASS" && cfg.NoUSER,
		word == "APOP" && cfg.Stamp == "", word == "STLS" && cfg.TLS != STLS:
		return line("-ERR unknown command")
	case s.drop == nil && cmd.state&authorization == 0:
		return line("-ERR log in first")
	case s.drop != nil && cmd.state&transaction == 0:
		return line("-ERR you are logged in")
	case word == "PASS" && !named: // RFC 1939, 7: directly after USER
		return line("-ERR USER first")
	}
	return cmd.do(s, arg)
}

func (s *Session) stls(arg string) reply {
	if s.secure {
		return line("-ERR TLS is up")
	}
	s.upgrade = true
	return line("+OK Begin TLS negotiation")
}

func (s *Session) userName(arg string) reply {
	s.user, s.named = arg, true
	return line("+OK")
}

func (s *Session) pass(arg string) reply {
	if want, ok := s.srv.password(s.user); !ok || arg != want {
		return line("-ERR [AUTH] refused")
	}
	return s.login(s.user)
}

func (s *Session) apop(arg string) reply {
	user, digest, _ := strings.Cut(arg, " ")
	want, ok := s.srv.password(user)
	if !ok || digest != fmt.Sprintf("%x", md5.Sum([]byte(s.srv.cfg.Stamp+want))) {
		return line("-ERR [AUTH] refused")
	}
	return s.login(user)
}

func (s *Session) stuff(text string) string {
	if s.srv.cfg.NoStuff {
		return text
	}
	return stuff(text)
}

func (s *Session) retr(arg string) reply {
	sl, _ := s.slot(arg)
	if sl == nil {
		return line("-ERR no such message")
	}
	sl.retrieved = true
	status := fmt.Sprintf("+OK %d octets\r\n", sl.listed())
	if sl.Wire != "" {
		return reply{first: status + sl.Wire}
	}
	return reply{
		first: status,
		unit:  s.stuff(sl.whole()),
		times: max(1, sl.Repeat),
		last:  ".\r\n",
	}
}

func (s *Session) top(arg string) reply {
	num, count, _ := strings.Cut(arg, " ")
	lines, err := strconv.ParseUint(count, 10, 31)
	sl, _ := s.slot(num)
	if sl == nil || err != nil {
		return line("-ERR no such message")
	}
	return reply{first: "+OK\r\n" + s.stuff(top(sl.whole(), int(lines))) + ".\r\n"}
}

func (s *Session) dele(arg string) reply {
	sl, num := s.slot(arg)
	if sl == nil {
		return line("-ERR no such message")
	}
	sl.deleted = true
	if s.srv.cfg.Expunge == AtDele {
		s.srv.expunge(s.drop, map[*Message]bool{sl.Message: true})
	}
	return line(fmt.Sprintf("+OK message %d deleted", num))
}

func (s *Session) rset(arg string) reply {
	for _, sl := range s.slots {
		sl.deleted = false
	}
	return line("+OK")
}

func (s *Session) quit(arg string) reply {
	s.over = true
	s.update()
	s.srv.mu.Lock()
	defer s.srv.mu.Unlock()
	s.unlock()
	return line("+OK bye")
}

// update is the UPDATE state: what was marked goes.
func (s *Session) update() {
	if s.drop == nil || s.srv.cfg.Expunge == Never {
		return
	}
	gone := make(map[*Message]bool)
	for _, sl := range s.slots {
		if sl.deleted || sl.retrieved && s.srv.cfg.ExpireRetrieved {
			gone[sl.Message] = true
		}
	}
	s.srv.expunge(s.drop, gone)
}
