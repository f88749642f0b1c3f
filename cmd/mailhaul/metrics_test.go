package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"mailhaul/fetch"
	"mailhaul/fetch/state"
)

// strict reads the text format as its description demands, and more than a lenient reader would:
// HELP, then TYPE, then all samples of a metric and no other's, each once, a line feed at the end
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
func strict(t *testing.T, text string) map[string]float64 {
	t.Helper()
	if text != "" && !strings.HasSuffix(text, "\n") {
		t.Error("no line feed at the end")
	}
	help := regexp.MustCompile(`^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (?:[^\\]|\\\\|\\n)+$`)
	kind := regexp.MustCompile(`^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (gauge|counter)$`)
	sample := regexp.MustCompile(`^(([a-zA-Z_:][a-zA-Z0-9_:]*)\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\[\\"n])*"\}) (-?[0-9]+(?:\.[0-9]+)?)$`)
	got, seen, current, typed := map[string]float64{}, map[string]bool{}, "", false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := help.FindStringSubmatch(line); m != nil {
			if seen[m[1]] {
				t.Errorf("%s comes twice", m[1])
			}
			seen[m[1]], current, typed = true, m[1], false
			continue
		}
		if m := kind.FindStringSubmatch(line); m != nil {
			if m[1] != current || typed || (m[2] == "counter") != strings.HasSuffix(m[1], "_total") {
				t.Errorf("out of place: %s", line)
			}
			typed = true
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || m[2] != current || !typed {
			t.Fatalf("out of place: %q", line)
		}
		if _, ok := got[m[1]]; ok {
			t.Errorf("twice: %s", m[1])
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Error(err)
		}
		got[m[1]] = v
	}
	return got
}

// updated brings a file up to date and reads it.
func updated(t *testing.T, path string, cfg *Config, outcomes ...outcome) map[string]float64 {
	t.Helper()
	if err := writeMetrics(t.Context(), path, cfg, outcomes); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, line := parseMetrics(string(b))
	if line != 0 || exposition(all) != string(b) {
		t.Errorf("line %d of it is not understood, or it is not all that was written", line)
	}
	return strict(t, string(b))
}

const oddName = "odd \"name\\\nü"

func metricsConfig() *Config {
	return &Config{Accounts: []*Account{{Name: "a"}, {Name: "b"}, {Name: oddName}, {Name: "off", Disabled: true}}}
}

