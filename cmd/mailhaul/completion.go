package main

import (
	_ "embed" // the scripts
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// The scripts of the shells are our own: the one that comes with the library evaluates the line,
// so that completing after `$(rm FILE)` removes it.
var (
	//go:embed completion.bash
	bashScript string
	//go:embed completion.zsh
	zshScript string
	//go:embed completion.fish
	fishScript string
)

func completionScripts() map[string]string {
	return map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}
}

func (m *program) completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the script that completes commands, options and accounts in a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: `Account names come from the configuration; nothing that it names is run for them, and nothing in
the line that is completed.

   source <(mailhaul completion bash)                  in ~/.bashrc
   source <(mailhaul completion zsh)                   in ~/.zshrc, behind compinit
   mailhaul completion fish > ~/.config/fish/completions/mailhaul.fish`,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("usage: mailhaul completion bash|zsh|fish")
			}
			script, err := completionScript(c.Args().First())
			if err != nil {
				return err
			}
			_, err = io.WriteString(os.Stdout, script)
			return err
		},
	}
}

func completionScript(shell string) (string, error) {
	scripts := completionScripts()
	script, ok := scripts[shell]
	if !ok {
		known := slices.Sorted(maps.Keys(scripts))
		if near := nearestOf(shell, known); near != "" {
			return "", usagef("there is no completion for %q; did you mean %q?", shell, near)
		}
		return "", usagef("there is no completion for %q, only for %s", shell, strings.Join(known, ", "))
	}
	return script, nil
}

// completeWordsCommand is what the scripts call, with the shell, "--" and the words of the line up
// to the one that is to be completed, which is the last. It is silent about everything that goes
// wrong: it runs in the middle of somebody's line.
func (m *program) completeWordsCommand(app *cli.App) *cli.Command {
	return &cli.Command{
		Name:   "complete-words",
		Hidden: true,
		Action: func(c *cli.Context) error {
			args := c.Args().Slice()
			if len(args) < 2 {
				return nil
			}
			out := stdout()
			for _, line := range completions(app, args[0], args[1:]) {
				fmt.Fprintln(out, line)
			}
			return out.Flush()
		},
	}
}

// completions are the lines for a shell's script: what the last word can be, as the shell wants it,
// or ":files".
func completions(app *cli.App, shell string, words []string) []string {
	cut := 0
	switch shell {
	case "bash":
		words, cut = joinWords(words)
	case "zsh":
		words = slices.Clone(words)
		for i, w := range words {
			words[i] = unquote(w)
		}
	case "fish": // has done it for the others
		last := len(words) - 1
		words = append(words[:last:last], unquote(words[last]))
	}
	var lines []string
	for _, w := range candidates(app, words) {
		does := strings.TrimSpace(w.does)
		switch {
		case w.text == ":files":
			lines = append(lines, w.text)
		case strings.ContainsFunc(w.text, func(r rune) bool { return !printable(r) }):
			// nothing that a line of a shell can hold
		case shell == "bash":
			lines = append(lines, shellWord(w.text[min(cut, len(w.text)):]))
		case shell == "zsh":
			line := strings.NewReplacer(`\`, `\\`, `:`, `\:`).Replace(w.text)
			if does != "" {
				line += ":" + does
			}
			lines = append(lines, line)
		default:
			lines = append(lines, strings.TrimSpace(w.text+"\t"+does))
		}
	}
	return lines
}

// joinWords puts together what bash takes apart at "=" and ":" (COMP_WORDBREAKS), and takes quotes
// off. bash replaces the last part alone: cut is how much of the last word stands before that.
func joinWords(parts []string) (words []string, cut int) {
	glue := false
	for i, p := range parts {
		breaks := p != "" && strings.Trim(p, "=:") == ""
		if (glue || breaks) && len(words) > 0 {
			last := &words[len(words)-1]
			if i == len(parts)-1 && !breaks {
				cut = len(*last)
			}
			*last += unquote(p)
			if breaks {
				cut = len(*last)
			}
		} else {
			words, cut = append(words, unquote(p)), 0
		}
		glue = breaks
	}
	return words, cut
}

// unquote takes the quotes of a shell off a word that may lack its end. It expands nothing.
func unquote(s string) string {
	var b strings.Builder
	quote := rune(0)
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
