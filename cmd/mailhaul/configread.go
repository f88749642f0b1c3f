package main

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

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

// line gives the line of a key, or of the nearest table around it.
func (f *configFile) line(key toml.Key) int {
	for n := len(key); n > 0; n-- {
		if line, ok := f.lines[joinKey(key[:n])]; ok {
			return line
		}
	}
	return 0
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

// value gives what stands under a key, nil if it is in an array of tables.
func (f *configFile) value(key toml.Key) any {
	var v any = f.table
	for _, name := range key {
		table, _ := v.(map[string]any)
		v = table[name]
	}
	return v
}

// password returns the first key of the file that holds a secret itself, or nil.
func (f *configFile) password() toml.Key {
	for _, key := range f.keys {
		for _, k := range accountKeys {
			if k.plain != nil && len(key) > 1 && strings.EqualFold(key[len(key)-1], k.name) && k.plain(f.value(key)) {
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
	case strings.HasPrefix(msg, "strings cannot contain newlines"):
		return "strings cannot contain newlines (is the closing quote missing?)"
	case strings.Contains(msg, "out of range"):
		return "number out of range"
	case strings.HasPrefix(msg, "expected value"):
		return `expected a value (a string stands in "quotes")`
	}
	if end := "expected '.' or ']' to end table name"; strings.HasPrefix(msg, end) {
		return end + ` (a name with @, a dot or a blank in it stands in "quotes")`
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
	if strings.HasPrefix(msg, "TOML") {
		return msg
	}
	return strings.ToLower(msg[:1]) + msg[1:]
}
