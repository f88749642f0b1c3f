package pop3test

import (
	"fmt"
	"strconv"
)

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
