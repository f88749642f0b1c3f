package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/urfave/cli/v2"
)

const manual, tomlManual = "../../man/mailhaul.1", "../../man/mailhaul.toml.5"

// items gives the words of the .It lines of a page that follow a macro, each once.
func items(t *testing.T, page, section, macro string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	in := section == ""
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, ".Sh "); ok && section != "" {
			in = strings.TrimSpace(name) == section
		}
		if rest, ok := strings.CutPrefix(line, ".It "); ok && in {
			for _, m := range regexp.MustCompile(macro).FindAllStringSubmatch(rest, -1) {
				words = append(words, m[1])
			}
		}
	}
	return sorted(words)
}

func sorted(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

// compare fails for each word that only one of the two has.
func compare(t *testing.T, what string, program, manual []string) {
	t.Helper()
	for _, w := range program {
		if !slices.Contains(manual, w) {
			t.Errorf("%s %q is not in the manual", what, w)
		}
	}
	for _, w := range manual {
		if !slices.Contains(program, w) {
			t.Errorf("the manual has %s %q, the program has not", what, w)
		}
	}
}

func TestManualHasEveryFlagAndCommand(t *testing.T) {
	app := (&program{report: &report{}}).app()
	cli.VersionFlag = &cli.BoolFlag{Name: "version", Aliases: []string{"V"}}
	var flags, commands []string
	add := func(fs []cli.Flag) {
		for _, f := range fs {
			flags = append(flags, f.Names()...)
		}
	}
	add(app.Flags)
	add([]cli.Flag{cli.HelpFlag, cli.VersionFlag})
	var walk func(prefix string, cs []*cli.Command)
	walk = func(prefix string, cs []*cli.Command) {
		for _, c := range cs {
			if c.Hidden {
				continue
			}
			add(c.Flags)
			if len(c.Subcommands) == 0 {
				commands = append(commands, prefix+c.Name)
			}
			walk(prefix+c.Name+" ", c.Subcommands)
		}
	}
	walk("", app.Commands)
	compare(t, "option", sorted(flags), items(t, manual, "", `Fl (?:Fl )?([A-Za-z][a-z-]*)`))
	words := items(t, manual, "COMMANDS", `Ic ((?:[a-z]+ ?)+)`)
	for i, w := range words {
		words[i] = strings.TrimSpace(w)
	}
	compare(t, "command", sorted(commands), words)
}

func TestManualHasEveryKey(t *testing.T) {
	keys := append(keyNames(), deliverKeys...)
	keys = append(keys, oauthKeys...)
	keys = append(keys, "state_dir", "include", "defaults", "accounts", "accounts_from")
	keys = append(keys, csvKeys...)
	var inManual []string
	for _, w := range items(t, tomlManual, "", `Ic ([a-z0-9_ ,]+)`) {
		for _, k := range strings.Split(w, ",") {
			inManual = append(inManual, strings.TrimSpace(k))
		}
	}
	compare(t, "key", sorted(keys), sorted(inManual))
	text, _ := os.ReadFile(tomlManual)
	for _, mech := range mechanisms {
		if !strings.Contains(string(text), mech) {
			t.Errorf("the manual has no auth = %q", mech)
		}
	}
}

func TestManualHasEveryExitStatus(t *testing.T) {
	var statuses []string
	for _, s := range []int{exOK, exUsage, exDataErr, exUnavailable, exSoftware, exCantCreat, exIOErr, exTempFail, exProtocol, exNoPerm, exConfig} {
		statuses = append(statuses, strconv.Itoa(s))
	}
	compare(t, "exit status", sorted(statuses), items(t, manual, "EXIT STATUS", `^([0-9]+)`))
}

func TestManualHasEveryJSONField(t *testing.T) {
	fields := map[string]bool{}
	types := map[string]bool{}
	for _, line := range everyJSONLine(t) {
		for name, v := range line {
			if !strings.HasSuffix(name, "_base64") { // documented as a rule
				fields[name] = true
			}
			if name == "type" {
				types[v.(string)] = true
			}
		}
	}
	keys := func(m map[string]bool) (k []string) {
		for name := range m {
			k = append(k, name)
		}
		return sorted(k)
	}
	compare(t, "JSON field", keys(fields), items(t, manual, "JSON", `Va ([a-z_0-9]+)`))
	compare(t, "JSON type", keys(types), items(t, manual, "JSON", `^Li ([a-z]+)`))
}

// The example must be what a user can start from: it decodes, and every key in it is in use.
func TestExampleConfig(t *testing.T) {
	text, err := os.ReadFile("../../config.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", "/home/alice")
	cfg, err := load(t, string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Accounts) < 4 || cfg.StateDir != "/home/alice/.local/state/mailhaul" || cfg.Accounts[0].Deliver.Maildir != "/home/alice/Mail/work" {
		t.Errorf("%d accounts, state in %s", len(cfg.Accounts), cfg.StateDir)
	}
	// What is commented out must decode as well.
	uncommented := regexp.MustCompile(`(?m)^#(\[|[a-z_]+ = )`).ReplaceAllString(string(text), "$1")
	if uncommented == string(text) {
		t.Error("nothing is commented out")
	}
	if _, err := load(t, uncommented); err != nil {
		t.Error(err)
	}
}

// The examples of the manual are configurations, too.
func TestManualExamplesDecode(t *testing.T) {
	text, err := os.ReadFile(tomlManual)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?s)\.Bd -literal[^\n]*\n(.*?)\.Ed`).FindAllStringSubmatch(string(text), -1)
	if len(found) < 3 {
		t.Fatalf("%d examples", len(found))
	}
	for _, m := range found {
		if _, err := load(t, m[1]); err != nil {
			t.Errorf("%v\n%s", err, m[1])
		}
	}
}

// Imports run one way: pop3, state and deliver know nothing of each other, none knows of what is
// above it, and only tests and the demo know the test server.
func TestImportsRunOneWay(t *testing.T) {
	allowed := map[string][]string{
		"fetch/pop3":          {},
		"fetch/pop3/pop3test": {},
		"fetch/state":         {},
		"deliver":             {},
		"fetch":               {"deliver", "fetch/pop3", "fetch/state"},
		"cmd/mailhaul/peer":   {},
		"cmd/mailhaul":        {"cmd/mailhaul/peer", "deliver", "fetch", "fetch/pop3", "fetch/pop3/pop3test", "fetch/state"},
	}
	seen := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		dir, _ := filepath.Rel("../..", filepath.Dir(path))
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		may, ok := allowed[dir]
		if !ok {
			t.Errorf("%s: a package that the design does not know", dir)
		}
		seen[dir] = true
		for _, imp := range file.Imports {
			p := strings.Trim(imp.Path.Value, `"`)
			if own, ok := strings.CutPrefix(p, "mailhaul/"); ok && !slices.Contains(may, own) {
				t.Errorf("%s imports %s", path, own)
			}
			if p == "testing" {
				t.Errorf("%s imports testing", path)
			}
			if strings.HasSuffix(p, "/pop3test") && filepath.Base(path) != "demo.go" {
				t.Errorf("%s imports the test server", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != len(allowed) {
		t.Errorf("packages %v", seen)
	}
}

// The package comment is the map of the package: each file is in it.
func TestPackageCommentHasEveryFile(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.FieldsFunc(string(text), func(r rune) bool { return !unicode.IsLetter(r) && r != '_' })
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if name = strings.TrimSuffix(name, ".go"); name != "doc" && !strings.HasSuffix(name, "_test") && !slices.Contains(words, name) {
			t.Errorf("doc.go does not say what %s.go is about", name)
		}
	}
}