// TestMetrics: accounts that are not in a run keep what was told of them, counters go on, and the
// last success stays that of the last success.
func TestMetrics(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mailhaul.prom")
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	cfg := metricsConfig()
	good := result{sum: fetch.Summary{Messages: 9, Delivered: 2, Octets: 300, Deleted: 1}, took: 1500 * time.Millisecond, ended: at(1000)}
	updated(t, path, cfg, outcome{"a", good, true}, outcome{oddName, good, true}, outcome{"off", good, true})
	bad := result{err: &fetch.LeftError{Messages: 2}, sum: fetch.Summary{Messages: 11, Delivered: 1, Octets: 50, Left: 2}, ended: at(2000)}
	got := updated(t, path, cfg, outcome{"a", bad, true}, outcome{"b", result{err: errors.New("x"), ended: at(2001)}, false})
	want := map[string]float64{
		`up{account="a"}`: 1, `exit_status{account="a"}`: 65, `last_run_timestamp_seconds{account="a"}`: 2000, `last_success_timestamp_seconds{account="a"}`: 1000,
		`duration_seconds{account="a"}`: 0, `messages{account="a"}`: 11, `left_messages{account="a"}`: 2, `runs_total{account="a"}`: 2, `failed_runs_total{account="a"}`: 1,
		`delivered_messages_total{account="a"}`: 3, `delivered_octets_total{account="a"}`: 350, `deleted_messages_total{account="a"}`: 1,
		`up{account="b"}`: 0, `exit_status{account="b"}`: 70, `failed_runs_total{account="b"}`: 1, `last_run_timestamp_seconds{account="b"}`: 2001,
		`duration_seconds{account="odd \"name\\\nü"}`: 1.5, `last_success_timestamp_seconds{account="odd \"name\\\nü"}`: 1000,
	}
	for name, v := range want {
		if g, ok := got["mailhaul_"+name]; !ok || g != v {
			t.Errorf("%s: %v (%v), want %v", name, g, ok, v)
		}
	}
	for _, name := range []string{`messages{account="b"}`, `left_messages{account="b"}`, `last_success_timestamp_seconds{account="b"}`} {
		if _, ok := got["mailhaul_"+name]; ok {
			t.Errorf("%s is not known", name)
		}
	}
	// One that is locked is another run's to tell of; a server that is away says nothing of what is
	// there; what is configured no more is forgotten, and so is what is disabled.
	got = updated(t, path, &Config{Accounts: cfg.Accounts[:2]}, outcome{"a", result{err: &state.LockedError{}, ended: at(3000)}, false})
	if got[`mailhaul_last_run_timestamp_seconds{account="a"}`] != 2000 || got[`mailhaul_messages{account="a"}`] != 11 {
		t.Errorf("%v", got)
	}
	for name := range got {
		if strings.Contains(name, "odd") || strings.Contains(name, `"off"`) {
			t.Errorf("%s is still there", name)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*.tmp")); len(files) > 0 {
		t.Error(files)
	}
}

// What is not ours is left as it is.
// A name of a CSV file that is no UTF-8 would make the whole file unfit for a collector.
func TestMetricsAreUTF8(t *testing.T) {
	cfg := &Config{Accounts: []*Account{{Name: "m\xfcller"}, {Name: "m\xf6ller"}, {Name: "müller"}}}
	path := filepath.Join(t.TempDir(), "m.prom")
	for range 2 {
		var outcomes []outcome
		for _, a := range cfg.Accounts {
			outcomes = append(outcomes, outcome{account: a.Name})
		}
		if err := writeMetrics(t.Context(), path, cfg, outcomes); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !utf8.Valid(b) {
		t.Error("not UTF-8")
	}
	for _, line := range []string{`mailhaul_runs_total{account="m\\xfcller"} 2`, `mailhaul_runs_total{account="m\\xf6ller"} 2`, `mailhaul_runs_total{account="müller"} 2`} {
		if !strings.Contains(string(b), line+"\n") {
			t.Errorf("no line %s in\n%s", line, b)
		}
	}
}

func TestMetricsLeavesOthersFiles(t *testing.T) {
	dir := t.TempDir()
	ours := exposition(map[string]samples{"a": {"mailhaul_up": 1}})
	for _, text := range []string{"[accounts.a]\n", ours + "node_load1 0.5\n", "# a comment\n", "\n", ours + `mailhaul_up{account="b"} x` + "\n", `mailhaul_up{account="b` + "\n"} {
		path := filepath.Join(dir, "file")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := writeMetrics(t.Context(), path, metricsConfig(), []outcome{{account: "a"}})
		if exitStatus(err) != exIOErr {
			t.Errorf("%q: %v", text, err)
		}
		if b, _ := os.ReadFile(path); string(b) != text {
			t.Errorf("%q became %q", text, b)
		}
	}
	if err := writeMetrics(t.Context(), dir, metricsConfig(), nil); exitStatus(err) != exIOErr {
		t.Errorf("a directory: %v", err)
	}
	path := filepath.Join(dir, "later")
	later := "# HELP mailhaul_later From a later version.\n# TYPE mailhaul_later gauge\nmailhaul_later{account=\"a\"} 1\n"
	if err := os.WriteFile(path, []byte(later), 0o600); err != nil {
		t.Fatal(err)
	}
	err := writeMetrics(t.Context(), path, metricsConfig(), []outcome{{account: "a"}})
	if b, _ := os.ReadFile(path); err != nil || strings.Contains(string(b), "later") {
		t.Errorf("%v: %s", err, b)
	}
}

func FuzzMetrics(f *testing.F) {
	f.Add(exposition(map[string]samples{oddName: {"mailhaul_up": 1, "mailhaul_duration_seconds": 0.25}}))
	f.Add("# HELP mailhaul_up x\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, line := parseMetrics(text)
		if line > 0 {
			return
		}
		again, line := parseMetrics(exposition(all))
		if line != 0 || exposition(again) != exposition(all) {
			t.Errorf("%d: %q", line, exposition(all))
		}
	})
}

func TestManualHasEveryMetric(t *testing.T) {
	var names []string
	for _, f := range families {
		names = append(names, f.name)
	}
	compare(t, "metric", sorted(names), items(t, manual, "METRICS", `^Li (mailhaul_[a-z_]+)`))
}

// What somebody who may write to the directory has put in the way is neither written to nor followed.
func TestReplaceLink(t *testing.T) {
	dir := t.TempDir()
	other, tmp, path := filepath.Join(dir, "other"), filepath.Join(dir, ".m.tmp"), filepath.Join(dir, "m.prom")
	if err := os.WriteFile(other, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, tmp); err != nil {
		t.Fatal(err)
	}
	f, err := replace(path, tmp)
	if err == nil {
		err = f.save(0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(other)
	if err != nil || info.Size() != int64(len("precious")) || info.Mode().Perm() != 0o600 {
		t.Errorf("the other file is now %v, %v", info, err)
	}
	if _, err := lockFile(t.Context(), tmp, 0); err != nil {
		t.Error(err)
	}
	if err := os.Symlink(filepath.Join(dir, "new"), filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	if unlock, err := lockFile(t.Context(), filepath.Join(dir, "lock"), 0); err == nil {
		unlock()
		t.Error("a link was locked")
	}
}

// TestReplaceNoFile: as root a rename would put a file in the place of a device, such as /dev/null.
func TestReplaceNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := errors.Join(syscall.Mkfifo(fifo, 0o600), os.Symlink(fifo, link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, link, dir} {
		f, err := replace(path, "")
		if err == nil {
			f.discard()
		}
		if exitStatus(err) != exIOErr {
			t.Errorf("%s: %v", path, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Error(entries, err)
	}
}
