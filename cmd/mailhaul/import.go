package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"mailhaul/cmd/mailhaul/peer"
)

func (m *program) importCommand() *cli.Command {
	c := &cli.Command{
		Name:      "import",
		Usage:     "take over another program's configuration",
		ArgsUsage: "fetchmail|mpop|getmail|fdm|thunderbird [FILE...]",
		Description: `Prints the configuration of fetchmail, mpop, getmail or fdm as mailhaul's, and changes nothing:
no command in it is run, and no password is printed. What cannot be carried over stands above
each account, with its line and the reason. Without FILE it is the program's usual one; - is
standard input.

   mailhaul import fetchmail > new.toml       then look into it
   mailhaul --config new.toml check --config-only
   mailhaul import getmail ~/.getmail/*rc

With --state the unique-ids that the program has seen are taken over into the accounts of the
configuration, so that nothing is fetched again. FILE is then where it keeps them.

   mailhaul import fetchmail --state -n       what would be taken over, and then fetched
   mailhaul import mpop --state ~/.mpop_uidls/*
   mailhaul import fdm --state ~/.isp.cache --account isp`,
		Flags: stateFlags(),
	}
	for _, p := range peer.Programs {
		c.Subcommands = append(c.Subcommands, &cli.Command{
			Name:      string(p),
			Usage:     "the configuration of " + string(p),
			ArgsUsage: "[FILE...]",
			Description: fmt.Sprintf(`Prints mailhaul's configuration for that of %s, with comments.

   mailhaul import %s               its usual file
   mailhaul import %s FILE > new.toml
   mailhaul import %s --state       what it has seen; mailhaul import --help tells more`, p, p, p, p),
			Action: func(c *cli.Context) error {
				if c.Bool("state") {
					return m.importState(c, p)
				}
				if err := needsState(c); err != nil {
					return err
				}
				return m.importConfiguration(c, p)
			},
		})
	}
	c.Subcommands = append(c.Subcommands, &cli.Command{
		Name:      string(peer.Thunderbird),
		Usage:     "what Thunderbird has seen; its configuration is not understood",
		ArgsUsage: "FILE...",
		Description: `Takes over the unique-ids of Thunderbird's popstate.dat.

   mailhaul import thunderbird --state ~/.thunderbird/PROFILE/Mail/HOST/popstate.dat`,
		Action: func(c *cli.Context) error {
			if !c.Bool("state") {
				return usagef("the configuration of Thunderbird is not understood; for what it has seen: mailhaul import thunderbird --state FILE")
			}
			return m.importState(c, peer.Thunderbird)
		},
	})
	return c
}

// importConfiguration prints the TOML. Nothing is written elsewhere.
func (m *program) importConfiguration(c *cli.Context, p peer.Program) error {
	imp, err := m.readPeer(c.Context, p, c.Args().Slice())
	if err != nil {
		return err
	}
	if err := imp.Print(m.report.out); err != nil {
		return err
	}
	findings := len(imp.Findings)
	for _, a := range imp.Accounts {
		findings += len(a.Findings)
	}
	if m.report.verbose >= 0 {
		text := fmt.Sprintf("%s, %s: see the comments", counted(len(imp.Accounts), "account"), counted(findings, "remark"))
		if findings == 0 {
			text = counted(len(imp.Accounts), "account")
		}
		m.report.complain(prioInfo, text)
	}
	return nil
}

