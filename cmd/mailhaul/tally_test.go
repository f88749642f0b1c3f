package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	okLine      = `{"v":1,"type":"summary","time":"2025-03-04T05:00:01.000Z","account":"%s","messages":3,"delivered":2,"octets":100,"deleted":1,"skipped":0,"quarantined":1,"left":0,"status":0,"seconds":1.500}` + "\n"
	failedLines = `{"v":1,"type":"error","time":"2025-03-04T05:00:01.000Z","account":"%[1]s","reason":"no\u001b such host","status":69}
{"v":1,"type":"summary","time":"2025-03-04T05:00:02.000Z","account":"%[1]s","messages":0,"delivered":0,"octets":0,"deleted":0,"skipped":0,"left":0,"status":69,"seconds":0.500}
`
	begunLine = `{"v":1,"type":"account","time":"2025-03-04T05:00:09.000Z","account":"%s","messages":3,"retrieve":2}` + "\n"
	endLine   = `{"v":1,"type":"summary","time":"2025-03-04T05:00:03.000Z","accounts":1,"failed":0,"messages":3,"delivered":2,"octets":100,"deleted":1,"skipped":0,"left":0,"status":0}` + "\n"
)

func badOnes(t *testing.T, texts ...string) string {
	t.Helper()
	y := &tally{}
	for _, text := range texts {
		if err := y.read(strings.NewReader(text), func(line int, why string) { t.Errorf("line %d: %s", line, why) }); err != nil {
			t.Fatal(err)
		}
	}
	var bad []string
	for name, a := range y.accounts {
		if a.bad() {
			bad = append(bad, name)
		}
	}
	slices.Sort(bad)
	return strings.Join(bad, " ")
}

