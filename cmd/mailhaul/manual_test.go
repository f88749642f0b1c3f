package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

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
	table := &table{account: "work", st: st, json: true}
	out.WriteString(table.jsonRow(d.mails[0], header{from: "f", subject: "s", date: time.Now()}, true) + "\n")

	v := &verifier{fetcher: &fetcher{program: m}, a: a, done: true}
	v.finding(fetch.Finding{Type: fetch.Missing, UID: "a", Size: 1, Reason: "r", Stored: &deliver.Stored{Where: "/mail", MessageID: "<a@b>"}})
	out.WriteString(v.jsonSummary(0) + "\n")
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
