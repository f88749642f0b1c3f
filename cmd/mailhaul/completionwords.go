package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// A candidate is what a word can be completed to.
type candidate struct{ text, does string }

// filesHere says that any file can stand there.
var filesHere = []candidate{{":files", ""}}

// candidates gives what the last of words can be. It reads the line as arrange does, only that
// nothing in it is an error.
func candidates(app *cli.App, words []string) []candidate {
	l := lineSoFar{app: app, commands: app.Commands, chain: []*cli.Command{nil}}
	current := words[len(words)-1]
	for _, w := range words[:len(words)-1] {
		l.read(w)
	}
	name, value, given := strings.Cut(current, "=")
	switch {
	case l.value != nil:
		return beginning(current, l.values(l.value))
	case l.noOptions || !strings.HasPrefix(current, "-"):
		return beginning(current, l.arguments())
	case given:
		_, flag := declared(strings.TrimLeft(name, "-"), l.chain, app)
		if flag == nil || isBool(flag) {
			return nil
		}
		var found []candidate
		for _, v := range beginning(value, l.values(flag)) {
			if v.text != ":files" {
				v.text = name + "=" + v.text
			}
			found = append(found, v)
		}
		return found
	}
	return beginning(current, l.options())
}

func beginning(with string, all []candidate) []candidate {
	return slices.DeleteFunc(all, func(c candidate) bool { return c.text != ":files" && !strings.HasPrefix(c.text, with) })
}

// A lineSoFar is what the words before the one to complete say.
type lineSoFar struct {
	app       *cli.App
	commands  []*cli.Command // that can follow
	chain     []*cli.Command // the commands so far; nil, the program, is the first
	args      []string
	value     cli.Flag // the option whose value comes next
	config    string
	noOptions bool // behind "--"
}

func (l *lineSoFar) read(w string) {
	switch {
	case l.value != nil:
		l.set(l.value, w)
		l.value = nil
	case w == "--" && !l.noOptions:
		l.noOptions = true
	case !l.noOptions && strings.HasPrefix(w, "-") && w != "-":
		for _, opt := range cluster(w, l.chain, l.app) {
			name, value, given := strings.Cut(opt, "=")
			_, flag := declared(strings.TrimLeft(name, "-"), l.chain, l.app)
			switch {
			case flag == nil || isBool(flag):
			case given:
				l.set(flag, value)
			default:
				l.value = flag
			}
		}
	default:
		next := find(l.commands, w)
		if next == nil || len(l.args) > 0 || l.noOptions {
			l.args = append(l.args, w)
			return
		}
		l.chain, l.commands = append(l.chain, next), next.Subcommands
	}
}

func (l *lineSoFar) set(flag cli.Flag, value string) {
	if slices.Contains(flag.Names(), "config") {
		l.config = value
	}
}

// options are those that can stand here, of the command and of the program.
func (l *lineSoFar) options() []candidate {
	var found []candidate
	for i := len(l.chain) - 1; i >= 0; i-- {
		flags := l.app.Flags
		if l.chain[i] != nil {
			flags = l.chain[i].Flags
		}
		for _, f := range append(slices.Clone(flags), cli.HelpFlag) {
			does := ""
			if d, ok := f.(cli.DocGenerationFlag); ok {
				does = strings.ReplaceAll(d.GetUsage(), "`", "")
			}
			c := candidate{"--" + f.Names()[0], does}
			if !slices.ContainsFunc(found, func(had candidate) bool { return had.text == c.text }) {
				found = append(found, c)
			}
		}
	}
	return found
}

// values are those that an option can have, as its usage says: one of several words, a file, or an account.
func (l *lineSoFar) values(flag cli.Flag) []candidate {
	d, ok := flag.(cli.DocGenerationFlag)
	if !ok {
		return nil
	}
	usage := d.GetUsage()
	_, list, enumerated := strings.Cut(usage, "` is ")
	switch {
	case enumerated:
		var found []candidate
		for _, v := range strings.FieldsFunc(strings.ReplaceAll(list, " or ", ","), func(r rune) bool { return r == ',' || r == ' ' }) {
			found = append(found, candidate{v, ""})
		}
		return found
	case strings.Contains(usage, "`FILE`"):
		return filesHere
	case strings.Contains(usage, "`ACCOUNT`"):
		return l.accounts()
	}
	return nil
}

// arguments are the commands that can follow, or what the command takes, as its usage says.
func (l *lineSoFar) arguments() []candidate {
	command := l.chain[len(l.chain)-1]
	if len(l.commands) > 0 || command == nil {
		if len(l.args) > 0 {
			return nil
		}
		return commandNames(l.commands)
	}
	if command.Name == "help" {
		commands := l.app.Commands
		for _, name := range l.args {
			c := find(commands, name)
			if c == nil {
				return nil
			}
			commands = c.Subcommands
		}
		return commandNames(commands)
	}
	kinds := strings.Fields(command.ArgsUsage)
	if len(kinds) == 0 {
		return nil
	}
	last := kinds[len(kinds)-1]
	at := len(l.args)
	if at >= len(kinds) {
		if !strings.Contains(last, "...") {
			return nil
		}
		at = len(kinds) - 1
	}
	switch kind := strings.Trim(kinds[at], "[]."); {
	case kind == "ACCOUNT":
		return l.accounts()
	case kind == "FILE":
		return filesHere
	case strings.Contains(kind, "|"):
		var found []candidate
		for _, word := range strings.Split(kind, "|") {
			found = append(found, candidate{word, ""})
		}
		return found
	}
	return nil
}

func commandNames(commands []*cli.Command) []candidate {
	var found []candidate
	for _, c := range commands {
		if !c.Hidden {
			found = append(found, candidate{c.Name, c.Usage})
		}
	}
	return found
}

// accounts are those of the configuration that the line does not name yet. Loading it runs
// nothing: what it names for a secret is asked when there is to be a login.
func (l *lineSoFar) accounts() []candidate {
	path := l.config
	if rest, ok := strings.CutPrefix(path, "~/"); ok { // the shell has not come to that yet
		if home, err := os.UserHomeDir(); err == nil {
			path = filepath.Join(home, rest)
		}
	}
	cfg, err := loadConfig(path, nil)
	if err != nil {
		return nil
	}
	var found []candidate
	for _, a := range cfg.Accounts {
		if !slices.Contains(l.args, a.Name) {
			found = append(found, candidate{a.Name, visible(a.User) + " at " + visible(a.Server.Host)})
		}
	}
	return found
}
