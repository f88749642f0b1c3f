package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

func (m *program) reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "sum up the JSON of runs",
		ArgsUsage: "FILE...",
		Description: `Reads what runs of fetch --json have printed, from any number of files in any order, or from
standard input as "-", and prints a line for each account and the totals. Those that failed in
their last run come first.

   mailhaul fetch --json >> /var/log/mailhaul.jsonl
   mailhaul report /var/log/mailhaul.jsonl
   mailhaul -q report host-*.jsonl               those that failed alone
   mailhaul report --json runs.jsonl | jq -c 'select(.type=="reported" and .status!=0)'`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object a line"},
		},
		Action: m.reportRuns,
	}
}

// A runsError says that the JSON of runs is not all it should be.
type runsError struct{ text string }

func (e *runsError) Error() string { return e.text }

// reportRuns sums up files. What is damaged in them is told of, and makes the status 65; how the
// runs ended does not.
func (m *program) reportRuns(c *cli.Context) error {
	m.report.json = c.Bool("json")
	if !c.Args().Present() {
		return &usageError{"usage: mailhaul report FILE...; - is standard input",
			"a FILE is what fetch has printed: " + m.report.cures.command("fetch --json") + " > run.jsonl; mailhaul report run.jsonl"}
	}
	t := &tally{}
	var err error
	for _, name := range c.Args().Slice() {
		if err = m.tallyFile(c.Context, t, name, func(err error) { m.report.failure(nil, err) }); err != nil {
			m.report.failure(nil, err)
			break
		}
	}
	if err == nil && t.damaged > 0 {
		err = &runsError{"damaged lines"} // each was told of
	}
	m.tallied(t, exitStatus(err))
	if err != nil {
		return &toldError{err}
	}
	return nil
}

// tallyFile adds a file. damaged is told of each line that is left out.
func (m *program) tallyFile(ctx context.Context, t *tally, name string, damaged func(error)) error {
	before := t.lines
	err := t.file(ctx, name, func(where, why string) {
		damaged(&runsError{fmt.Sprintf("%s: %s: left out", visible(where), why)})
	})
	switch {
	case err != nil:
		return err
	case t.lines == before:
		return &runsError{fmt.Sprintf("%q has no line of a run: mailhaul fetch --json prints them", name)}
	case t.open:
		m.report.warn("", "%q: the last run was interrupted: of accounts that it did not come to nothing is known", name)
	case t.barren != "":
		m.report.warn("", "%q: the last run did no account: %s", name, t.barren)
	}
	return nil
}

// tallied prints what it came to.
func (m *program) tallied(t *tally, status int) {
	names := slices.Sorted(maps.Keys(t.accounts))
	slices.SortStableFunc(names, func(a, b string) int {
		switch bad := t.accounts[a].bad(); {
		case bad == t.accounts[b].bad():
			return 0
		case bad:
			return -1
		}
		return 1
	})
	all := total{status: status}
	for _, name := range names {
		a := t.accounts[name]
		all.add(a.all(), a.bad())
		all.took += a.took
		switch {
		case m.report.json:
			m.report.write(m.report.out, a.jsonLine(name))
		case a.bad() || m.report.verbose >= 0:
			m.report.say("%s: %s", visible(name), a)
		}
	}
	if m.report.json {
		l := newJSONLine("summary", time.Now())
		l.number("runs", int64(t.runs))
		l.number("damaged", int64(t.damaged))
		l.number("accounts", int64(all.accounts))
		l.number("failed", int64(all.failed))
		l.number("delivered", int64(all.sum.Delivered))
		l.number("octets", all.sum.Octets)
		l.number("deleted", int64(all.sum.Deleted))
		l.number("quarantined", int64(all.sum.Quarantined))
		l.number("left", int64(all.sum.Left))
		l.number("status", int64(status))
		l.seconds("seconds", all.took)
		m.report.write(m.report.out, l.String())
	} else if m.report.verbose >= 0 && t.lines > 0 {
		m.report.say("%s, %s", runsText(t.runs), all)
	}
}

// String is the line for people.
func (t *tallied) String() string {
	state := "ok"
	switch {
	case t.killed():
		state = "interrupted"
	case t.status != exOK:
		state = fmt.Sprintf("failed with %d", t.status)
	}
	at := t.last
	if t.killed() {
		at = t.begun
	}
	parts := []string{fmt.Sprintf("%s %s", state, at.Local().Format(time.DateTime))}
	if t.status != exOK && t.reason != "" && !t.killed() {
		parts[0] += ": " + safeLine(t.reason)
	}
	runs := runsText(t.runs)
	if t.failed > 0 {
		runs += fmt.Sprintf(" (%d failed)", t.failed)
	}
	sum := t.all()
	parts = append(parts, runs+", "+messages(sum.Delivered)+", "+sizeText(sum.Octets))
	if sum.Deleted > 0 {
		parts[1] += fmt.Sprintf(", %d deleted", sum.Deleted)
	}
	if sum.Quarantined > 0 {
		parts[1] += fmt.Sprintf(", %d quarantined", sum.Quarantined)
	}
	if sum.Left > 0 {
		parts[1] += fmt.Sprintf(", %d left on the server", sum.Left)
	}
	return strings.Join(parts, "; ")
}

func runsText(n int) string {
	if n == 1 {
		return "1 run"
	}
	return fmt.Sprintf("%d runs", n)
}

// jsonLine is an account of a report. A run that was interrupted has no status.
func (t *tallied) jsonLine(name string) string {
	at := t.last
	if t.killed() {
		at = t.begun
	}
	l, sum := newJSONLine("reported", at), t.all()
	l.text("account", name)
	l.number("runs", int64(t.runs))
	l.number("failed", int64(t.failed))
	l.number("delivered", int64(sum.Delivered))
	l.number("octets", sum.Octets)
	l.number("deleted", int64(sum.Deleted))
	l.number("quarantined", int64(sum.Quarantined))
	l.number("left", int64(sum.Left))
	if t.killed() {
		l.flag("interrupted", true)
	} else {
		l.number("status", int64(t.status))
		if t.status != exOK {
			l.text("reason", t.reason)
		}
	}
	l.seconds("seconds", t.took)
	return l.String()
}

// failedIn gives the accounts that have to be done again by what a file says.
func (m *program) failedIn(ctx context.Context, name string) (map[string]bool, error) {
	t := &tally{}
	if err := m.tallyFile(ctx, t, name, func(err error) { m.report.warn("", "%v", err) }); err != nil {
		return nil, err
	}
	failed := map[string]bool{}
	for name, a := range t.accounts {
		if a.bad() {
			failed[name] = true
		}
	}
	return failed, nil
}

// warnOfUnknown tells of accounts of a former run that are configured no more.
func (m *program) warnOfUnknown(cfg *Config, failed map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		if cfg.Account(name) == nil {
			m.report.warn("", "account %q has failed, but is not in %s any more: left out", name, visible(cfg.Path))
		}
	}
}
