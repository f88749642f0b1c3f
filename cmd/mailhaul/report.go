package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"mailhaul/fetch"
)

// The rules of output. A message that breaks one is a bug.
//
//   - Standard output has results: one line for each account that had work, with -v one for each
//     message, or with --json one object a line and nothing else.
//   - Standard error has everything that went wrong, and warnings. A line begins with "mailhaul: ",
//     then the account and a colon where there is one; lower case, no full stop. Where the cure is
//     known, a line "mailhaul: hint: …" follows.
//   - Nothing new and no error prints nothing. -q leaves the errors alone.
//   - What comes from outside (server, programs, file names) is escaped: it can neither begin a
//     line nor move a cursor. No secret is ever printed.
//   - Each line is one write, so that accounts side by side do not mix theirs.
//   - Where standard error is the journal, lines begin with their priority (sd-daemon(3)).

// A report renders what happens, as text or as JSON. It is safe for concurrent use.
type report struct {
	mu      sync.Mutex
	out     io.Writer
	err     io.Writer
	verbose int // -1 with -q, 0, 1 with -v, …
	json    bool
	journal bool
	dryRun  bool
	cures   cures
	lost    error           // the first write to out that failed
	bar     *bar            // nil: none is shown
	listed  map[string]bool // accounts whose server has told what is in the maildrop; nil: nobody wants to know
}

// The priorities of the journal.
const (
	prioError   = '3'
	prioWarning = '4'
	prioInfo    = '6'
)

// tellsSkipped tells whether messages that are left on purpose are told of at all.
func (r *report) tellsSkipped() bool { return r.json || r.dryRun || r.verbose > 1 }

// say writes one line to standard output.
func (r *report) say(format string, args ...any) {
	r.write(r.out, safeLine(fmt.Sprintf(format, args...)))
}

// complain writes one line to standard error.
func (r *report) complain(prio byte, text string) {
	line := "mailhaul: " + safeLine(text)
	if r.journal {
		line = "<" + string(prio) + ">" + line
	}
	r.write(r.err, line)
}

// Write writes to standard output what is no line of ours: the library's help. It drops errors.
func (r *report) Write(p []byte) (int, error) {
	n, err := r.out.Write(p)
	if err != nil && r.lost == nil {
		r.lost = err
	}
	return n, err
}

func (r *report) write(w io.Writer, line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	inBar := r.bar != nil && (w == r.err || r.bar.both)
	if inBar {
		r.bar.clear()
	}
	if _, err := io.WriteString(w, line+"\n"); err != nil && w == r.out && r.lost == nil {
		r.lost = err // that the results are nowhere is told at the end
	}
	if inBar && time.Since(r.bar.last) >= repaint/2 {
		r.bar.paint()
	}
}

// event renders one event of a run.
func (r *report) event(e fetch.Event) {
	r.take(e)
	if r.json {
		r.jsonEvent(e)
	}
	if e.Type == fetch.Failed && !e.Planned {
		r.failedEvent(e)
		return
	}
	if r.json || r.verbose < 0 {
		return
	}
	account := visible(e.Account)
	where := ""
	if e.Destination != "" {
		where = " for " + visible(e.Destination)
	}
	switch {
	case e.Type == fetch.Account && r.dryRun:
		r.say("%s: %s on the server, %d to retrieve%s", account, messages(e.Messages), e.Retrieve, where)
	case e.Type == fetch.Account && r.verbose > 0:
		size := ""
		if e.Octets >= 0 {
			size = " (" + sizeText(e.Octets) + ")"
		}
		r.say("%s: %s on the server%s, %d to retrieve%s", account, messages(e.Messages), size, e.Retrieve, where)
	case e.Planned:
		verb := map[fetch.EventType]string{fetch.Message: "retrieve", fetch.Deleted: "delete", fetch.Skipped: "leave", fetch.Failed: "leave"}[e.Type]
		r.say("%s: would %s %s: %s", account, verb, which(e), whose(e, e.Reason))
	case e.Type == fetch.Message && r.verbose > 0:
		doubt := ""
		if e.InDoubt {
			doubt = " (in doubt: an interrupted run may have delivered it already)"
		}
		r.say("%s: delivered %s to %s%s", account, which(e), visible(e.Destination), doubt)
	case e.Type == fetch.Message && e.InDoubt:
		r.complain(prioWarning, fmt.Sprintf("%s: %s is in doubt: an interrupted run may have delivered it already, and it was delivered again", account, which(e)))
	case e.Type == fetch.Deleted && r.verbose > 0:
		r.say("%s: deleted %s%s", account, which(e), because(e.Reason))
	case e.Type == fetch.Skipped && r.tellsSkipped():
		r.say("%s: left %s%s", account, which(e), because(whose(e, e.Reason)))
	}
}

// take takes from an event what is to be shown or told later.
func (r *report) take(e fetch.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bar != nil {
		r.bar.event(e)
	}
	if r.listed != nil && e.Type == fetch.Account {
		r.listed[e.Account] = true
	}
}

