package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// jqExample is a line of the manual that pipes the events of a run into jq.
var jqExample = regexp.MustCompile(`(?m)^\.Dl mailhaul fetch --json \| jq (.*)$`)

// manualText is the text of mailhaul(1). It is read at the start, because scripts run elsewhere.
var manualText, _ = os.ReadFile("../../man/mailhaul.1")

// cmdJq runs the manual's example for a type of event on a file: jq TYPE FILE.
func cmdJq(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: jq TYPE FILE")
	}
	for _, m := range jqExample.FindAllStringSubmatch(string(manualText), -1) {
		text := strings.NewReplacer(`\(dq`, `"`, `\e`, `\`).Replace(m[1])
		if strings.Contains(text, `"`+args[0]+`"`) {
			ts.Check(ts.Exec("sh", "-c", "jq "+text+" "+args[1]))
			return
		}
	}
	ts.Fatalf("the manual has no jq example for %s", args[0])
}

// haveJq tells whether jq is there, and fails where it must be.
func haveJq() bool {
	_, err := exec.LookPath("jq")
	return err == nil || os.Getenv("MAILHAUL_REAL") != ""
}
