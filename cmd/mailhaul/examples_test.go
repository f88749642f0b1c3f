package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// pageText reads a page of the documentation, and turns what mdoc writes otherwise into what is shown.
func pageText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(name, "man/") {
		return strings.NewReplacer(`\(dq`, `"`, `\e`, `\`, `\&`, ``).Replace(string(text))
	}
	return string(text)
}

// Each configuration that the documentation shows as a whole is one that is taken.
func TestExamplesOfConfigurationsAreTaken(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^```toml\n(.*?)^```|^\\.Bd -literal -offset indent\n(.*?)^\\.Ed")
	for name, least := range map[string]int{"README.md": 4, "man/mailhaul.toml.5": 7} {
		found := 0
		for _, m := range blocks.FindAllStringSubmatch(pageText(t, name), -1) {
			text := strings.ReplaceAll(m[1]+m[2], `"vmail"`, `"0"`) // a user of the reader's machine
			if !strings.Contains(text, "[accounts") {
				continue
			}
			found++
			dir := t.TempDir()
			write(t, dir, "accounts.csv", "user,password\nann@example.org,secret\n", 0o600)
			if _, err := loadConfig(write(t, dir, "config.toml", text, 0o600), func(string) bool { return true }); err != nil {
				t.Errorf("%s: %v\n%s", name, err, text)
			}
		}
		if found < least {
			t.Errorf("%s: only %d configurations were found", name, found)
		}
	}
}

// exampleLine is a command of mailhaul up to what the shell does with it.
var exampleLine = regexp.MustCompile(`\bmailhaul (-|[a-z]+ ?)[^|>;&#)` + "`" + `]*`)

// Each command that the documentation shows has a command, options and arguments that are understood.
func TestExamplesOfCommandsAreUnderstood(t *testing.T) {
	var lines []string
	for _, line := range strings.Split(pageText(t, "README.md"), "\n") {
		if strings.HasPrefix(line, "    ") || strings.Contains(line, "`mailhaul ") {
			lines = append(lines, exampleLine.FindAllString(line, -1)...)
		}
	}
	readme := len(lines)
	for _, m := range regexp.MustCompile(`(?m)^(?:\.Dl |mailhaul ).*$`).FindAllString(pageText(t, "man/mailhaul.1"), -1) {
		lines = append(lines, exampleLine.FindAllString(m, -1)...)
	}
	manual := len(lines) - readme
	var walk func(cs []*cli.Command)
	walk = func(cs []*cli.Command) {
		for _, c := range cs {
			for _, line := range strings.Split(c.Description, "\n") {
				if strings.HasPrefix(line, "   ") {
					line, _, _ = strings.Cut(strings.TrimSpace(line), "   ") // what follows says what it does
					lines = append(lines, exampleLine.FindAllString(line, -1)...)
				}
			}
			walk(c.Subcommands)
		}
	}
	walk((&program{report: &report{}}).app().Commands)
	if help := len(lines) - readme - manual; readme < 25 || manual < 20 || help < 40 {
		t.Errorf("only %d, %d and %d commands were found", readme, manual, help)
	}
	for _, line := range lines {
		if line == "mailhaul --version" { // which does not come to a command
			continue
		}
		if err := understood(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// understood parses a command line and does nothing.
func understood(line string) error {
	var argv []string
	for _, m := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1) {
		argv = append(argv, strings.Trim(m, `'"`))
	}
	m := &program{report: &report{out: io.Discard, err: io.Discard}}
	app := m.app()
	app.Writer, app.HideVersion = io.Discard, true // its -V would be told from -v by a global
	var quiet func(cs []*cli.Command)
	quiet = func(cs []*cli.Command) {
		for _, c := range cs {
			c.Action = func(c *cli.Context) error {
				least := 0
				for _, word := range strings.Fields(c.Command.ArgsUsage) {
					if word[0] != '[' {
						least++
					}
				}
				if len(c.Command.Subcommands) > 0 || c.Args().Len() < least && !c.Bool("all") {
					return usagef("too few arguments")
				}
				return nil
			}
			quiet(c.Subcommands)
		}
	}
	quiet(app.Commands)
	args, err := arrange(app, argv[1:])
	if err != nil {
		return err
	}
	return app.RunContext(context.Background(), append([]string{"mailhaul"}, args...))
}

// The tests that the README names are there, each word of a pattern.
func TestReadmeNamesTestsThatExist(t *testing.T) {
	found := 0
	for _, m := range regexp.MustCompile("`go test (\\./[a-z/0-9]+) -run '?([A-Za-z|]+)'?`").FindAllStringSubmatch(pageText(t, "README.md"), -1) {
		files, _ := filepath.Glob(filepath.Join("../..", m[1], "*_test.go"))
		var text strings.Builder
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(b)
		}
		for word := range strings.SplitSeq(m[2], "|") {
			found++
			if !regexp.MustCompile(`(?m)^func Test\w*` + word).MatchString(text.String()) {
				t.Errorf("%s has no test with %q in its name", m[1], word)
			}
		}
	}
	if found < 15 {
		t.Errorf("only %d were found", found)
	}
}

// The Job of the README repeats what is worth it: 75 and nothing else.
func TestReadmeRepeatsWhatIsTemporary(t *testing.T) {
	_, list, _ := strings.Cut(pageText(t, "README.md"), "operator: In, values: [")
	list, _, _ = strings.Cut(list, "]")
	want := []int{exUsage, exDataErr, exUnavailable, exSoftware, exCantCreat, exIOErr, exProtocol, exNoPerm, exConfig}
	var got []int
	for word := range strings.SplitSeq(list, ", ") {
		n, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