// failedEvent renders an event about something that went wrong.
func (r *report) failedEvent(e fetch.Event) {
	if e.Repeated && r.verbose < 1 || e.Warning && r.verbose < 0 {
		return
	}
	text := ""
	if e.Account != "" {
		text = visible(e.Account) + ": "
	}
	if e.Num > 0 || e.UID != "" {
		text += which(e) + ": "
	}
	text += whose(e, failureText(e)) + attemptsText(e)
	if e.Warning {
		r.complain(prioWarning, "warning: "+text)
		return
	}
	r.complain(prioError, text)
}

// attemptsText says how often a message was tried, once that says more than that it failed.
func attemptsText(e fetch.Event) string {
	if e.Attempts < 2 {
		return ""
	}
	text := fmt.Sprintf(" (tried %d times", e.Attempts)
	if !e.Next.IsZero() {
		text += ", the next time from " + e.Next.Local().Format(time.DateTime) + " on"
	}
	return text + ")"
}

// failureText says what an event's Reason and Err say, without saying it twice.
func failureText(e fetch.Event) string {
	switch {
	case e.Err == nil:
		return e.Reason
	case e.Reason == "" || strings.Contains(e.Err.Error(), e.Reason):
		return e.Err.Error()
	case strings.Contains(e.Reason, e.Err.Error()):
		return e.Reason
	}
	return e.Reason + ": " + e.Err.Error()
}

// done tells the end of one account: what it did, then what stopped it.
func (r *report) done(a *Account, sum fetch.Summary, err error, took time.Duration) {
	status := exitStatus(err)
	r.toBar(func(b *bar) { b.done(a.Name) })
	if err != nil {
		r.failures(a, err)
	}
	if r.json {
		r.jsonSummary(a.Name, sum, status, took)
		return
	}
	if r.verbose < 0 || r.dryRun {
		return
	}
	var parts []string
	if sum.Delivered > 0 {
		parts = append(parts, fmt.Sprintf("%s delivered (%s)", messages(sum.Delivered), sizeText(sum.Octets)))
	}
	if sum.Deleted > 0 {
		parts = append(parts, fmt.Sprintf("%d deleted from the server", sum.Deleted))
	}
	if sum.Quarantined > 0 {
		parts = append(parts, fmt.Sprintf("%d quarantined", sum.Quarantined))
	}
	if len(parts) > 0 && sum.Left > 0 {
		parts = append(parts, fmt.Sprintf("%d left there", sum.Left))
	}
	if len(parts) == 0 && r.verbose > 0 && err == nil {
		parts = append(parts, "nothing new")
	}
	if len(parts) > 0 {
		r.say("%s: %s", visible(a.Name), strings.Join(parts, ", "))
	}
}

// first says that an account is fetched for the first time, once there is a listing, so that a
// mistaken state_dir, which would fetch everything again, does not go unnoticed.
func (r *report) first(a *Account, n int, path string) {
	if !r.json && r.verbose >= 0 {
		r.say("%s: first run: %s on the server, and no state yet in %s", visible(a.Name), messages(n), visible(path))
	}
}

// failures tells what stopped an account, each once, with the cures that are known.
func (r *report) failures(a *Account, err error) {
	var told []string
	said := make(map[string]bool)
	for _, f := range failures(err) {
		var left *fetch.LeftError
		if errors.As(f, &left) {
			continue // each of the messages has had its own line
		}
		if said[f.Error()] {
			continue // a full disk is met again at the end, when the state is written
		}
		said[f.Error()] = true
		var quiet *quietError
		if errors.As(f, &quiet) && r.verbose < 1 && !r.json {
			continue
		}
		r.failure(a, f)
		if quiet == nil || r.verbose > 0 {
			told = append(told, r.cures.hints(f, a)...)
		}
	}
	for i, h := range told {
		if i == 0 || h != told[i-1] {
			r.hint(h)
		}
	}
}

// failure tells one error; a is nil if it is about no account.
func (r *report) failure(a *Account, err error) {
	var ce *ConfigError
	if errors.As(err, &ce) {
		for _, p := range ce.Problems {
			r.oneFailure(a, "", p.String(), err) // it names file and key
		}
		return
	}
	prefix := ""
	if a != nil {
		prefix = visible(a.Name) + ": "
	}
	r.oneFailure(a, prefix, err.Error(), err)
}

func (r *report) oneFailure(a *Account, prefix, text string, err error) {
	if r.json {
		name := ""
		if a != nil {
			name = a.Name
		}
		r.jsonError(name, text, err, a)
	}
	var quiet *quietError
	if errors.As(err, &quiet) && r.verbose < 1 {
		return // but for the JSON
	}
	r.complain(prioError, prefix+text)
}

func (r *report) hint(text string) { r.complain(prioInfo, "hint: "+text) }

// warn tells of a trouble that stops nothing.
func (r *report) warn(account, format string, args ...any) {
	r.event(fetch.Event{Type: fetch.Failed, Time: time.Now(), Account: account, Warning: true, Reason: fmt.Sprintf(format, args...)})
}
