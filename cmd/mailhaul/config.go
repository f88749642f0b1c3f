package main

import (
	"fmt"
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
	return newLoader().load(path, needsSecret)
}

func (l *loader) load(path string, needsSecret func(account string) bool) (cfg *Config, err error) {
	main := l.read(path)
	if main == nil {
		return nil, &ConfigError{l.problems}
	}
	cfg = &Config{Path: path}
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
	if rows := l.accountsFrom(cfg, main, defaults, needsSecret); rows != nil {
		files = append(files, rows)
	}
	if len(cfg.Accounts) == 0 && len(l.problems) == 0 {
		l.report(main, nil, noAccounts)
	}
	if cfg.StateDir == "" {
		if cfg.StateDir, err = defaultStateDir(); err != nil {
			l.report(main, nil, "%v", err)
		}
	}
	for _, a := range cfg.Accounts {
		if a.OAuth != nil {
			a.OAuth.file = tokenFile(cfg.StateDir, a.Name)
		}
		for _, d := range append([]Destination{a.Deliver}, a.Also...) {
			if r := d.Receiver; r != nil && r.OAuth != nil {
				r.OAuth.file = tokenFile(cfg.StateDir, a.Name+legMark+r.User+"@"+r.Server.Addr)
			}
		}
	}
	if len(l.problems) > 0 {
		l.sort(files)
		return nil, &ConfigError{l.problems}
	}
	return cfg, nil
}

// noAccounts is the Problem of a file that is right as far as it goes.
const noAccounts = "no accounts: it needs at least one [accounts.NAME], or accounts_from"

type loader struct {
	problems []Problem
	named    map[string]*Account
	replaces string // the file in whose place the one that is read is to be put, "" for none
}

func newLoader() *loader { return &loader{named: map[string]*Account{}} }

// add takes an account into the configuration.
func (l *loader) add(cfg *Config, a *Account) {
	cfg.Accounts = append(cfg.Accounts, a)
	l.named[a.Name] = a
}

// report notes a problem of f at the key, nil for the file as a whole.
func (l *loader) report(f *configFile, key toml.Key, format string, args ...any) {
	l.problems = append(l.problems, Problem{
		File: f.path, Line: f.line(key), Key: key.String(), Text: fmt.Sprintf(format, args...),
	})
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

// top reads the keys outside the tables.
func (l *loader) top(cfg *Config, f *configFile) {
	known := []string{"state_dir", "include", "defaults", "accounts", "accounts_from"}
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
	if _, table := f.value(key).(map[string]any); table && key[0] == "accounts" {
		l.report(f, key, "unknown key; an account's name with a dot in it stands in quotes: [accounts.%q]", strings.Join(key[1:], "."))
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
		if other := l.named[name]; other != nil {
			l.report(f, at, "this account is also in %s, line %d", other.file, other.line)
			continue
		}
		b := l.builder(f, at, table)
		b.inherited, b.dir = defaults, dir
		l.add(cfg, b.account(needsSecret))
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
