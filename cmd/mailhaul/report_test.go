package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
)

var moment = time.Date(2025, 3, 4, 5, 6, 7, 89_000_000, time.FixedZone("", 3600))

// events are one of each kind, with hostile octets in what comes from outside.
func events() []fetch.Event {
	return []fetch.Event{
		{Type: fetch.Account, Messages: 3, Octets: 5000, Retrieve: 2, First: true},
		{Type: fetch.Account, Messages: 3, Octets: -1, Retrieve: 2},
		{Type: fetch.Message, Num: 1, UID: "a\x1b[2J", Size: 1234, Destination: "/mail/new/1", InDoubt: true},
		{Type: fetch.Message, Num: 2, UID: "b\xff\n<3>x", Size: 1, Reason: "new", Planned: true},
		{Type: fetch.Skipped, Num: 3, UID: "c", Size: 7, Reason: "kept on the server"},
		{Type: fetch.Deleted, Num: 4, UID: "d", Size: 7, Reason: "delivered by an earlier run"},
		{Type: fetch.Failed, Num: 5, UID: "e", Size: 9, Reason: "refused", Err: errors.New("RETR: \"no\"")},
		{Type: fetch.Failed, Num: 5, UID: "e", Size: 9, Err: errors.New("again"), Repeated: true, Attempts: 2, Next: moment.Add(time.Hour)},
		{Type: fetch.Failed, Reason: "the server does not delete", Warning: true},
	}
}

func play(r *report) (stdout, stderr string) {
	var out, err bytes.Buffer
	r.out, r.err = &out, &err
	for _, e := range events() {
		e.Account, e.Time = "work", moment
		r.event(e)
	}
	a := &Account{Name: "work", TLS: "implicit", User: "u", Server: Server{Host: "h"}}
	refused := &pop3.LoginError{Err: &pop3.Error{Command: "PASS", Text: "no\x1b\xff"}}
	r.done(a, fetch.Summary{Messages: 3, Delivered: 2, Octets: 1235, Deleted: 1, Skipped: 1, Left: 1}, errors.Join(refused, &fetch.LeftError{Messages: 1}), 1234567*time.Microsecond)
	r.total(total{accounts: 1, failed: 1, sum: fetch.Summary{Messages: 3, Delivered: 2, Octets: 1235, Deleted: 1, Skipped: 1, Left: 1}, status: 77, took: 2 * time.Second})
	return out.String(), err.String()
}

// everyJSONLine gives what --json prints, with every field in use.
func everyJSONLine(t *testing.T) []map[string]any {
	t.Helper()
	out, _ := play(&report{json: true})
	var lines []map[string]any
	for line := range strings.Lines(out) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		lines = append(lines, m)
	}
	return lines
}

