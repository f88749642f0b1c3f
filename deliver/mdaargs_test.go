package deliver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCommandArguments(t *testing.T) {
	t.Parallel()
	args := []string{"%F", "-f%F", "x%F", "%T", "--to=%T", "%A/%U", "%U", "%U-%F", "100%%", "%%F", ""}
	for _, c := range []struct {
		name, header, uid string
		want              []string
	}{
		{"plain", "Return-Path: <a@x>\nDelivered-To: b@x", "u1",
			[]string{"a@x", "-fa@x", "xa@x", "b@x", "--to=b@x", "work/u1", "u1", "u1-a@x", "100%", "%F", ""}},
		{"nothing known", "Subject: x", "",
			[]string{"MAILER-DAEMON", "-fMAILER-DAEMON", "xMAILER-DAEMON", "alice", "--to=alice", "work/", "", "0-MAILER-DAEMON", "100%", "%F", ""}},
		{"null sender", "Return-Path: <>\nX-Original-To: o@x", "u",
			[]string{"MAILER-DAEMON", "-fMAILER-DAEMON", "xMAILER-DAEMON", "o@x", "--to=o@x", "work/u", "u", "u-MAILER-DAEMON", "100%", "%F", ""}},
		{"options", "Return-Path: <-oQ/tmp@x>\nDelivered-To: --config=/tmp/x", "-rf",
			[]string{"MAILER-DAEMON", "-f-oQ/tmp@x", "x-oQ/tmp@x", "alice", "--to=--config=/tmp/x", "work/-rf", "%2Drf", "%2Drf-MAILER-DAEMON", "100%", "%F", ""}},
		{"a dash", "Return-Path: <->\nDelivered-To: -", "-",
			[]string{"MAILER-DAEMON", "-f-", "x-", "alice", "--to=-", "work/-", "%2D", "%2D-MAILER-DAEMON", "100%", "%F", ""}},
		{"words", "Return-Path: <a b@x>\nDelivered-To: b@x --debug", "a b\t\n\x00%\xff\x7f",
			[]string{"MAILER-DAEMON", "-fMAILER-DAEMON", "xMAILER-DAEMON", "alice", "--to=alice", "work/a%20b%09%0A%00%25%FF%7F", "a%20b%09%0A%00%25%FF%7F", "a%20b%09%0A%00%25%FF%7F-MAILER-DAEMON", "100%", "%F", ""}},
		{"shell and placeholders", "Return-Path: <$(id)@x>\nDelivered-To: %F;`id`'\"@x", "*%U",
			[]string{"$(id)@x", "-f$(id)@x", "x$(id)@x", "%F;`id`'\"@x", "--to=%F;`id`'\"@x", "work/*%25U", "*%25U", "*%25U-$(id)@x", "100%", "%F", ""}},
		{"NUL and ESC", "Return-Path: <a\x00b@x>\nDelivered-To: b\x1b@x", "\x00",
			[]string{"MAILER-DAEMON", "-fMAILER-DAEMON", "xMAILER-DAEMON", "alice", "--to=alice", "work/%00", "%00", "%00-MAILER-DAEMON", "100%", "%F", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			mda, dir := newMDA(t, `for a; do printf '%s\n' "$a"; done >args`, args...)
			body := strings.NewReader(c.header + "\n\ntext\n")
			if err := mda.Deliver(t.Context(), &Message{ID: "1", UID: c.uid, Body: body}); err != nil {
				t.Fatal(err)
			}
			if got, err := mda.Commit(t.Context()); len(got) != 1 || err != nil {
				t.Fatalf("%+v, %v", got, err)
			}
			wantFile(t, filepath.Join(dir, "args"), strings.Join(c.want, "\n")+"\n")
		})
	}
}

