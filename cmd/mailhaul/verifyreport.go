package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"mailhaul/fetch"
	"mailhaul/fetch/state"
)

// finding prints one: a disagreement is a result, also with -q.
func (v *verifier) finding(c *compared, f fetch.Finding) {
	if v.report.json {
		v.report.write(v.report.out, v.jsonFinding(c, f))
		return
	}
	if f.Type == fetch.Verified && (v.report.verbose < 1 || v.manifest == "-") {
		return
	}
	var what []string
	if f.UID != "" {
		uid := "unique-id " + visible(f.UID)
		if f.Copy > 1 {
			uid += fmt.Sprintf(" (copy %d)", f.Copy)
		}
		what = append(what, uid)
	}
	if f.Size > 0 {
		what = append(what, sizeText(f.Size))
	}
	if f.Stored != nil {
		what = append(what, visible(f.Stored.Place()))
	}
	about := v.about(c)
	if f.Type == fetch.Undeleted { // by all of them
		about = visible(v.a.Name)
	}
	text := fmt.Sprintf("%s: %s: %s%s", about, f.Type, strings.Join(what, ", "), because(visible(f.Reason)))
	if v.manifest == "-" {
		v.report.complain(prioError, text) // standard output has the manifest
		return
	}
	v.report.say("%s", text)
}

// about names the account, and the destination where it has several.
func (v *verifier) about(c *compared) string {
	if c.name == "" {
		return visible(v.a.Name)
	}
	return visible(v.a.Name) + ": " + visible(c.name)
}

func (v *verifier) jsonFinding(c *compared, f fetch.Finding) string {
	l := newJSONLine(string(f.Type), time.Now())
	l.text("account", v.a.Name)
	l.text("uid", f.UID)
	l.number("size", f.Size)
	if f.Stored != nil {
		l.text("destination", f.Stored.Where)
		l.number("offset", f.Stored.Offset)
		l.text("sha256", hex.EncodeToString(f.Stored.Sum[:]))
		l.text("message_id", f.Stored.MessageID)
	} else if f.Type != fetch.Undeleted {
		l.text("destination", c.name)
	}
	l.text("reason", f.Reason)
	return l.String()
}

// countsText names what is not as it should be.
func countsText(c *fetch.Counts) string {
	var parts []string
	for _, p := range []struct {
		n    int
		what fetch.FindingType
	}{{c.Missing, fetch.Missing}, {c.Extra, fetch.Extra}, {c.Changed, fetch.Changed}, {c.Undeleted, fetch.Undeleted}, {c.Undelivered, fetch.Undelivered}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	switch {
	case len(parts) == 0 && c.New > 0:
		return "all else agrees"
	case len(parts) == 0:
		return "all agrees"
	}
	return strings.Join(parts, ", ")
}

// verifyFailed tells what kept an account from being compared, or what can be done about what was
// found: that itself has been told.
func (m *program) verifyFailed(a *Account, err error) {
	var others []error
	told := map[string]bool{}
	for _, f := range failures(err) {
		var found *disagreementError
		if !errors.As(f, &found) {
			others = append(others, f)
			continue
		}
		for _, h := range m.report.cures.hints(f, a) {
			if !told[h] {
				m.report.hint(h)
			}
			told[h] = true
		}
	}
	if len(others) > 0 {
		m.report.failures(a, errors.Join(others...))
	}
}

// verifySummary ends one destination.
func (m *program) verifySummary(v *verifier, of *compared) {
	if m.report.json {
		m.report.write(m.report.out, v.jsonSummary(of))
		return
	}
	if m.report.verbose < 0 || !of.done || v.manifest == "-" {
		return
	}
	c := &of.counts
	parts := []string{fmt.Sprintf("%d recorded as delivered", c.Recorded)}
	if !of.blind {
		parts = append(parts, fmt.Sprintf("%d found", c.Found))
	}
	if c.Quarantined > 0 {
		parts = append(parts, fmt.Sprintf("%d quarantined", c.Quarantined))
	}
	if c.Older > 0 {
		parts = append(parts, fmt.Sprintf("%d older ones", c.Older))
	}
	if c.Unsettled > 0 {
		parts = append(parts, fmt.Sprintf("%d not recorded yet", c.Unsettled))
	}
	if !v.offline {
		parts = append(parts, fmt.Sprintf("%d on the server", len(v.listing)))
		if c.New > 0 {
			parts = append(parts, fmt.Sprintf("%d of them new", c.New))
		}
	}
	m.report.say("%s: %s: %s", v.about(of), strings.Join(parts, ", "), countsText(c))
}

func (v *verifier) jsonSummary(of *compared) string {
	l := newJSONLine("summary", time.Now())
	l.text("account", v.a.Name)
	l.text("destination", of.name)
	if of.done {
		c := &of.counts
		if !v.offline {
			l.number("messages", int64(len(v.listing)))
			l.number("new", int64(c.New))
		}
		l.number("recorded", int64(c.Recorded))
		l.number("found", int64(c.Found))
		l.number("older", int64(c.Older))
		l.number("unsettled", int64(c.Unsettled))
		l.number("quarantined", int64(c.Quarantined))
		l.number("missing", int64(c.Missing))
		l.number("extra", int64(c.Extra))
		l.number("changed", int64(c.Changed))
		l.number("undeleted", int64(c.Undeleted))
		l.number("undelivered", int64(c.Undelivered))
	}
	l.number("status", int64(exitStatus(of.err)))
	return l.String()
}

// manifestRow is one line of a manifest. What could end a field or a line is escaped as in the state
// file, in all of its fields.
func manifestRow(f fetch.Finding) string {
	return fmt.Sprintf("%s\t%d\t%s\t%s\t%s\n", state.Escape(f.UID), f.Size, hex.EncodeToString(f.Stored.Sum[:]),
		state.Escape(f.Stored.MessageID), state.Escape(f.Stored.Where))
}
