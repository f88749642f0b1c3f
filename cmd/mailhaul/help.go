package main

import (
	"os"

	"github.com/urfave/cli/v2"
)

// helpCommand is `help COMMAND`, the same as `COMMAND --help`. That of the library takes a command
// that does not exist for a topic.
func (m *program) helpCommand(app *cli.App) *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "explain a command",
		ArgsUsage: "[COMMAND...]",
		Description: `The same as --help behind the command.

   mailhaul help fetch
   mailhaul help state import`,
		Action: func(c *cli.Context) error {
			commands := app.Commands
			names := c.Args().Slice()
			for i, name := range names {
				next := find(commands, name)
				switch {
				case next == nil && len(commands) == 0:
					return usagef("%s has no commands of its own", names[i-1])
				case next == nil:
					return unknownCommand(name, names[:i], commands)
				}
				commands = next.Subcommands
			}
			return m.execute(c.Context, append(append(os.Args[:1:1], names...), "--help"))
		},
	}
}
