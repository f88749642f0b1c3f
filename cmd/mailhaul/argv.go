package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// A usageError is a command line that cannot be meant. Exit status 64.
type usageError struct {
	text string
	hint string // how it can be meant, "" if that is not known
}

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{text: fmt.Sprintf(format, args...)} }

// flagFailure is how package flag tells of a value that is none: which option it is comes last there,
// and why is for programmers.
var flagFailure = regexp.MustCompile(`(?s)^invalid (boolean )?value ("(?:.*)") for (?:flag )?-([a-z-]+): `)

// flagError says what was wrong with an option, and what is wanted.
func flagError(_ *cli.Context, err error, _ bool) error {
	m := flagFailure.FindStringSubmatch(err.Error())
	switch {
	case m == nil:
		return usagef("%v", err)
	case m[1] != "":
		return usagef("option --%s: want no value, not %s", m[3], m[2])
	}
	return usagef("option --%s: want a whole number, not %s", m[3], m[2])
}

// arrange puts the options of a command line in front of the arguments, where the library looks
// for them: it takes `fetch work --json` for two accounts. Options of the program itself may
// stand behind the command, too. What is no option of the command is a usage error here, before
// anything has been done. argv is without the program's name, as the result.
func arrange(app *cli.App, argv []string) ([]string, error) {
	var path, args []string
	var command *cli.Command
	own := map[*cli.Command][]string{} // options of each command; nil is the program
	commands := app.Commands
	chain := []*cli.Command{nil}

	for len(argv) > 0 {
		arg := argv[0]
		argv = argv[1:]
		switch {
		case arg == "--":
			args = append(args, argv...)
			argv = nil
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			next := find(commands, arg)
			if len(args) == 0 && next != nil {
				path = append(path, arg)
				command, commands = next, next.Subcommands
				chain = append(chain, command)
				continue
			}
			args = append(args, arg)
		default:
			for _, opt := range cluster(arg, chain, app) {
				name, _, hasValue := strings.Cut(opt, "=")
				at, flag := declared(strings.TrimLeft(name, "-"), chain, app)
				if flag == nil {
					return nil, unknownOption(name, chain, app)
				}
				own[at] = append(own[at], opt)
				if !isBool(flag) && !hasValue {
					if len(argv) == 0 {
						return nil, usagef("option %s needs a value", name)
					}
					own[at] = append(own[at], argv[0])
					argv = argv[1:]
				}
			}
		}
	}
	out := slices.Clone(own[nil])
	for i, name := range path {
		out = append(append(out, name), own[chain[i+1]]...)
	}
	if len(args) > 0 && find(commands, args[0]) != nil {
		return nil, usagef("what follows -- is an argument: the command %q stands before it", args[0])
	}
	if len(args) > 0 && len(commands) > 0 {
		return nil, unknownCommand(args[0], path, commands)
	}
	if len(args) > 0 && !wantsHelp(out) { // the library would look for a topic of that name
		out = append(append(out, "--"), args...)
	}
	return out, nil
}

func wantsHelp(opts []string) bool {
	return slices.ContainsFunc(cli.HelpFlag.Names(), func(name string) bool {
		return slices.Contains(opts, "-"+name) || slices.Contains(opts, "--"+name)
	})
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// cluster takes "-vvq" apart, and "-qcFILE" (POSIX, Utility Syntax Guidelines 5 and 6). One dash may stand
// before a long name, too.
func cluster(arg string, chain []*cli.Command, app *cli.App) []string {
	letters := strings.TrimPrefix(arg, "-")
	name, _, _ := strings.Cut(letters, "=")
	if _, flag := declared(name, chain, app); flag != nil || strings.HasPrefix(letters, "-") {
		return []string{arg}
	}
	var opts []string
	for rest := letters; rest != ""; {
		_, n := utf8.DecodeRuneInString(rest)
		letter := rest[:n]
		rest = rest[n:]
		_, flag := declared(letter, chain, app)
		switch {
		case flag == nil:
			return []string{arg}
		case isBool(flag) || rest == "":
			opts = append(opts, "-"+letter)
		default:
			return append(opts, "-"+letter+"="+rest)
		}
	}
	return opts
}

// declared finds an option in the innermost command that has it, and says which that is.
func declared(name string, chain []*cli.Command, app *cli.App) (*cli.Command, cli.Flag) {
	for i := len(chain) - 1; i >= 0; i-- {
		flags := app.Flags
		if chain[i] != nil {
			flags = chain[i].Flags
		}
		for _, f := range append(slices.Clone(flags), cli.HelpFlag) {
			if slices.Contains(f.Names(), name) {
				return chain[i], f
			}
		}
		if chain[i] == nil && slices.Contains(cli.VersionFlag.Names(), name) {
			return nil, cli.VersionFlag
		}
	}
	return nil, nil
}

func isBool(f cli.Flag) bool {
	_, ok := f.(*cli.BoolFlag)
	return ok
}

func unknownOption(name string, chain []*cli.Command, app *cli.App) error {
	var known []string
	for _, c := range chain {
		flags := app.Flags
		if c != nil {
			flags = c.Flags
		}
		for _, f := range flags {
			for _, n := range f.Names() {
				if len(n) > 1 {
					known = append(known, n)
				}
			}
		}
	}
	what := "mailhaul"
	if last := chain[len(chain)-1]; last != nil {
		what = last.Name
	}
	if near := nearestOf(strings.TrimLeft(name, "-"), known); near != "" {
		return usagef("%s has no option %q; did you mean --%s?", what, name, near)
	}
	return usagef("%s has no option %q", what, name)
}

func unknownCommand(name string, path []string, commands []*cli.Command) error {
	var known []string
	for _, c := range commands {
		if !c.Hidden {
			known = append(known, c.Name)
		}
	}
	prefix := strings.Join(append([]string{"mailhaul"}, path...), " ")
	if near := nearestOf(name, known); near != "" {
		return usagef("%s has no command %q; did you mean %q?", prefix, name, near)
	}
	return usagef("%s has no command %q (there are %s)", prefix, name, strings.Join(known, ", "))
}
