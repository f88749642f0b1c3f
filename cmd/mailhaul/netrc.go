package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// netrcSecret looks up the password of a host and user in $NETRC or ~/.netrc. An entry without
// `login` is for every user, `default` for every host. By hand: libraries return the first entry
// of a host whatever its login, and end a quoted password at a blank or a #.
func netrcSecret(host, user string) (string, error) {
	path := os.Getenv("NETRC")
	if path == "" {
		home, err := homeDir()
		if err != nil {
			return "", err
		}
		path = filepath.Join(home, ".netrc")
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if err := checkPrivate(path, info); err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	password, ok := searchNetrc(string(text), host, user)
	if !ok {
		return "", fmt.Errorf("%s has no password for this server and user", path)
	}
	if password == "" {
		return "", errors.New("the password is empty")
	}
	return password, nil
}

// searchNetrc takes the first entry that fits, as ftp(1) and curl(1) do.
func searchNetrc(text, host, user string) (password string, ok bool) {
	var fits, hasPassword bool
	found := func() bool { return fits && hasPassword }
	t := netrcTokens{text: text}
	for {
		word, more := t.next()
		if !more {
			return password, found()
		}
		switch word {
		case "machine", "default":
			if found() {
				return password, true
			}
			fits, hasPassword, password = true, false, ""
			if word == "machine" {
				name, _ := t.next()
				fits = strings.EqualFold(strings.TrimSuffix(name, "."), host)
			}
		case "login":
			login, _ := t.next()
			fits = fits && login == user
		case "password":
			password, _ = t.next()
			hasPassword = true
		case "account":
			t.next()
		case "macdef":
			t.skipMacro()
		}
	}
}

type netrcTokens struct{ text string }

// next gives the next word. "…" may hold blanks; a backslash in it takes the next octet as it is.
// A # begins a comment only where a word could: passwords have it in them.
func (t *netrcTokens) next() (string, bool) {
	for {
		t.text = strings.TrimLeft(t.text, " \t\r\n")
		if !strings.HasPrefix(t.text, "#") {
			break
		}
		_, t.text, _ = strings.Cut(t.text, "\n")
	}
	if t.text == "" {
		return "", false
	}
	if t.text[0] != '"' {
		end := strings.IndexAny(t.text, " \t\r\n")
		if end < 0 {
			end = len(t.text)
		}
		word := t.text[:end]
		t.text = t.text[end:]
		return word, true
	}
	var b strings.Builder
	for i := 1; i < len(t.text); i++ {
		switch c := t.text[i]; {
		case c == '"':
			t.text = t.text[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(t.text):
			i++
			b.WriteByte(t.text[i])
		default:
			b.WriteByte(c)
		}
	}
	t.text = ""
	return b.String(), true
}

// skipMacro passes a macro definition, which ends with an empty line.
func (t *netrcTokens) skipMacro() {
	if i := strings.Index(t.text, "\n\n"); i >= 0 {
		t.text = t.text[i+2:]
		return
	}
	t.text = ""
}
