package main

import (
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cheggaaa/pb/v3"

	"mailhaul/fetch"
)

// repaint is how long a bar stays as it is, so that a slow terminal is not kept busy. A run that is
// over before the first of them shows none.
const repaint = 200 * time.Millisecond

// A bar is the line at the end of standard error that tells how far all accounts are. It is
// not safe for concurrent use: it belongs to a report, whose lock also keeps its lines out of it.
type bar struct {
	pb      *pb.ProgressBar // computes rate and time left and makes the text; it writes nothing
	out     io.Writer
	columns func() int
	both    bool // standard output is a terminal, too: its lines take the bar's place
	shares  map[string]*share
	painted bool
	paused  int       // how many want the line for themselves
	last    time.Time // when it was painted
	end     chan struct{}
	ended   chan struct{}
}

// A share is what one account has to do with the bar.
type share struct {
	came           atomic.Int64 // fetch.Options.Came
	done, messages int
	octets         int64 // that are to come, those that have included; -1 unknown
	over           bool
}

// The texts of a bar, by the least columns that they are for.
var barTexts = []struct {
	columns int
	text    pb.ProgressBarTemplate
}{
	{64, `{{string . "messages"}} messages, {{counters . "%s of %s" "%[1]s"}} {{bar . "[" "=" ">" " " "]"}} {{percent . "%.0f%%" ""}} {{speed . "%s/s" "-"}} {{rtime . "%s left" "" ""}}`},
	{36, `{{string . "messages"}} {{bar . "[" "=" ">" " " "]"}} {{percent . "%.0f%%" ""}} {{speed . "%s/s" "-"}} {{rtime . "%s" "" ""}}`},
	{0, `{{string . "messages"}} {{percent . "%.0f%%" ""}} {{rtime . "%s" "" ""}}`},
}

// The values of --progress.
const progressAuto, progressAlways, progressNever = "auto", "always", "never"

// wantsBar tells whether to draw one. On a terminal that has no cursor to move, beside --quiet and
// beside JSON on the same terminal there is none unless it is demanded.
func (r *report) wantsBar(mode string) bool {
	switch term := os.Getenv("TERM"); mode {
	case progressAlways:
		return true
	case progressNever:
		return false
	default:
		return isTerminal(os.Stderr) && term != "" && term != "dumb" && r.verbose >= 0 && !(r.json && isTerminal(os.Stdout))
	}
}

// startBar shows a bar until stopBar.
func (r *report) startBar(out *os.File) {
	b := newBar(out, func() int { return screenColumns(out) })
	b.both = isTerminal(os.Stdout)
	r.start(b)
}

// start paints a bar from time to time.
func (r *report) start(b *bar) {
	r.mu.Lock()
	r.bar = b
	r.mu.Unlock()
	go func() { // time passes without an event, too: nothing else may tell that a server is slow
		defer close(b.ended)
		tick := time.NewTicker(repaint)
		defer tick.Stop()
		for {
			select {
			case <-b.end:
				return
			case <-tick.C:
				r.mu.Lock()
				b.paint()
				r.mu.Unlock()
			}
		}
	}()
}

func newBar(out io.Writer, columns func() int) *bar {
	b := &bar{out: out, columns: columns, shares: map[string]*share{}, end: make(chan struct{}), ended: make(chan struct{})}
	b.pb = pb.New64(0).Set(pb.Static, true).Set(pb.Bytes, true).Set(pb.SIBytesPrefix, true).Start()
	return b
}

// stopBar takes the bar away, so that what follows stands alone.
func (r *report) stopBar() {
	if r.bar == nil {
		return
	}
	close(r.bar.end)
	<-r.bar.ended
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bar.clear()
	r.bar = nil
}

// pause takes the bar away while another program, or a prompt, may talk to the person at the
// terminal. The caller must call resume.
func (r *report) pause() (resume func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bar
	if b == nil {
		return func() {}
	}
	b.clear()
	b.paused++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		b.paused--
	}
}

// came is where an account's octets are to be counted, nil if nobody looks.
func (r *report) came(account string) *atomic.Int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bar == nil {
		return nil
	}
	return &r.bar.share(account).came
}

// toBar lets a bar know, if there is one.
func (r *report) toBar(f func(*bar)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bar != nil {
		f(r.bar)
	}
}

func (b *bar) share(account string) *share {
	s := b.shares[account]
	if s == nil {
		s = &share{}
		b.shares[account] = s
	}
	return s
}

// event takes from an event what the bar shows.
func (b *bar) event(e fetch.Event) {
	s := b.share(e.Account)
	switch {
	case e.Planned:
	case e.Type == fetch.Account: // perhaps not the first: an account may need several sessions
		s.messages = s.done + e.Retrieve
		s.octets = s.came.Load() + e.RetrieveOctets
		if e.RetrieveOctets < 0 {
			s.octets = -1
		}
	case e.Type == fetch.Message, e.Type == fetch.Failed && e.Num > 0 && !e.Warning:
		s.done++
	}
}

// done says that nothing more is to be expected of an account.
func (b *bar) done(account string) { b.share(account).over = true }

// paint shows how things are now.
func (b *bar) paint() {
	var done, messages int
	var octets, came int64
	known := true
	for _, s := range b.shares {
		n := s.came.Load()
		came += n
		done += s.done
		switch {
		case s.over:
			messages, octets = messages+s.done, octets+n
		default:
			messages, octets = messages+max(s.done, s.messages), octets+max(n, s.octets)
			known = known && s.octets >= 0
		}
	}
	if messages == 0 || b.paused > 0 {
		return
	}
	if !known {
		octets = 0
	}
	columns := b.columns() - 1 // in the last one some terminals begin a new line
	for _, t := range barTexts {
		if columns >= t.columns {
			b.pb.SetTemplate(t.text)
			break
		}
	}
	b.pb.SetTotal(octets).SetCurrent(came).SetWidth(columns).Set("messages", strconv.Itoa(done)+"/"+strconv.Itoa(messages))
	b.write("\r" + fit(b.pb.String(), max(columns, 1)) + clearRest)
	b.painted, b.last = true, time.Now()
}

// clearRest erases to the end of the line (ECMA-48, EL).
const clearRest = "\x1b[K"

// clear takes the bar off its line.
func (b *bar) clear() {
	if b.painted {
		b.write("\r" + clearRest)
		b.painted = false
	}
}

// write: a bar that cannot be shown is no trouble that a person could be told of.
func (b *bar) write(text string) { _, _ = io.WriteString(b.out, text) }
