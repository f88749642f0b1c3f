package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// text is the account for the configuration.
func (s *setup) text(a *Account) string {
	tried := s.tried
	if tried == "" {
		tried = "the login was not tried"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# mailhaul init, %s: %s.\n", time.Now().Format(time.DateOnly), tried)
	fmt.Fprintf(&b, "[accounts.%s]\n", tomlKey(s.name))
	line := func(key, value string) { fmt.Fprintf(&b, "%-7s = %s\n", key, value) }
	line("server", tomlText(shortServer(a)))
	if a.TLS != "implicit" {
		line("tls", tomlText(a.TLS))
	}
	line("user", tomlText(a.User))
	if s.passwordFile != "" {
		line("password_file", tomlText(dollars(s.passwordFile)))
	} else {
		b.WriteString("# One of these; without any, fetch asks on a terminal:\n" +
			"#password_command = [\"pass\", \"show\", " + tomlText("mail/"+s.name) + "]\n" +
			"#password_file = " + tomlText("~/.config/mailhaul/"+fileName(s.name)+".password") + "\n" +
			"#keyring = true\n")
	}
	b.WriteString("# The mail stays on the server. When you have seen it arrive, take keep out: it is then deleted there.\n")
	line("keep", "true")
	line("deliver", "{ maildir = "+tomlText(s.maildir)+" }")
	return b.String()
}

// shortServer leaves out the port where it is the usual one.
func shortServer(a *Account) string {
	usual := Server{Network: a.Server.Network, Host: a.Server.Host}
	if usual.setPort(a.TLS); usual.Addr == a.Server.Addr {
		return a.Server.Host
	}
	if a.Server.Network == "unix" {
		return a.Server.Host
	}
	return a.Server.Addr
}

// dollars makes a path one that expandPath gives back.
func dollars(path string) string { return strings.ReplaceAll(path, "$", "$$") }

// fileName makes an account's name fit to stand in a path of the configuration.
func fileName(name string) string { return dollars(strings.ReplaceAll(name, "/", "_")) }

// tomlKey is a bare key where that is allowed (TOML v1.0.0, section Keys), else a quoted one.
func tomlKey(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == "" {
		return s
	}
	return tomlText(s)
}

// tomlText is a basic string of TOML (v1.0.0, section String): what is no printable character is
// escaped, and what is no UTF-8 cannot be in a configuration.
func tomlText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case printable(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// writable finds the configuration that is to be written, before anybody is asked anything: the one
// that would be read, else the user's own. An account of that name must not be there yet.
func (s *setup) writable(flag string) (string, error) {
	path, err := findConfig(flag)
	var none *ConfigError
	if errors.As(err, &none) {
		dir := xdgDir("XDG_CONFIG_HOME", ".config")
		if dir == "" {
			return "", err
		}
		path, err = filepath.Join(dir, "mailhaul", "config.toml"), nil
	}
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	cfg, err := loadConfig(path, nil)
	if errors.As(err, &none) && len(none.Problems) == 1 && none.Problems[0].Text == noAccounts {
		return path, nil // which this one will be the first of
	}
	if err != nil {
		return "", err
	}
	if cfg.Account(s.name) != nil {
		return "", usagef("%s has an account %q already; choose another --name", path, s.name)
	}
	return path, nil
}

// append puts the account behind what the configuration has, whole or not at all. The new file is
// read as a configuration before it takes the place of the old one, and is for its owner alone if it
// is new.
func (s *setup) append(path, text string) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	old, err := os.ReadFile(path)
	mode := fs.FileMode(0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		mode = info.Mode().Perm()
		if len(old) > 0 {
			text = strings.TrimRight(string(old), "\n") + "\n\n" + text
		}
	}
	f, err := replace(path, "")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		l := newLoader()
		l.replaces = path // which its own patterns may match
		_, err = l.load(f.Name(), nil)
	}
	if err != nil {
		f.discard()
		return err
	}
	return f.save(mode)
}
