package pop3test

import (
	"cmp"
	"crypto/md5"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// greeting stands for the greeting where commands are named: a session begins with it, as if
// it had been asked for.
const greeting = "greeting"

// handshake stands for the handshake of TLS in the same way.
const handshake = "handshake"

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

func (s *Session) caps() []string {
	cfg := &s.srv.cfg
	var caps []string
	switch {
	case cfg.Capa != nil:
		caps = cfg.Capa(s)
	case cfg.Caps != nil:
		caps = cfg.Caps
	default:
		caps = s.truth()
	}
	if s.secure {
		caps = slices.DeleteFunc(slices.Clone(caps), func(c string) bool { return c == "STLS" })
	}
	return caps
}

// truth is what the server can do.
func (s *Session) truth() []string {
	cfg := &s.srv.cfg
	caps := []string{"RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"}
	if !cfg.NoTOP {
		caps = append(caps, "TOP")
	}
	if !cfg.NoUIDL {
		caps = append(caps, "UIDL")
	}
	if !cfg.NoUSER {
		caps = append(caps, "USER")
	}
	if names := s.srv.mechanisms(); len(names) > 0 {
		caps = append(caps, "SASL "+strings.Join(slices.Sorted(maps.Keys(names)), " "))
	}
	if cfg.TLS == STLS {
		caps = append(caps, "STLS")
	}
	return caps
}

func has(caps []string, name string) bool {
	return slices.ContainsFunc(caps, func(c string) bool {
		first, _, _ := strings.Cut(c, " ")
		return strings.EqualFold(first, name)
	})
}

func (s *Session) capa(arg string) reply {
	return multiline("+OK Capability list follows", s.caps())
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

func (s *Session) stat(arg string) reply {
	n, octets := 0, int64(0)
	for _, sl := range s.slots {
		if !sl.deleted {
			n++
			octets += sl.listed()
		}
	}
	return line(fmt.Sprintf("+OK %d %d", n, octets))
}

func (s *Session) list(arg string) reply {
	return s.listing(arg, func(sl *slot) (string, bool) {
		return strconv.FormatInt(sl.listed(), 10), true
	})
}

func (s *Session) uidl(arg string) reply {
	return s.listing(arg, func(sl *slot) (string, bool) { return sl.UID, !sl.NoUID })
}

// listing is the reply to LIST and UIDL, which tell something of one message or of all.
func (s *Session) listing(arg string, tell func(*slot) (string, bool)) reply {
	if arg != "" {
		sl, num := s.slot(arg)
		if sl == nil {
			return line("-ERR no such message")
		}
		text, ok := tell(sl)
		if !ok {
			return line("-ERR not known")
		}
		return line(fmt.Sprintf("+OK %d %s", num, text))
	}
	var lines []string
	num := 0
	for _, sl := range s.slots {
		if !sl.deleted || !s.srv.cfg.Renumber {
			num++
		}
		if text, ok := tell(sl); ok && !sl.deleted {
			lines = append(lines, strconv.Itoa(num)+" "+text)
		}
	}
	return multiline("+OK", lines)
}

// slot returns the message of a number, or nil.
func (s *Session) slot(arg string) (*slot, int) {
	n, err := strconv.ParseUint(arg, 10, 31)
	if err != nil || n == 0 {
		return nil, 0
	}
	i := int(n) - 1
	if s.srv.cfg.Renumber {
		for i = range s.slots {
			if !s.slots[i].deleted {
				n--
			}
			if n == 0 {
				break
			}
		}
		if n > 0 {
			return nil, 0
		}
	}
	if i >= len(s.slots) || s.slots[i].deleted {
		return nil, 0
	}
	num, _ := strconv.Atoi(arg)
	return s.slots[i], num
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