func TestJSON(t *testing.T) {
	out, stderr := play(&report{json: true})
	got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	want := []string{
		`{"v":1,"type":"account","time":"2025-03-04T04:06:07.089Z","account":"work","messages":3,"octets":5000,"retrieve":2,"first":true}`,
		`{"v":1,"type":"account","time":"2025-03-04T04:06:07.089Z","account":"work","messages":3,"retrieve":2}`,
		`{"v":1,"type":"message","time":"2025-03-04T04:06:07.089Z","account":"work","num":1,"uid":"a\u001b[2J","size":1234,"destination":"/mail/new/1","in_doubt":true}`,
		`{"v":1,"type":"message","time":"2025-03-04T04:06:07.089Z","account":"work","num":2,"uid":"b�\n<3>x","uid_base64":"` +
			base64.StdEncoding.EncodeToString([]byte("b\xff\n<3>x")) + `","size":1,"reason":"new","planned":true}`,
		`{"v":1,"type":"skipped","time":"2025-03-04T04:06:07.089Z","account":"work","num":3,"uid":"c","size":7,"reason":"kept on the server"}`,
		`{"v":1,"type":"deleted","time":"2025-03-04T04:06:07.089Z","account":"work","num":4,"uid":"d","size":7,"reason":"delivered by an earlier run"}`,
		`{"v":1,"type":"error","time":"2025-03-04T04:06:07.089Z","account":"work","num":5,"uid":"e","size":9,"reason":"refused: RETR: \"no\""}`,
		`{"v":1,"type":"error","time":"2025-03-04T04:06:07.089Z","account":"work","num":5,"uid":"e","size":9,"reason":"again","attempts":2,"next":"2025-03-04T05:06:07.089Z","repeated":true}`,
		`{"v":1,"type":"error","time":"2025-03-04T04:06:07.089Z","account":"work","reason":"the server does not delete","warning":true}`,
		`{"v":1,"type":"error","time":"TIME","account":"work","reason":"login refused: PASS: \"no\\x1b\\xff\"","status":77,"hint":"is the password right? many servers want the whole address as user, not only \"u\""}`,
		`{"v":1,"type":"summary","time":"TIME","account":"work","messages":3,"delivered":2,"octets":1235,"deleted":1,"skipped":1,"quarantined":0,"left":1,"status":77,"seconds":1.235}`,
		`{"v":1,"type":"summary","time":"TIME","accounts":1,"failed":1,"messages":3,"delivered":2,"octets":1235,"deleted":1,"skipped":1,"quarantined":0,"left":1,"status":77,"seconds":2.000}`,
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines:\n%s", len(got), out)
	}
	for i := range want {
		var m map[string]any
		if err := json.Unmarshal([]byte(got[i]), &m); err != nil {
			t.Errorf("line %d: %v", i, err)
		}
		line := got[i]
		if strings.Contains(want[i], "TIME") {
			line = strings.Replace(line, m["time"].(string), "TIME", 1)
		}
		if line != want[i] {
			t.Errorf("line %d\n%s\nwant\n%s", i, line, want[i])
		}
	}
	if !strings.Contains(stderr, "mailhaul: work: login refused") {
		t.Errorf("errors go to standard error, too:\n%s", stderr)
	}
}

func TestText(t *testing.T) {
	errors := `mailhaul: work: message 5 (unique-id e), 9 bytes: refused: RETR: "no"
mailhaul: work: login refused: PASS: "no\x1b\xff"
mailhaul: hint: is the password right? many servers want the whole address as user, not only "u"
`
	doubt := `mailhaul: work: message 1 (unique-id a\x1b[2J), 1.2 kB is in doubt: an interrupted run may have delivered it already, and it was delivered again
`
	warning := "mailhaul: warning: work: the server does not delete\n"
	line := "work: 2 messages delivered (1.2 kB), 1 deleted from the server, 1 left there\n"
	lines := strings.SplitAfter(errors, "\n")
	tests := []struct {
		name           string
		r              *report
		stdout, stderr string
	}{
		{"quiet", &report{verbose: -1}, "", errors},
		{"plain", &report{}, line, doubt + lines[0] + warning + lines[1] + lines[2]},
		{"verbose", &report{verbose: 1}, `work: 3 messages on the server (5.0 kB), 2 to retrieve
work: 3 messages on the server, 2 to retrieve
work: delivered message 1 (unique-id a\x1b[2J), 1.2 kB to /mail/new/1 (in doubt: an interrupted run may have delivered it already)
work: would retrieve message 2 (unique-id b\xff\x0a<3>x), 1 byte: new
work: deleted message 4 (unique-id d), 7 bytes: delivered by an earlier run
` + line + "1 account: 2 messages, 1.2 kB, 1 deleted, 1 left on the server, 1 failed; 2.0 s\n", lines[0] + "mailhaul: work: message 5 (unique-id e), 9 bytes: again (tried 2 times, the next time from " + moment.Add(time.Hour).Local().Format(time.DateTime) + " on)\n" + warning + lines[1] + lines[2]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr := play(tt.r)
			if tt.name != "verbose" { // a planned event is of a dry run alone
				stdout = strings.Replace(stdout, "work: would retrieve message 2 (unique-id b\\xff\\x0a<3>x), 1 byte: new\n", "", 1)
			}
			if stdout != tt.stdout {
				t.Errorf("standard output\n%s\nwant\n%s", stdout, tt.stdout)
			}
			if stderr != tt.stderr {
				t.Errorf("standard error\n%s\nwant\n%s", stderr, tt.stderr)
			}
		})
	}
}