func TestNewCommand(t *testing.T) {
	t.Parallel()
	o := CommandOptions{Account: "work", User: "alice"}
	for _, c := range []struct {
		argv []string
		o    CommandOptions
		text string // "" if it is right
	}{
		{nil, o, "no program"},
		{[]string{""}, o, "no program"},
		{[]string{"mda"}, o, ""},
		{[]string{"%x", "-a", "%F", "%T", "%A", "%U", "%%"}, o, ""}, // the program's name is a name
		{[]string{"mda", "x", "a%x"}, o, `argument 2, "a%x": "%x" is none of`},
		{[]string{"mda", "%f"}, o, `"%f" is none`},
		{[]string{"mda", "%ü"}, o, `"%ü" is none`},
		{[]string{"mda", "%%%"}, o, "lone %"},
		{[]string{"mda", "100%"}, o, "lone %"},
		{[]string{"mda", "a\x00b"}, o, "NUL"},
		{[]string{"mda"}, CommandOptions{User: "a\x00b"}, "NUL"},
		{[]string{"mda"}, CommandOptions{Account: "\x00"}, "NUL"},
		// There is nothing safe to fall back to.
		{[]string{"mda", "%T"}, CommandOptions{User: "-x"}, `option "-x"`},
		{[]string{"mda", "%A"}, CommandOptions{Account: "-x"}, `option "-x"`},
		{[]string{"mda", "-a%A", "--to=%T"}, CommandOptions{Account: "-x", User: "-x"}, ""},
		{[]string{"mda", "%T-x"}, CommandOptions{}, `option "-x"`},
		// Text for a shell is no place for what a stranger wrote.
		{[]string{"sh", "-c", "deliver %T"}, o, "placeholder in the shell's"},
		{[]string{"/bin/bash", "-e", "-c", "deliver '%F'"}, o, "placeholder in the shell's"},
		{[]string{"env", "sh", "-ec", "deliver %U"}, o, "placeholder in the shell's"},
		{[]string{"sh", "-c", `deliver "$0" "$1" $(date +%%s)`, "%T", "%F"}, o, ""},
		{[]string{"sh", "script", "-c", "%F"}, o, ""},
		{[]string{"sh", "--norc", "script", "%F"}, o, ""},
	} {
		got, err := NewCommand(c.argv, c.o)
		if c.text == "" {
			if err != nil || got == nil {
				t.Errorf("%q: %v", c.argv, err)
			}
			continue
		}
		if got != nil || !errors.Is(err, ErrArgument) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%q: %v, %v; not %q", c.argv, got, err, c.text)
		}
	}
}

func TestCommandEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/home/a", "USER": "a", "LOGNAME": "a", "SHELL": "/bin/sh", "LANG": "C",
		"LC_ALL": "C.UTF-8", "LC_TIME": "C", "TZ": "UTC", "TMPDIR": t.TempDir(),
		"MAILHAUL_PASSWORD": "secret", "MAILHAUL_IN_DOUBT": "1", "LCX": "x", "LD_PRELOAD_NOT": "x", "IFS": "x",
	} {
		t.Setenv(name, value)
	}
	c, dir := newMDA(t, `env >$MAILHAUL_ID.env; cat >$MAILHAUL_ID.text`)
	for _, m := range []*Message{
		{ID: "1", UID: "a b", Trace: mdaTrace, Body: strings.NewReader(mdaWire)},
		{ID: "2", UID: "-x", InDoubt: true, Body: strings.NewReader("Delivered-To: -x\n\n")},
	} {
		if err := c.Deliver(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if got, err := c.Commit(t.Context()); len(got) != 1 || err != nil {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	common := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/a", "USER=a", "LOGNAME=a", "SHELL=/bin/sh", "LANG=C",
		"LC_ALL=C.UTF-8", "LC_TIME=C", "TZ=UTC", "TMPDIR=" + os.Getenv("TMPDIR"), "MAILHAUL_ACCOUNT=work",
	}
	for id, own := range map[string][]string{
		"1": {"MAILHAUL_ID=1", "MAILHAUL_RECIPIENT=b@example.org", "MAILHAUL_SENDER=a@example.org", "MAILHAUL_UID=a%20b",
			fmt.Sprint("MAILHAUL_SIZE=", len(mdaTrace+mdaStored))},
		"2": {"MAILHAUL_ID=2", "MAILHAUL_RECIPIENT=-x", "MAILHAUL_SENDER=MAILER-DAEMON", "MAILHAUL_UID=-x",
			"MAILHAUL_SIZE=18", "MAILHAUL_IN_DOUBT=1"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, id+".env"))
		if err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(strings.Fields(string(text)), func(kv string) bool {
			name, _, _ := strings.Cut(kv, "=")
			return name == "PWD" || name == "OLDPWD" || name == "SHLVL" || name == "_" // the shell's own
		})
		want := append(slices.Clone(common), own...)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("message %s:\n%q, not\n%q", id, got, want)
		}
	}
}
