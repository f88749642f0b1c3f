package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"mailhaul/fetch"
)

// A runLine is a line that fetch --json has printed: the fields that are summed up.
type runLine struct {
	V           int       `json:"v"`
	Type        string    `json:"type"`
	Time        time.Time `json:"time"`
	Account     string    `json:"account"`
	Whole       []byte    `json:"account_base64"` // where the name is no UTF-8
	Size        int64     `json:"size"`
	Reason      string    `json:"reason"`
	Warning     bool      `json:"warning"`
	Planned     bool      `json:"planned"`
	Status      *int      `json:"status"`
	Messages    *int      `json:"messages"`
	Accounts    int       `json:"accounts"`
	Delivered   *int      `json:"delivered"`
	Octets      int64     `json:"octets"`
	Deleted     int       `json:"deleted"`
	Quarantined int       `json:"quarantined"`
	Left        int       `json:"left"`
	Seconds     float64   `json:"seconds"`
}

// maxRunLine is how long a line may be: a unique-id has 70 octets, a reason what a server says.
const maxRunLine = 1 << 20

// A tally is what the JSON of any number of runs comes to.
type tally struct {
	accounts map[string]*tallied
	runs     int
	damaged  int               // lines that were no JSON of ours
	lines    int               // the others
	open     bool              // the last line was not the end of a run
	barren   string            // why the last run did no account, "" if it did
	pending  map[string]string // the last error of each account since a summary; "": of the run
}

// A tallied is an account in a tally.
type tallied struct {
	runs, failed int           // runs that ended, and those with another status than 0
	sum          fetch.Summary // of all runs that ended; Messages and Left are those of the last
	told         fetch.Summary // what was told of message by message, also by runs that were killed
	took         time.Duration
	last         time.Time // when the last of them ended
	status       int       // of that
	reason       string    // what it failed for, "" if nothing was told
	begun        time.Time // the last event of a session: later than last if a run was killed
}

// killed tells whether the last run of the account did not come to its end.
func (t *tallied) killed() bool { return t.runs == 0 || t.begun.After(t.last) }

// all is what was done in sum. A run that was killed has told of each message alone; where those lines
// are not there, as with summaries picked out, those of the others have the sums.
func (t *tallied) all() fetch.Summary {
	all := t.sum
	if t.told.Delivered > all.Delivered {
		all.Delivered, all.Octets = t.told.Delivered, t.told.Octets
	}
	all.Deleted = max(all.Deleted, t.told.Deleted)
	return all
}

// bad tells whether the account has to be done again.
func (t *tallied) bad() bool { return t.killed() || t.status != exOK }

// file reads a file, or standard input if its name is "-". damaged is told of each line that is
// no line of a run, with its number; it is left out.
func (t *tally) file(ctx context.Context, name string, damaged func(where, why string)) error {
	f, err := openInput(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close()
	return t.read(f, func(line int, why string) {
		if name == "-" {
			name = "standard input"
		}
		damaged(fmt.Sprintf("%s:%d", name, line), why)
	})
}

func (t *tally) read(r io.Reader, damaged func(line int, why string)) error {
	t.open, t.barren = false, ""
	in := bufio.NewReaderSize(r, maxRunLine)
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if err != nil && err != io.EOF {
			return err
		}
		if len(line) > 0 {
			why := "longer than any line of a run"
			if !tooLong {
				why = t.line(line)
			}
			if why != "" {
				t.damaged++
				damaged(n, why)
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// line takes in a line, and tells what is wrong with it.
func (t *tally) line(text []byte) (why string) {
	var l runLine
	switch err := json.Unmarshal(text, &l); {
	case err != nil:
		return "not a line of JSON as mailhaul prints it"
	case l.V != 1:
		return fmt.Sprintf("version %d, and not 1", l.V)
	case l.Type == "" || l.Time.IsZero():
		return "without a type or a time"
	case l.Type == "summary" && l.Status == nil:
		return "a summary without a status"
	}
	if len(l.Whole) > 0 {
		l.Account = string(l.Whole)
	}
	t.lines++
	t.take(l)
	return ""
}

// take sums up a line. Those of other commands, of dry runs, and of types that later versions may
// have, say nothing of what happened. An error alone does not, either: it may be of any of these.
func (t *tally) take(l runLine) {
	why := t.pending[l.Account]
	if l.Type == "summary" {
		delete(t.pending, l.Account)
	}
	switch {
	case l.Type == "summary" && (l.Messages == nil || l.Delivered == nil), l.Planned: // of check, of verify
	case l.Type == "summary" && l.Account == "":
		t.runs++
		t.open, t.barren = false, ""
		if l.Accounts == 0 && *l.Status != exOK {
			t.barren = fmt.Sprintf("failed with %d: %s", *l.Status, why)
		}
	case l.Type == "summary":
		t.account(l.Account).end(l, why)
	case l.Type == string(fetch.Failed) && !l.Warning:
		if t.pending == nil {
			t.pending = map[string]string{}
		}
		t.pending[l.Account] = l.Reason
	case l.Account == "":
	case l.Type == string(fetch.Account), l.Type == string(fetch.Message), l.Type == string(fetch.Deleted):
		t.open = true
		if a := t.account(l.Account); l.Time.After(a.begun) {
			a.begun = l.Time
		}
		t.account(l.Account).tell(l)
	}
}

func (t *tally) account(name string) *tallied {
	if t.accounts == nil {
		t.accounts = map[string]*tallied{}
	}
	a := t.accounts[name]
	if a == nil {
		a = &tallied{}
		t.accounts[name] = a
	}
	return a
}

// tell takes in what became of one message.
func (t *tallied) tell(l runLine) {
	switch l.Type {
	case string(fetch.Message):
		t.told.Delivered++
		t.told.Octets += l.Size
	case string(fetch.Deleted):
		t.told.Deleted++
	}
}

// end takes in the end of a run, and why it failed. Files may come in any order, and concurrent runs in one.
func (t *tallied) end(l runLine, why string) {
	t.runs++
	if *l.Status != exOK {
		t.failed++
	}
	t.sum.Delivered += *l.Delivered
	t.sum.Octets += l.Octets
	t.sum.Deleted += l.Deleted
	t.sum.Quarantined += l.Quarantined
	t.took += time.Duration(l.Seconds * float64(time.Second))
	if t.runs == 1 || !l.Time.Before(t.last) {
		t.last, t.status, t.reason = l.Time, *l.Status, why
		t.sum.Messages, t.sum.Left = *l.Messages, l.Left
	}
}
