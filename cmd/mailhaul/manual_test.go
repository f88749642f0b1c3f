package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"mailhaul/deliver"
	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// What check, list and verify print as JSON is in the manual beside these commands, and nothing else.
func TestManualHasEveryFieldOfItsCommands(t *testing.T) {
	var out bytes.Buffer
	m := &program{report: &report{out: &out, err: &bytes.Buffer{}, json: true}}
	st, err := nothingKnown()
	if err != nil {
		t.Fatal(err)
	}
	a := &Account{Name: "work", TLS: "implicit", User: "u", Server: Server{Host: "localhost", Network: "tcp"}, Timeout: time.Minute}
	d := &maildrop{mails: []mail{{num: 1, uid: "a\xff", size: 2, nth: 1}}, caps: pop3.Caps{"UIDL", "X \xff"}, uids: true}

	k := &checker{fetcher: &fetcher{program: m}, a: a, st: st}
	k.failed("login", &pop3.LoginError{Err: &pop3.Error{Command: "PASS"}})
	k.certificate(&x509.Certificate{DNSNames: []string{"pop.example.com"}, NotAfter: time.Now()})
	k.capabilities(&session{capa: true}, d)
	k.maildrop(d)
	k.addresses([]string{"192.0.2.1"})
	k.protection("TLS 1.3", "AES")
	k.key("sha256//")
	k.loggedIn("plain")
	table := &table{account: "work", known: known{st}, json: true}
	out.WriteString(table.jsonRow(d.mails[0], header{from: "f", subject: "s", date: time.Now()}, true) + "\n")

	v := &verifier{fetcher: &fetcher{program: m}, a: a}
	of := &compared{leg: &leg{}, done: true}
	v.finding(of, fetch.Finding{Type: fetch.Missing, UID: "a", Size: 1, Reason: "r", Stored: &deliver.Stored{Where: "/mail", MessageID: "<a@b>"}})
	out.WriteString(v.jsonSummary(of) + "\n")
	out.WriteString(takenLine(a, &seenList{file: "f"}, resolved{}, 1, 1) + "\n")

	runs := &tally{damaged: 1, accounts: map[string]*tallied{"b": {runs: 1, failed: 1, status: exIOErr, reason: "r", last: time.Now()}, "a": {begun: time.Now()}}}
	m.tallied(runs, 0)

	everywhere := []string{"v", "type", "time", "account"}
	var fields []string
	for line := range strings.Lines(out.String()) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for name := range object {
			if !strings.HasSuffix(name, "_base64") && !slices.Contains(everywhere, name) {
				fields = append(fields, name)
			}
		}
	}
	var inManual []string
	for _, words := range items(t, manual, "COMMANDS", `^Va ([a-z_0-9 ,]+)`) {
		for w := range strings.SplitSeq(words, ",") {
			inManual = append(inManual, strings.TrimSpace(w))
		}
	}
	compare(t, "JSON field", sorted(fields), sorted(inManual))
}

// The manual says what list prints of a message's state.
func TestStatusOfMail(t *testing.T) {
	st, err := state.Open(t.TempDir()+"/a.uidl", state.Identity{Host: "h", User: "u"})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, s := range []state.Status{state.Delivered, state.Seen, state.Deleted, state.Failed} {
		if err := st.Record("", "", state.Entry{UID: string(s), Status: s, Time: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if got := statusOfMail(st, mail{uid: string(s), nth: 1}); got != string(s) {
			t.Errorf("%s: %s", s, got)
		}
		if got := statusOfMail(st, mail{uid: string(s), nth: 2}); got != "new" {
			t.Errorf("a second message with the unique-id of one that is %s: %s", s, got)
		}
	}
	if got := statusOfMail(st, mail{uid: "", nth: 1}); got != "new" {
		t.Error(got)
	}
}

// Each command has in the manual the options that it has, with their short names, and no others.
func TestManualHasTheOptionsOfEachCommand(t *testing.T) {
	inManual := map[string][]string{}
	at := ""
	section, _, _ := strings.Cut(string(manualText), "\n.Sh OUTPUT\n")
	_, section, _ = strings.Cut(section, "\n.Sh COMMANDS\n")
	for line := range strings.Lines(section) {
		if rest, ok := strings.CutPrefix(line, ".It Ic "); ok {
			at = strings.TrimSpace(regexp.MustCompile(`^(?:state )?[a-z-]+`).FindString(rest))
		}
		if rest, ok := strings.CutPrefix(line, ".It Fl "); ok {
			for _, m := range regexp.MustCompile(`(?:^|Fl )(?:Fl )?([A-Za-z][a-z-]*)`).FindAllStringSubmatch(rest, -1) {
				inManual[at] = append(inManual[at], m[1])
			}
		}
	}
	seen := 0
	var walk func(name string, c *cli.Command)
	walk = func(name string, c *cli.Command) {
		var flags []string
		for _, f := range c.Flags {
			if f.Names()[0] != "help" {
				flags = append(flags, f.Names()...)
			}
		}
		if !c.Hidden && len(c.Subcommands) == 0 && !strings.HasPrefix(name, "import ") { // those share a list
			seen++
			compare(t, "option of "+name, sorted(flags), sorted(inManual[name]))
		}
		for _, s := range c.Subcommands {
			walk(name+" "+s.Name, s)
		}
	}
	for _, c := range (&program{report: &report{}}).app().Commands {
		walk(c.Name, c)
	}
	if seen < 15 {
		t.Errorf("%d commands were compared", seen)
	}
}

// The notes that a state may have are in its manual.
func TestManualHasEveryNote(t *testing.T) {
	var names []string
	for _, dir := range []string{".", "../../fetch"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`\bnote[A-Z]\w* *= "([a-z-]+)"`).FindAllStringSubmatch(string(text), -1) {
				names = append(names, m[1])
			}
		}
	}
	text, err := os.ReadFile("../../man/mailhaul-state.5")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "\n.Bl -tag -width login-delay\n")
	list, _, _ = strings.Cut(list, "\n.El\n")
	var inManual []string
	for _, m := range regexp.MustCompile(`(?m)^\.It Li ([a-z-]+)$`).FindAllStringSubmatch(list, -1) {
		inManual = append(inManual, m[1])
	}
	compare(t, "note", sorted(names), sorted(inManual))
}
