package peer

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What the other program would refuse, too, is refused with its line, and without a word of it.
func TestSyntaxError(t *testing.T) {
	tests := []struct {
		p    Program
		text string
		line int
	}{
		{Fetchmail, "poll h proto pop3\n user joe MARKER", 2},
		{Fetchmail, "poll h\n\nuser joe\npassword", 4},
		{Fetchmail, "MARKER", 1},
		{Fetchmail, "poll", 1},
		{Fetchmail, "poll h no MARKER", 1},
		{Fetchmail, "set\n", 1},
		{Fetchmail, "poll h user joe passwort \"MARKER\"", 1},
		{Fetchmail, "poll h user joe password \"a\\\nb\"\n\"MARKER\"", 3},
		{Fetchmail, "poll h user 'joe password \"MARKER\"\npoll i user 'ann' password 'x'", 1}, // a string to fetchmail
		{Fetchmail, "user joe", 1},
		{Mpop, "password MARKER", 1},
		{Mpop, "account", 1},
		{Mpop, "account a\naccount a", 2},
		{Mpop, "# x\n\naccount a : MARKER", 3},
		{Mpop, "defaults\naccount \"\" : a", 2},
		{Getmail, "password = MARKER", 1},
		{Getmail, "[retriever]\nMARKER", 2},
		{Getmail, "[a]\n[b]\n[a]", 3},
		{Getmail, "[a]\npassword = x\nPassword: MARKER", 3},
		{Getmail, "[a]\n= MARKER", 2},
		{Fdm, "account \"MARKER", 1},
		{Fdm, "\naccount \"a\" pop3 server \"h\" user \"u\" pass \"MARKER\n\n", 4},
		{Fdm, "MARKER", 1},
		{Fdm, "set timeout 5\n$a = $(MARKER", 2},
		{Fdm, "$a = \"x\" MARKER", 1},
		{Fdm, "set timeout 5; MARKER", 1},
		{Fdm, "$ = \"MARKER\"", 1},
		{Fdm, "account \"${MARKER\"", 1},
	}
	for _, tt := range tests {
		_, err := Read(tt.p, []Source{{"rc", []byte(tt.text)}}, testSite)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.File != "rc" || syntax.Line != tt.line {
			t.Errorf("%s, %q: %v, want line %d", tt.p, tt.text, err, tt.line)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s, %q: the error has it: %v", tt.p, tt.text, err)
		}
	}
}

// A password under a mistaken name is in no finding.
func TestNoSecretInFindings(t *testing.T) {
	for text, p := range map[string]Program{
		"account a\nhost h\nuser u\ndelivery mbox m\npasswort MARKER\nMARKER\neval echo passwd MARKER\neval printf 'password MARKER\\n'\n":             Mpop,
		"[retriever]\ntype=SimplePOP3Retriever\nserver=h\nusername=u\npasswort=MARKER\npassword_command=MARKER\n[destination]\ntype=Maildir\npath=/m/": Getmail,
		"account \"a\" pop3 server \"h\" user \"u\" pass \"x\" \"MARKER\" MARKER\nset MARKER \"MARKER\"\nset proxy \"MARKER@x\"":                       Fdm,
		"poll h proto pop3 esmtppassword MARKER user u password x preconnect MARKER properties MARKER":                                                 Fetchmail,
	} {
		imp, err := Read(p, []Source{{"rc", []byte(text)}}, testSite)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		if got := printed(t, imp); strings.Contains(got, secret) || len(imp.Accounts) != 1 {
			t.Errorf("%s:\n%s", p, got)
		}
	}
}

// Names are such that mailhaul takes them, and no two accounts share one or a password file.
func TestNames(t *testing.T) {
	var rc strings.Builder
	for i, name := range []string{"a", "A", "-a", "a/b", "a b", "ä", "ö", "...", "", "a\\10b"} {
		fmt.Fprintf(&rc, "poll \"%s\" via h proto pop3 ssl user u%d password x\n", name, i)
	}
	imp, err := Read(Fetchmail, []Source{{"one", []byte(rc.String())}, {"two", []byte("poll a user other password x ssl")}}, testSite)
	if err != nil {
		t.Fatal(err)
	}
	names, files := map[string]bool{}, map[string]bool{}
	for _, a := range imp.Accounts {
		file := strings.ToLower(a.Get("password_file").(string))
		if names[a.Name] || files[file] || strings.HasPrefix(a.Name, "-") || a.Name == "" || strings.ContainsAny(a.Name, "\n") {
			t.Errorf("account %q, file %q", a.Name, file)
		}
		names[a.Name], files[file] = true, true
	}
	if len(names) != 11 {
		t.Errorf("%d accounts: %v", len(names), names)
	}
}
