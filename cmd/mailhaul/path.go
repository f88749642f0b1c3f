package main

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// expandPath replaces a leading ~ and every $VAR or ${VAR}; $$ is a dollar sign. A path that is
// still relative is taken from dir, the directory of the configuration file: a run from cron and
// one from a shell mean the same place.
func expandPath(p, dir string) (string, error) {
	if strings.Contains(p, "\x00") {
		return "", errors.New("has a NUL in it")
	}
	if p == "~" || strings.HasPrefix(p, "~/") {
		home, err := homeDir()
		if err != nil {
			return "", err
		}
		// The home directory is put in after $ is expanded: a dollar sign in it is itself.
		rest, err := expandVars(p[1:])
		return filepath.Clean(home + rest), err
	}
	if strings.HasPrefix(p, "~") {
		return "", errors.New("~USER is not expanded; write the whole path")
	}
	p, err := expandVars(p)
	switch {
	case err != nil:
		return "", err
	case p == "":
		return "", errors.New("is empty")
	case !filepath.IsAbs(p):
		p = filepath.Join(dir, p)
	}
	return filepath.Clean(p), nil
}

// expandVars refuses a variable that is not set, and one whose name does not end, which os.Expand drops:
// "$MAIL/new" must not become "/new", nor "${MAIL/new" "MAIL/new".
func expandVars(p string) (string, error) {
	for _, after, ok := strings.Cut(p, "$"); ok; _, after, ok = strings.Cut(after, "$") {
		if rest, braced := strings.CutPrefix(after, "{"); braced && strings.IndexByte(rest, '}') < 1 {
			return "", errors.New("${ wants a variable's name and }")
		}
		after = strings.TrimPrefix(after, "$") // $$
	}
	missing := ""
	p = os.Expand(p, func(name string) string {
		if name == "$" {
			return "$"
		}
		v := os.Getenv(name)
		if v == "" && missing == "" {
			missing = name
		}
		return v
	})
	if missing != "" {
		return "", errors.New("$" + missing + " is not set")
	}
	return p, nil
}

func asPath(v any, dir string) (string, error) {
	s, err := asText(v)
	if err != nil {
		return "", err
	}
	return expandPath(s, dir)
}

// homeDir is $HOME, else that of the user's entry in the password file (cron may set none).
func homeDir() (string, error) {
	if h := os.Getenv("HOME"); filepath.IsAbs(h) {
		return h, nil
	}
	if u, err := user.Current(); err == nil && filepath.IsAbs(u.HomeDir) {
		return u.HomeDir, nil
	}
	return "", errors.New("no home directory: $HOME is not set")
}

// findConfig gives the configuration's path: --config, $MAILHAUL_CONFIG,
// $XDG_CONFIG_HOME/mailhaul/config.toml (~/.config where that is not set), /etc/mailhaul/config.toml.
func findConfig(flag string) (string, error) {
	if flag == "" {
		flag = os.Getenv("MAILHAUL_CONFIG")
	}
	if flag != "" {
		return filepath.Abs(flag)
	}
	var looked []string
	if dir := xdgDir("XDG_CONFIG_HOME", ".config"); dir != "" {
		looked = append(looked, filepath.Join(dir, "mailhaul", "config.toml"))
	}
	looked = append(looked, "/etc/mailhaul/config.toml")
	for _, p := range looked {
		if _, err := os.Stat(p); err == nil || !errors.Is(err, os.ErrNotExist) {
			return p, nil
		}
	}
	text := "no configuration: it is not here, and there is no home directory that could have one"
	if len(looked) > 1 {
		text = "no configuration: it is neither here nor at " + looked[1] + `; "mailhaul init --write ADDRESS" makes one`
	}
	return "", &ConfigError{[]Problem{{File: looked[0], Text: text}}}
}

// defaultStateDir is systemd's $STATE_DIRECTORY (the first, if there are several), else
// $XDG_STATE_HOME/mailhaul, else ~/.local/state/mailhaul.
func defaultStateDir() (string, error) {
	if first, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); filepath.IsAbs(first) {
		return first, nil
	}
	if dir := xdgDir("XDG_STATE_HOME", ".local/state"); dir != "" {
		return filepath.Join(dir, "mailhaul"), nil
	}
	return "", errors.New("state_dir is missing, and $HOME is not set")
}

// xdgDir follows the XDG Base Directory Specification: a relative value is ignored.
func xdgDir(variable, underHome string) string {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return dir
	}
	home, err := homeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, underHome)
}
