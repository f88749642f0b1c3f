package pop3test

import (
	"maps"
	"slices"
	"strings"
)

// caps is what CAPA announces now.
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
