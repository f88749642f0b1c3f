package main

import (
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

// haveShell tells whether a shell is there for the scripts to be tried in.
func haveShell(name string) (bool, error) {
	_, err := exec.LookPath(name)
	if err != nil && os.Getenv("MAILHAUL_REAL") != "" {
		return false, fmt.Errorf("MAILHAUL_REAL is set, and %w", err)
	}
	return err == nil, nil
}

// Every word of the enumeration in an option's usage is one that the option takes, and vice versa:
// completion reads them there.
func TestCompletionOfProgress(t *testing.T) {
	app := (&program{report: &report{}}).app()
	got := completions(app, "fish", []string{"fetch", "--progress", ""})
	if want := []string{progressAuto, progressAlways, progressNever}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if got := completions(app, "fish", []string{"init", "--tls", ""}); !reflect.DeepEqual(got, []string{"implicit", "starttls", "none"}) {
		t.Errorf("%q", got)
	}
	if got := completions(app, "fish", []string{"-qc", "none.toml", "help", "stat"}); len(got) != 1 || !strings.HasPrefix(got[0], "state") {
		t.Errorf("behind the value of -qc: %q", got)
	}
}

func TestJoinWords(t *testing.T) {
	for _, tt := range []struct {
		parts []string
		words []string
		cut   int
	}{
		{[]string{""}, []string{""}, 0},
		{[]string{"fetch", "wo"}, []string{"fetch", "wo"}, 0},
		{[]string{"--progress", "=", "a"}, []string{"--progress=a"}, 11},
		{[]string{"--progress", "="}, []string{"--progress="}, 11},
		{[]string{"--config", "=", "x", "fetch", ""}, []string{"--config=x", "fetch", ""}, 0},
		{[]string{"one", ":", "t"}, []string{"one:t"}, 4},
		{[]string{"one", ":", "two", ":", "t"}, []string{"one:two:t"}, 8},
		{[]string{"="}, []string{"="}, 0},
		{[]string{`"a b`}, []string{"a b"}, 0},
		{[]string{`a\ b'$c'`, ""}, []string{"a b$c", ""}, 0},
		{[]string{`$(touch x)`}, []string{"$(touch x)"}, 0},
	} {
		words, cut := joinWords(tt.parts)
		if !reflect.DeepEqual(words, tt.words) || cut != tt.cut {
			t.Errorf("%q: %q, %d", tt.parts, words, cut)
		}
	}
}

// Whatever is in a line, completing it neither fails nor prints what is no line.
func FuzzCompletions(f *testing.F) {
	for _, line := range []string{"", "fetch wo", "fetch --progress = a", "-c x list", "help state", "state forget --", `'a "b\`, "import fetchmail -- x", "--=", ": : =", "show work $(x) `y`", "-\xaa "} {
		f.Add(line)
	}
	f.Setenv("MAILHAUL_CONFIG", "testdata/none.toml")
	app := (&program{report: &report{}}).app()
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Split(line, " ")
		for _, shell := range []string{"bash", "zsh", "fish"} {
			for _, got := range completions(app, shell, words) {
				if got == "" || strings.ContainsAny(got, "\n\r\x00\x1b") {
					t.Errorf("%s: %q: %q", shell, line, got)
				}
			}
		}
	})
}
