package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// arguments checks the number of arguments and loads the configuration. most is 0 for any number.
func (m *program) arguments(c *cli.Context, least, most int) (*Config, []string, error) {
	args := c.Args().Slice()
	if len(args) < least || most > 0 && len(args) > most {
		return nil, nil, m.misused(c)
	}
	cfg, err := loadConfig(m.configPath, nil)
	return cfg, args, err
}

// misused is the usage of a command whose arguments are too few or too many, with what is missing
// where that can be told.
func (m *program) misused(c *cli.Context) error {
	e := &usageError{text: fmt.Sprintf("usage: %s %s", c.Command.HelpName, c.Command.ArgsUsage)}
	words := strings.Fields(c.Command.ArgsUsage)
	line := strings.TrimPrefix(c.Command.HelpName, "mailhaul ")
	switch n := c.Args().Len(); {
	case n == 0:
		e.hint = m.accountsHint(line, words[1:])
	case n == 1 && len(words) > 1 && strings.HasPrefix(words[1], "ID"):
		look := "list "
		if strings.HasPrefix(line, "state ") {
			look = "state show "
		}
		e.hint = "a message must be named, by its unique-id; to see what there is: " + m.report.cures.command(look+shellWord(c.Args().First()))
	}
	return e
}

// manyAccounts is how many accounts an error names at most.
const manyAccounts = 10

// accountsHint says which accounts there are for a command that wants the name of one, with an example;
// "" if the configuration does not tell: it was not asked about.
func (m *program) accountsHint(line string, rest []string) string {
	cfg, err := loadConfig(m.configPath, nil)
	if err != nil {
		return ""
	}
	names := accountNames(cfg)
	example := m.report.cures.command(strings.Join(append([]string{line, shellWord(names[0])}, rest...), " "))
	switch n := len(names); {
	case n == 1:
		return fmt.Sprintf("the only account of %s is %q: %s", cfg.Path, names[0], example)
	case n <= manyAccounts:
		return fmt.Sprintf("an account must be named; %s has %s: %s", cfg.Path, strings.Join(names, ", "), example)
	default:
		return fmt.Sprintf("an account must be named; %s has %d, %q for one: %s", cfg.Path, n, names[0], example)
	}
}

// accountArgument is arguments, of which the first is a configured account.
func (m *program) accountArgument(c *cli.Context, least, most int) (*Config, *Account, []string, error) {
	cfg, args, err := m.arguments(c, least, most)
	if err != nil {
		return nil, nil, nil, err
	}
	a, err := configured(cfg, args[0])
	return cfg, a, args[1:], err
}

// configured gives the account of that name.
func configured(cfg *Config, name string) (*Account, error) {
	if a := cfg.Account(name); a != nil {
		return a, nil
	}
	return nil, unknownAccount(cfg, "has no account", name)
}
