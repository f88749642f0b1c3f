package main

import (
	"errors"
	"strings"
	"testing"
)

func TestArrange(t *testing.T) {
	tests := []struct{ in, want string }{
		{"fetch work --json", "fetch --json -- work"},
		{"fetch work -c f other --limit 3", "-c f fetch --limit 3 -- work other"},
		{"fetch --limit=3 work", "fetch --limit=3 -- work"},
		{"fetch -vvq a", "-v -v -q fetch -- a"},
		{"fetch -nv a", "-v fetch -n -- a"},
		{"-qc f fetch -cg", "-q -c f -c=g fetch"},
		{"-vcf=g.toml fetch", "-v -c=f=g.toml fetch"},
		{"-config=f fetch -json", "-config=f fetch -json"},
		{"-v fetch -- --json", "-v fetch -- --json"},
		{"fetch -- -v", "fetch -- -v"},
		{"state import work -", "state import -- work -"},
		{"state forget work --all", "state forget --all -- work"},
		{"state import fetch fetch", "state import -- fetch fetch"},
		{"--help", "--help"},
		{"fetch --help", "fetch --help"},
		{"fetch --version", "--version fetch"},
		{"fetch --config --json", "--config --json fetch"}, // the value of an option may look like one
	}
	for _, tt := range tests {
		got, err := arrange((&program{report: &report{}}).app(), strings.Fields(tt.in))
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.in, strings.Join(got, " "), err, tt.want)
		}
	}
	for in, want := range map[string]string{
		"fetch --jsn":          `fetch has no option "--jsn"; did you mean --json?`,
		"fetch --frobnicate":   `fetch has no option "--frobnicate"`,
		"-\xaa fetch":          `mailhaul has no option "-\xaa"`,
		"--json fetch":         `mailhaul has no option "--json"`, // an option of fetch, before it
		"fetch work --limit":   "option --limit needs a value",
		"ftch":                 `mailhaul has no command "ftch"; did you mean "fetch"?`,
		"state shwo x":         `mailhaul state has no command "shwo"; did you mean "show"?`,
		"everything":           `mailhaul has no command "everything"`,
		"fetch -vx":            `fetch has no option "-vx"`,
		"state forget --dry x": `forget has no option "--dry"`,
	} {
		_, err := arrange((&program{report: &report{}}).app(), strings.Fields(in))
		var usage *usageError
		if !errors.As(err, &usage) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}
