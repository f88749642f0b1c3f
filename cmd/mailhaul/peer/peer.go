// Package peer reads the configurations of other programs that retrieve mail (fetchmail, mpop,
// getmail, fdm) and says what they are in mailhaul's terms.
//
// Read takes a configuration apart and gives accounts: settings in the order in which they are to
// stand in a TOML file, and findings, which name each option that was not carried over as it is,
// with its line and the reason. Print writes them as TOML with comments.
//
// Three things hold for every program. Nothing of a configuration is executed or followed: a
// command stays a command, and an included file is named. A secret that stands in the
// configuration leaves the parser in no form, not in a setting, a finding or an error; in its
// place is a file that the user is to write. And nothing that is imported is looser than mailhaul
// itself: certificates are verified and no message is deleted that was not delivered, whatever
// the other program did.
package peer

import (
	"fmt"
	"slices"
	"strings"
)

// A Program is one whose configuration is understood.
type Program string

// The programs.
const (
	Fetchmail Program = "fetchmail"
	Mpop      Program = "mpop"
	Getmail   Program = "getmail"
	Fdm       Program = "fdm"
)

// Programs are all of them.
var Programs = []Program{Fetchmail, Mpop, Getmail, Fdm}

// A Site is what a configuration takes from the machine and the user that it is for.
type Site struct {
	Home   string // the home directory, absolute; "" if unknown
	Cwd    string // what the names of Sources are relative to, absolute; "" if unknown
	User   string // the user's name; "" if unknown
	Dir    string // the directory for password files, as it is to stand in the TOML: "~/.config/mailhaul"
	Getenv func(string) string
}

// A Source is one file with a configuration.
type Source struct {
	Name string // the file's, as errors and findings have it
	Text []byte
}

// An Import is what one or more configurations of one program say.
type Import struct {
	Program  Program
	Accounts []*Account
	Findings []Finding // what is about no single account that is printed
}

// An Account is one account of the other program.
type Account struct {
	Name string // in mailhaul's configuration: unique in the Import, and one that mailhaul accepts
	From string // how the other program names it: "poll work, user joe"
	File string // the Source
	Line int    // where it begins

	// What finds the account in a configuration of mailhaul, whatever its name there.
	Host string // name or address, lower case, without a port; "unix:/path" for a socket
	Port string // a number; "" for the usual one
	User string

	// IDFile is where the program keeps the unique-ids of the account, "" if it keeps none or it
	// cannot be known. The path is absolute unless Site.Home is unknown.
	IDFile string

	Settings []Setting
	Findings []Finding
}

// A Setting is one key of an account. Value is a string, []string, bool, int64 or Table.
type Setting struct {
	Key     string
	Value   any
	Comment string // "" for none; stands above the key, and may have several lines
}

// A Table is an inline table: deliver.
type Table []Setting

// A Finding says what became of an option that was not carried over as it is.
type Finding struct {
	File   string
	Line   int    // 0 if it is about no line
	Option string // never its value
	Text   string
}

// A SyntaxError is a configuration that its own program would refuse, too, or that cannot be read
// on from there. It never quotes what stands there: that may be a secret.
type SyntaxError struct {
	File string
	Line int
	Text string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// Read understands configurations of one program. The error is a *SyntaxError.
func Read(p Program, sources []Source, site Site) (*Import, error) {
	if site.Getenv == nil {
		site.Getenv = func(string) string { return "" }
	}
	imp := &Import{Program: p}
	for _, src := range sources {
		var err error
		switch p {
		case Fetchmail:
			err = imp.fetchmail(src, site)
		case Mpop:
			err = imp.mpop(src, site)
		case Getmail:
			err = imp.getmail(src, site)
		case Fdm:
			err = imp.fdm(src, site)
		}
		if err != nil {
			return nil, err
		}
	}
	return imp, nil
}

// Get returns the value of a key, nil if it is not set.
func (a *Account) Get(key string) any {
	for _, s := range a.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return nil
}

// set sets a key, in place of what it had.
func (a *Account) set(key string, value any, comment ...string) {
	s := Setting{key, value, strings.Join(comment, "\n")}
	if i := slices.IndexFunc(a.Settings, func(s Setting) bool { return s.Key == key }); i >= 0 {
		a.Settings[i] = s
		return
	}
	a.Settings = append(a.Settings, s)
}

// unset takes a key out.
func (a *Account) unset(key string) {
	a.Settings = slices.DeleteFunc(a.Settings, func(s Setting) bool { return s.Key == key })
}

// note says what became of an option.
func (a *Account) note(line int, option, format string, args ...any) {
	a.Findings = append(a.Findings, Finding{a.File, line, option, fmt.Sprintf(format, args...)})
}