func TestJournal(t *testing.T) {
	_, stderr := play(&report{journal: true})
	for line := range strings.Lines(stderr) {
		prefix := "<3>mailhaul: "
		switch {
		case strings.Contains(line, "hint:"):
			prefix = "<6>mailhaul: hint: "
		case strings.Contains(line, "warning:"):
			prefix = "<4>mailhaul: warning: "
		case strings.Contains(line, "in doubt"):
			prefix = "<4>mailhaul: "
		}
		if !strings.HasPrefix(line, prefix) {
			t.Errorf("%q", line)
		}
	}
	t.Setenv("JOURNAL_STREAM", "0:0")
	if isJournal(os.Stderr) {
		t.Error("0:0 is no journal")
	}
}

func TestNothingNewIsSilent(t *testing.T) {
	var out bytes.Buffer
	r := &report{out: &out, err: &out}
	r.event(fetch.Event{Type: fetch.Account, Account: "work", Messages: 10})
	r.event(fetch.Event{Type: fetch.Skipped, Account: "work", UID: "x", Reason: "kept on the server"})
	r.event(fetch.Event{Type: fetch.Failed, Account: "work", UID: "x", Reason: "too large", Repeated: true})
	r.done(&Account{Name: "work"}, fetch.Summary{Messages: 10, Skipped: 9, Left: 1}, &fetch.LeftError{Messages: 1}, 0)
	if out.Len() > 0 {
		t.Errorf("printed %q", out.String())
	}
}

// A full disk is met again when the state is closed, with the same words.
func TestSameFailureOnce(t *testing.T) {
	full := func() error { return fmt.Errorf("state file: %w", syscall.ENOSPC) }
	var out bytes.Buffer
	r := &report{out: &out, err: &out}
	r.failures(&Account{Name: "work"}, errors.Join(full(), errors.New("other"), full()))
	want := "mailhaul: work: state file: no space left on device\nmailhaul: work: other\nmailhaul: hint: make room there"
	if got := out.String(); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 3 {
		t.Errorf("printed\n%s", got)
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünï 文": "plain ünï 文", "a\nb\r": `a\x0ab\x0d`, "\x1b[1m": `\x1b[1m`, "\xff": `\xff`, `a\b`: `a\\b`,
		"\u202e\u200b\u0085": `\u{202e}\u{200b}\u{85}`, "\x7f": `\x7f`, "�": "�", "": "",
	} {
		if got := visible(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
		if got := safeLine(visible(in)); got != visible(in) {
			t.Errorf("%q: escaped twice: %s", in, got)
		}
	}
}

// With several accounts a line sums them up, unless there is nothing to sum up.
func TestTotal(t *testing.T) {
	for _, tt := range []struct {
		r    *report
		t    total
		want string
	}{
		{&report{}, total{accounts: 5, failed: 1, sum: fetch.Summary{Messages: 200, Delivered: 123, Octets: 4_500_000, Deleted: 120}, took: 12340 * time.Millisecond},
			"5 accounts: 123 messages, 4.5 MB, 120 deleted, 1 failed; 12.3 s\n"},
		{&report{}, total{accounts: 2, sum: fetch.Summary{Messages: 9, Skipped: 8, Left: 1}, failed: 1}, "2 accounts: nothing new, 1 left on the server, 1 failed; 0.0 s\n"},
		{&report{}, total{accounts: 2, sum: fetch.Summary{Deleted: 1}}, "2 accounts: nothing new, 1 deleted; 0.0 s\n"},
		{&report{}, total{accounts: 2, sum: fetch.Summary{Messages: 9, Skipped: 9}}, ""},
		{&report{}, total{accounts: 1, sum: fetch.Summary{Delivered: 1}}, ""},
		{&report{verbose: 1}, total{accounts: 1, sum: fetch.Summary{Messages: 9, Skipped: 9}}, "1 account: nothing new; 0.0 s\n"},
		{&report{verbose: 1, dryRun: true}, total{accounts: 2}, ""},
		{&report{verbose: -1}, total{accounts: 2, failed: 2}, ""},
		{&report{}, total{status: exConfig}, ""},
	} {
		var out bytes.Buffer
		tt.r.out = &out
		if tt.r.total(tt.t); out.String() != tt.want {
			t.Errorf("%+v: %q, want %q", tt.t, out.String(), tt.want)
		}
	}
}
