package main

import (
	"fmt"
	"hash/crc32"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var stateTime = regexp.MustCompile(`=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// cmdPassed lets time pass for a state file: everything in it happened so much earlier.
func cmdPassed(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: passed FILE DURATION")
	}
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	text := stateTime.ReplaceAllStringFunc(ts.ReadFile(args[0]), func(s string) string {
		t, err := time.Parse(time.RFC3339, s[1:])
		ts.Check(err)
		return "=" + t.Add(-d).UTC().Format(time.RFC3339)
	})
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		line, _, _ = strings.Cut(line, " crc=")
		lines[i] = fmt.Sprintf("%s crc=%08x\n", line, crc32.ChecksumIEEE([]byte(line)))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines, "")), 0o600))
}
