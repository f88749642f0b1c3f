package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
)

// A Config is what the configuration files say, checked.
type Config struct {
	Path     string
	StateDir string
	Accounts []*Account // in the order of the files
}

// Account returns the account of that name, or nil.
func (c *Config) Account(name string) *Account {
	for _, a := range c.Accounts {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// A Problem is one thing that is wrong in a configuration file. Its text never quotes a value:
// the value may be a secret, or a secret under a mistaken key.
type Problem struct {
	File string
	Line int    // 0 if unknown
	Col  int    // 0 if unknown
	Key  string // "accounts.work.tls"; "" if it is about no key
	Text string
}

func (p Problem) String() string {
	s := p.File
	if p.Line > 0 {
		s += fmt.Sprintf(":%d", p.Line)
		if p.Col > 0 {
			s += fmt.Sprintf(":%d", p.Col)
		}
	}
	if p.Key != "" {
		s += ": " + p.Key
	}
	return s + ": " + p.Text
}

// A ConfigError holds everything that is wrong with the configuration, in the order of the files.
type ConfigError struct{ Problems []Problem }

func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// loadConfig reads and checks the configuration file and what it includes. path is that of
// --config, "" for none. needsSecret tells for which accounts a missing secret is an error; nil
// means for none. Every error of the text is in one *ConfigError.
func loadConfig(path string, needsSecret func(account string) bool) (*Config, error) {
	path, err := findConfig(path)
	if err != nil {
		return nil, err
	}
	l := &loader{}
	main := l.read(path)
	if main == nil {
		return nil, &ConfigError{l.problems}
	}
	cfg := &Config{Path: path}
	l.top(cfg, main)
	files := []*configFile{main}
	for _, inc := range l.include(main) {
		if f := l.read(inc); f != nil {
			l.included(f)
			files = append(files, f)
		}
	}
	defaults := l.defaults(main)
	for _, f := range files {
		l.accounts(cfg, f, defaults, filepath.Dir(path), needsSecret)
	}
	if len(cfg.Accounts) == 0 && len(l.problems) == 0 {
		l.report(main, nil, "no accounts: it needs at least one [accounts.NAME]")
	}
	if cfg.StateDir == "" {
		if cfg.StateDir, err = defaultStateDir(); err != nil {
			l.report(main, nil, "%v", err)
		}
	}
	if len(l.problems) > 0 {
		l.sort(files)
		return nil, &ConfigError{l.problems}
	}
	return cfg, nil
}

// A configFile is one decoded file. The library forgets positions and matches keys without regard
// to case, so it decodes into maps here, and lines come from a scan of our own.
type configFile struct {
	path  string
	table map[string]any
	keys  []toml.Key     // in file order
	lines map[string]int // joined path of a key to its line
}

// under gives the keys right below a table, in file order, each once; also those that only imply
// a table, like a in [a.b].
func (f *configFile) under(table toml.Key) []toml.Key {
	var found []toml.Key
	seen := map[string]bool{}
	n := len(table)
	for _, key := range f.keys {
		if len(key) > n && slices.Equal(key[:n], table) && !seen[key[n]] {
			seen[key[n]] = true
			found = append(found, key[:n+1:n+1])
		}
	}
	return found
}

type loader struct {
	problems []Problem
}

// report notes a problem of f at the key, nil for the file as a whole.
func (l *loader) report(f *configFile, key toml.Key, format string, args ...any) {
	l.problems = append(l.problems, Problem{
		File: f.path, Line: f.line(key), Key: key.String(), Text: fmt.Sprintf(format, args...),
	})
}

// line gives the line of a key, or of the nearest table around it.
func (f *configFile) line(key toml.Key) int {
	for n := len(key); n > 0; n-- {
		if line, ok := f.lines[joinKey(key[:n])]; ok {
			return line
		}
	}
	return 0
}

func (l *loader) sort(files []*configFile) {
	order := map[string]int{}
	for i, f := range files {
		order[f.path] = i
	}
	sort.SliceStable(l.problems, func(i, j int) bool {
		a, b := l.problems[i], l.problems[j]
		if a.File != b.File {
			return order[a.File] < order[b.File]
		}
		return a.Line < b.Line
	})
	l.problems = slices.Compact(l.problems)
}

// read decodes one file; nil means that a problem was noted.
func (l *loader) read(path string) *configFile {
	f := &configFile{path: path}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() && info.Mode()&fs.ModeNamedPipe == 0 && info.Mode()&fs.ModeDevice == 0 {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("not a file")}
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		l.report(f, nil, "cannot be read: %v", err)
		return nil
	}
	md, err := toml.Decode(string(text), &f.table)
	if err != nil {
		l.problems = append(l.problems, syntaxProblem(path, err))
		return nil
	}
	f.keys = md.Keys()
	f.lines = keyLines(string(text))
	// RFC 1939 has one secret and it opens the mailbox: a file with it is its owner's alone.
	if key := f.password(); key != nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		l.report(f, key, "the file holds a password and is open to others (mode %04o); chmod 600 it", info.Mode().Perm())
	}
	return f
}

