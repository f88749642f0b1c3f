package pop3test

import (
	"path"
	"strings"
)

// A Fault is something that the server does wrong on purpose.
type Fault struct {
	// On says at which commands: a pattern for the whole line, as of path.Match (but that
	// "*" stands for slashes, too), with the first word in upper case: "RETR 3", "RETR *",
	// "UIDL", "PASS *", "*". The greeting is "greeting".
	On string
}

type armed struct{ Fault }

func arm(faults []Fault) ([]*armed, error) {
	var all []*armed
	for _, f := range faults {
		if _, err := match(f.On, ""); err != nil {
			return nil, err
		}
		all = append(all, &armed{f})
	}
	return all, nil
}

func match(pattern, line string) (bool, error) {
	word, arg, found := strings.Cut(line, " ")
	line = strings.ToUpper(word)
	if word == greeting {
		line = word
	}
	if found {
		line += " " + arg
	}
	slash := strings.NewReplacer("/", "\x00")
	return path.Match(slash.Replace(pattern), slash.Replace(line))
}

func (srv *Server) reorders() bool { return false }

func (s *Session) obey(line string) error {
	return s.settle(s.carryOut(line))
}
