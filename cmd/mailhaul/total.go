package main

import (
	"fmt"
	"strings"
	"time"

	"mailhaul/fetch"
)

// A total is how a run over several accounts ended.
type total struct {
	accounts, failed int
	sum              fetch.Summary
	status           int
	took             time.Duration
}

func (t *total) add(s fetch.Summary, failed bool) {
	t.accounts++
	if failed {
		t.failed++
	}
	t.sum.Messages += s.Messages
	t.sum.Delivered += s.Delivered
	t.sum.Octets += s.Octets
	t.sum.Deleted += s.Deleted
	t.sum.Skipped += s.Skipped
	t.sum.Quarantined += s.Quarantined
	t.sum.Left += s.Left
}

// total tells the end of the run: the last line of --json, or one for people where there are
// several accounts to sum up. Where nothing was new and nothing failed there is nothing to say.
func (r *report) total(t total) {
	switch idle := t.sum.Delivered == 0 && t.sum.Deleted == 0 && t.sum.Quarantined == 0 && t.failed == 0; {
	case r.json:
		l := newJSONLine("summary", time.Now())
		l.number("accounts", int64(t.accounts))
		l.number("failed", int64(t.failed))
		l.summary(t.sum, t.status)
		l.flag("planned", r.dryRun)
		l.seconds("seconds", t.took)
		r.write(r.out, l.String())
	case r.dryRun || r.verbose < 0 || t.accounts == 0:
	case r.verbose > 0 || t.accounts > 1 && !idle:
		r.say("%s", t)
	}
}

func (t total) String() string {
	parts := []string{"nothing new"}
	if t.sum.Delivered > 0 {
		parts = []string{messages(t.sum.Delivered), sizeText(t.sum.Octets)}
	}
	for _, n := range []struct {
		count int
		what  string
	}{{t.sum.Deleted, "deleted"}, {t.sum.Quarantined, "quarantined"}, {t.sum.Left, "left on the server"}, {t.failed, "failed"}} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.count, n.what))
		}
	}
	return fmt.Sprintf("%s: %s; %.1f s", counted(t.accounts, "account"), strings.Join(parts, ", "), t.took.Seconds())
}