// readPeer reads the configuration of another program: of the files, or of the usual ones where
// none is named.
func (m *program) readPeer(ctx context.Context, p peer.Program, files []string) (*peer.Import, error) {
	if len(files) == 0 {
		if files = usualFiles(p); len(files) == 0 {
			return nil, usagef("there is no configuration of %s where it usually is; name its file", p)
		}
	}
	var sources []peer.Source
	for _, name := range files {
		in, err := openInput(ctx, name)
		if err != nil {
			return nil, peerFileError(name, err)
		}
		defer in.Close()
		text, err := io.ReadAll(io.LimitReader(in, maxPeerFile+1))
		if errors.Is(err, errStopped) {
			return nil, err
		}
		if err != nil {
			return nil, peerFileError(name, err)
		}
		if len(text) > maxPeerFile {
			return nil, peerFileError(name, fmt.Errorf("is larger than %d MB, no configuration is", maxPeerFile>>20))
		}
		sources = append(sources, peer.Source{Name: shownFile(name), Text: text})
	}
	imp, err := peer.Read(p, sources, m.site())
	var syntax *peer.SyntaxError
	if errors.As(err, &syntax) {
		err = &ConfigError{[]Problem{{File: syntax.File, Line: syntax.Line, Text: syntax.Text}}}
	}
	return imp, err
}

// maxPeerFile bounds what is read: no configuration is as large as a file that was named by
// mistake may be.
const maxPeerFile = 16 << 20

// peerFileError says what is wrong with a file that cannot be read. It is a matter of the
// configuration, if not of mailhaul's.
func peerFileError(name string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return &ConfigError{[]Problem{{File: name, Text: err.Error()}}}
}

// site is what another program's configuration takes from here.
func (m *program) site() peer.Site {
	s := peer.Site{Getenv: os.Getenv, Dir: "~/.config/mailhaul"}
	s.Home, _ = homeDir()
	s.Cwd, _ = os.Getwd()
	if s.User = os.Getenv("USER"); s.User == "" {
		if u, err := user.Current(); err == nil {
			s.User = u.Username
		}
	}
	file := m.configPath
	if file == "" {
		file = os.Getenv("MAILHAUL_CONFIG")
	}
	if file == "" {
		if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
			file = filepath.Join(dir, "mailhaul", "config.toml")
		}
	}
	if abs, err := filepath.Abs(file); file != "" && err == nil {
		s.Dir = filepath.Dir(abs)
	}
	if rest, ok := strings.CutPrefix(s.Dir, s.Home+"/"); ok && s.Home != "" {
		s.Dir = "~/" + rest
	}
	return s
}

// usualFiles are those that exist of where a program looks for its configuration.
func usualFiles(p peer.Program) []string {
	home, err := homeDir()
	if err != nil {
		return nil
	}
	first := func(files ...string) []string {
		for _, f := range files {
			if info, err := os.Stat(f); err == nil && !info.IsDir() {
				return []string{f}
			}
		}
		return nil
	}
	config := xdgDir("XDG_CONFIG_HOME", ".config")
	switch p {
	case peer.Fetchmail:
		for _, name := range []string{"FETCHMAILHOME", "HOME_ETC"} {
			if dir := os.Getenv(name); dir != "" {
				return first(filepath.Join(dir, map[bool]string{true: "fetchmailrc", false: ".fetchmailrc"}[name == "FETCHMAILHOME"]))
			}
		}
		return first(filepath.Join(home, ".fetchmailrc"))
	case peer.Mpop:
		return first(filepath.Join(home, ".mpoprc"), filepath.Join(config, "mpop", "config"), "/etc/mpoprc")
	case peer.Fdm:
		return first(filepath.Join(home, ".fdm.conf"), "/etc/fdm.conf")
	}
	for _, dir := range []string{filepath.Join(config, "getmail"), filepath.Join(home, ".getmail")} {
		if files := getmailFiles(dir); len(files) > 0 {
			return files
		}
	}
	return nil
}

// getmailFiles are the configurations in getmail's directory, one file an account. Its state and
// its log are there, too.
func getmailFiles(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var files []string
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || strings.HasSuffix(name, "~") {
			continue
		}
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxPeerFile {
			continue
		}
		if text, err := os.ReadFile(name); err == nil && bytes.Contains(text, []byte("[retriever]")) {
			files = append(files, name)
		}
	}
	return files
}