// TestTallyBad: which accounts are to be done again.
func TestTallyBad(t *testing.T) {
	ok, failed, begun := fmt.Sprintf(okLine, "a"), fmt.Sprintf(failedLines, "a"), fmt.Sprintf(begunLine, "a")
	later := strings.ReplaceAll(ok, "05:00:01", "06:00:00")
	for _, tt := range []struct {
		name  string
		texts []string
		want  string
	}{
		{"well", []string{ok + endLine}, ""},
		{"failed", []string{failed + endLine}, "a"},
		{"failed, then well", []string{failed + endLine + later + endLine}, ""},
		{"the same in two files, the later first", []string{later, failed}, ""},
		{"well, then failed", []string{ok + endLine + failed + endLine}, "a"},
		{"killed", []string{begun}, "a"},
		{"killed, then well", []string{begun, later}, ""},
		{"well, then killed", []string{ok + endLine + begun}, "a"},
		{"others", []string{failed + fmt.Sprintf(okLine, "b") + endLine}, "a"},
		{"a dry run changes nothing", []string{failed + strings.Replace(later, `"seconds"`, `"planned":true,"seconds"`, 1) + strings.Replace(fmt.Sprintf(begunLine, "b"), `"retrieve":2`, `"retrieve":2,"planned":true`, 1)}, "a"},
		{"a dry run that failed is none that was interrupted", []string{strings.Replace(failed, `"seconds"`, `"planned":true,"seconds"`, 1)}, ""},
		{"nor is list or verify", []string{`{"v":1,"type":"error","time":"2025-03-04T09:00:00.000Z","account":"a","reason":"x","status":69}
{"v":1,"type":"summary","time":"2025-03-04T09:00:00.000Z","account":"a","status":69}
{"v":1,"type":"missing","time":"2025-03-04T09:00:00.000Z","account":"b"}
{"v":1,"type":"summary","time":"2025-03-04T09:00:00.000Z","account":"b","recorded":1,"found":0,"missing":1,"messages":1,"new":0,"status":65}
`}, ""},
		{"names that are no UTF-8", []string{fmt.Sprintf(failedLines, `m\ufffd","account_base64":"bfw=`) + strings.ReplaceAll(fmt.Sprintf(okLine, `m\ufffd","account_base64":"bfY=`), "05:00:01", "06:00:00")}, "m\xfc"},
		{"other commands and later types", []string{ok + `{"v":1,"type":"check","time":"2025-03-04T09:00:00.000Z","account":"b","aspect":"login","result":"failed","status":77}
{"v":1,"type":"summary","time":"2025-03-04T09:00:00.000Z","accounts":1,"failed":1,"status":77}
{"v":1,"type":"later","time":"2025-03-04T09:00:00.000Z","account":"c","new":[1]}
`}, ""},
		{"a warning alone", []string{ok + `{"v":1,"type":"error","time":"2025-03-04T09:00:00.000Z","account":"a","reason":"r","warning":true}` + "\n"}, ""},
	} {
		if got := badOnes(t, tt.texts...); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestTallyOfAReport: what a report prints is understood, whatever it is.
func TestTallyOfAReport(t *testing.T) {
	out, _ := play(&report{json: true})
	y := &tally{}
	if err := y.read(strings.NewReader(out), func(line int, why string) { t.Errorf("line %d: %s", line, why) }); err != nil || y.damaged > 0 || y.open {
		t.Fatalf("%v, %+v", err, y)
	}
	a := y.accounts["work"]
	if a == nil || a.status != 77 || a.sum.Delivered != 2 || a.sum.Octets != 1235 || a.sum.Left != 1 || a.took != 1235*time.Millisecond || y.runs != 1 {
		t.Errorf("%+v", a)
	}
}

func TestTallyDamage(t *testing.T) {
	long := `{"v":1,"type":"message","time":"2025-03-04T05:00:00Z","account":"b","uid":"` + strings.Repeat("x", maxRunLine) + `"}`
	text := strings.Join([]string{"", `{"v":1,"type":"mess`, `{"v":2,"type":"summary","time":"2025-03-04T05:00:00Z","status":0}`, `{"v":1,"time":"2025-03-04T05:00:00Z"}`,
		`{"v":1,"type":"message","time":"yesterday"}`, `{"v":1,"type":"summary","time":"2025-03-04T05:00:00Z","account":"b"}`, long, "[]", strings.TrimSuffix(fmt.Sprintf(okLine, "a"), "\n")}, "\n")
	y, at := &tally{}, []int{}
	if err := y.read(strings.NewReader(text), func(line int, why string) { at = append(at, line) }); err != nil {
		t.Fatal(err)
	}
	if want := []int{1, 2, 3, 4, 5, 6, 7, 8}; !slices.Equal(at, want) || y.damaged != len(want) {
		t.Errorf("damaged are %v, want %v", at, want)
	}
	if y.lines != 1 || y.accounts["a"] == nil || y.accounts["b"] != nil {
		t.Errorf("%+v", y)
	}
}

// TestReportText: what a person sees, failures first and all of them with -q.
func TestReportText(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
	y := &tally{}
	text := fmt.Sprintf(okLine, "a") + fmt.Sprintf(okLine, "a") + fmt.Sprintf(failedLines, "b") + endLine + endLine + fmt.Sprintf(begunLine, "c") +
		`{"v":1,"type":"message","time":"2025-03-04T05:00:09.500Z","account":"c","size":70}
{"v":1,"type":"message","time":"2025-03-04T05:00:09.600Z","account":"c","size":30}
`
	if err := y.read(strings.NewReader(text), func(int, string) { t.Error("damaged") }); err != nil {
		t.Fatal(err)
	}
	failed := `b: failed with 69 2025-03-04 05:00:02: no\x1b such host; 1 run (1 failed), 0 messages, 0 bytes
c: interrupted 2025-03-04 05:00:09; 0 runs, 2 messages, 100 bytes
`
	for verbose, want := range map[int]string{-1: failed, 0: failed + `a: ok 2025-03-04 05:00:01; 2 runs, 4 messages, 200 bytes, 2 deleted, 2 quarantined
2 runs, 3 accounts: 6 messages, 300 bytes, 2 deleted, 2 quarantined, 2 failed; 3.5 s
`} {
		var out bytes.Buffer
		m := &program{report: &report{out: &out, verbose: verbose}}
		m.tallied(y, 0)
		if out.String() != want {
			t.Errorf("%d:\n%s\nwant\n%s", verbose, out.String(), want)
		}
	}
}

func FuzzTally(f *testing.F) {
	f.Add(fmt.Sprintf(okLine+failedLines, "a", "b") + endLine)
	f.Add(`{"v":1,"type":"account"` + "\n\n{}")
	f.Fuzz(func(t *testing.T, text string) {
		y, damaged := &tally{}, 0
		if err := y.read(strings.NewReader(text), func(int, string) { damaged++ }); err != nil {
			t.Fatal(err)
		}
		want := strings.Count(text, "\n")
		if text != "" && !strings.HasSuffix(text, "\n") {
			want++
		}
		if y.lines+damaged != want || y.damaged != damaged {
			t.Errorf("%d lines and %d damaged of %d", y.lines, damaged, want)
		}
		m := &program{report: &report{out: new(bytes.Buffer), json: true}}
		m.tallied(y, 0)
	})
}
