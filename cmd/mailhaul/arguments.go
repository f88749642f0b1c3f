package main

import "github.com/urfave/cli/v2"

// arguments checks the number of arguments and loads the configuration. most is 0 for any number.
func (m *program) arguments(c *cli.Context, least, most int) (*Config, []string, error) {
	args := c.Args().Slice()
	if len(args) < least || most > 0 && len(args) > most {
		return nil, nil, usagef("usage: %s %s", c.Command.HelpName, c.Command.ArgsUsage)
	}
	cfg, err := loadConfig(m.configPath, nil)
	return cfg, args, err
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
	return nil, unknownAccount(cfg, name)
}