// password returns the first key of the file that holds a secret itself, or nil.
func (f *configFile) password() toml.Key {
	for _, key := range f.keys {
		for _, k := range accountKeys {
			if k.plain && len(key) > 1 && strings.EqualFold(key[len(key)-1], k.name) {
				return key
			}
		}
	}
	return nil
}

// syntaxProblem gives message, line and column of a TOML error, and nothing of the line itself,
// which may be the one with the password.
func syntaxProblem(path string, err error) Problem {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return Problem{File: path, Text: "not valid TOML"}
	}
	return Problem{File: path, Line: pe.Position.Line, Col: max(pe.Position.Col, 0), Text: harmless(pe.Message)}
}

// harmless cuts out of the library's message what it quotes from the file, except names of keys.
func harmless(msg string) string {
	if strings.HasPrefix(msg, "Key '") {
		return "k" + strings.TrimSuffix(msg[1:], ".")
	}
	switch {
	case strings.HasPrefix(msg, "invalid escape"):
		return `invalid escape in a string (a backslash is written \\)`
	case strings.HasPrefix(msg, "Escaped character"):
		return "invalid character in a string"
	case strings.Contains(msg, "out of range"):
		return "number out of range"
	case strings.HasPrefix(msg, "expected value"):
		return `expected a value (a string stands in "quotes")`
	}
	cut := len(msg)
	for _, mark := range []string{", but got", " but got", " but found", ": ", ` "`} {
		if i := strings.Index(msg, mark); i >= 0 && i < cut {
			cut = i
		}
	}
	if msg = msg[:cut]; msg == "" || strings.HasPrefix(msg, `"`) {
		return "not valid TOML"
	}
	return strings.ToLower(msg[:1]) + msg[1:]
}

// top reads the keys outside the tables.
func (l *loader) top(cfg *Config, f *configFile) {
	known := []string{"state_dir", "include", "defaults", "accounts"}
	for _, key := range f.under(nil) {
		if !slices.Contains(known, key[0]) {
			l.unknown(f, key, known)
		}
	}
	if v, ok := f.table["state_dir"]; ok {
		dir, err := asPath(v, filepath.Dir(f.path))
		if err != nil {
			l.report(f, toml.Key{"state_dir"}, "%v", err)
		}
		cfg.StateDir = dir
	}
}

// unknown reports a key that does not exist, with the nearest that does.
func (l *loader) unknown(f *configFile, key toml.Key, known []string) {
	name := key[len(key)-1]
	if near := nearest(name, known); near != "" {
		l.report(f, key, "unknown key; did you mean %q?", near)
		return
	}
	l.report(f, key, "unknown key")
}

// defaults checks [defaults] by itself and returns its keys.
func (l *loader) defaults(f *configFile) map[string]any {
	v, ok := f.table["defaults"]
	if !ok {
		return nil
	}
	table, ok := v.(map[string]any)
	if !ok {
		l.report(f, toml.Key{"defaults"}, "want a table, [defaults]")
		return nil
	}
	b := l.builder(f, toml.Key{"defaults"}, table)
	b.setAll()
	b.oneSecret()
	return table
}

// accounts reads [accounts.*] of one file.
func (l *loader) accounts(cfg *Config, f *configFile, defaults map[string]any, dir string, needsSecret func(string) bool) {
	v, ok := f.table["accounts"]
	if !ok {
		return
	}
	tables, ok := v.(map[string]any)
	if !ok {
		l.report(f, toml.Key{"accounts"}, "want tables, [accounts.NAME]")
		return
	}
	for _, at := range f.under(toml.Key{"accounts"}) {
		name := at[1]
		table, ok := tables[name].(map[string]any)
		if !ok {
			l.report(f, at, "want a table, [accounts.NAME]")
			continue
		}
		if why := badAccountName(name); why != "" {
			l.report(f, at, "%s", why)
			continue
		}
		if other := cfg.Account(name); other != nil {
			l.report(f, at, "this account is also in %s, line %d", other.file, other.line)
			continue
		}
		b := l.builder(f, at, table)
		b.inherited, b.dir = defaults, dir
		cfg.Accounts = append(cfg.Accounts, b.account(needsSecret))
	}
}

func badAccountName(name string) string {
	switch {
	case name == "":
		return "an account's name is not empty"
	case strings.HasPrefix(name, "-"):
		return "an account's name does not begin with -"
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "an account's name has no control characters"
	}
	return ""
}
