package peer

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// words are what a shell makes of a command: the arguments of a program that prints them.
func words(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("sh", args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/home/joe"}
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sh %q: %v: %s", args, err, out)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

const printWords = `p() { printf '%s\0' "$@"; }; p `

// What is run without a shell is run with the arguments that a shell would have given.
func TestSplit(t *testing.T) {
	for _, command := range []string{
		"pass show isp", "  pass\tshow  isp ", `pass 'show it' "and that" th'i's"one" ''`, `pass a\ b\'c\"d`,
		`pass "it's"`, `pass 'say "x"'`, `pass a=b #c`, `pass a#b`, `pass a~b c:~`, `pass -x --y=z %1 @ + , . / : ^`, `pass "a#b" "*?[]" '$x` + "`'",
		"pass !x", "pass ü", `pass "" x`, `pass '\'`, `pass \\ \$`,
	} {
		got, ok := split(command)
		if strings.Contains(command, " #") {
			if ok {
				t.Errorf("%q: a comment is an argument: %q", command, got)
			}
			continue
		}
		if !ok {
			t.Errorf("%q needs no shell", command)
			continue
		}
		if want := words(t, "-c", printWords+command); !slices.Equal(got, want) {
			t.Errorf("%q: %q, a shell says %q", command, got, want)
		}
	}
	for _, command := range []string{
		"", " ", "cd /tmp", "a|b", "a & b", "a; b", "a > b", "a < b", "$x", "a $x", `a "$x"`, "a `b`", "a $(b)", "a *", "a ?", "a [b]", "a {b,c}", "x=1 a",
		"a ~/b", "~joe/a", "~ b", "a 'b", `a "b`, `a "b\"c"`, "a \\", "a\nb", "a \\\nb", "if a", "exec a", ". a", "[ a ]", "! a", `"" a`, "'' a", "-a", "a (b)",
	} {
		if got, ok := split(command); ok {
			t.Errorf("%q needs a shell, and became %q", command, got)
		}
	}
	if got, ok := split("~/bin/a b"); !ok || got[0] != "~/bin/a" {
		t.Error(got, ok)
	}
}

// However a placeholder stood in the text of a shell, what the message says in its place is one
// argument and nothing is run.
func TestParameters(t *testing.T) {
	const hostile = `a'b"c$(echo x)` + "`echo y`" + ` ; echo z \ * %F`
	for command, want := range map[string][]string{
		"p -f \x01; :":                       {"-f", hostile},
		"p -f '\x01' \x02; :":                {"-f", hostile, hostile},
		"p \"x\x01y\" '<\x01>'; :":           {"x" + hostile + "y", "<" + hostile + ">"},
		"p 'it'\"'\"'s \x01' && :":           {"it's " + hostile},
		"p \"a\\\"\x01\" \x02\x01; :":        {"a\"" + hostile, hostile + hostile},
		"p 100%% \x01 \"%F\"; :":             {"100%%", hostile, "%F"},
		"p x`printf '%s' y '\x01' >&2` ; : ": nil,
	} {
		args, shell, err := deliverArgv(command)
		if err != nil || !shell || len(args) < 4 || args[0] != "sh" || args[1] != "-c" || args[3] != "sh" {
			t.Errorf("%q: %q, %v, %v", command, args, shell, err)
			continue
		}
		// As mailhaul does it with each argument.
		run := []string{"-c", printWords[:len(printWords)-2] + strings.ReplaceAll(args[2], "%%", "%"), "sh"}
		for _, a := range args[4:] {
			if a != "%F" && a != "%T" {
				t.Errorf("%q: argument %q", command, a)
			}
			run = append(run, hostile)
		}
		if strings.Contains(strings.ReplaceAll(args[2], "%%", ""), "%") {
			t.Errorf("%q: a placeholder in the text: %q", command, args[2])
		}
		if got := words(t, run...); want != nil && !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", command, got, want)
		}
	}
	for _, command := range []string{
		"eval echo \x01; :", "sh -c 'echo \x01'", "sh -c \"echo \x01\"; :", "ssh host procmail -f \x01", "ssh host 'procmail -f \x01' | a",
		"/bin/bash -xc 'echo \x01' a", "su joe -c \"procmail -f '\x01'\" ; :", "cat <<x; :\n\x01\nx\n", "a \\\x01 | b", "a \"$(b '\x01')\"", "a '\x01", "a \x04",
	} {
		if args, _, err := deliverArgv(command); err == nil {
			t.Errorf("%q became %q", command, args)
		}
	}
	if args, shell, err := deliverArgv("a '\x01' -f\x02 50%"); err != nil || shell || !slices.Equal(args, []string{"a", "%F", "-f%T", "50%%"}) {
		t.Error(args, shell, err)
	}
}
