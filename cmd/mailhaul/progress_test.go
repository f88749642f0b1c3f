package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailhaul/fetch"
)

// A terminal is what a terminal makes of what is written to it: as far as a bar needs one.
type terminal struct {
	columns int
	lines   []string // the last one is that of the cursor
	at      int
	paints  []time.Time
	wrapped bool
}

func newTerminal(columns int) *terminal { return &terminal{columns: columns, lines: []string{""}} }

func (s *terminal) Write(p []byte) (int, error) {
	text := string(p)
	if strings.HasPrefix(text, "\r") && text != "\r"+clearRest {
		s.paints = append(s.paints, time.Now())
	}
	for text != "" {
		last := &s.lines[len(s.lines)-1]
		if rest, ok := strings.CutPrefix(text, clearRest); ok {
			*last = (*last)[:min(s.at, len(*last))]
			text = rest
			continue
		}
		switch c := text[0]; {
		case c == '\r':
			s.at = 0
		case c == '\n':
			s.lines, s.at = append(s.lines, ""), 0
		default:
			if s.at == s.columns {
				s.wrapped = true
				s.lines, s.at = append(s.lines, ""), 0
				last = &s.lines[len(s.lines)-1]
			}
			line := []byte(*last + strings.Repeat(" ", max(0, s.at+1-len(*last))))
			line[s.at] = c
			*last = string(line)
			s.at++
		}
		text = text[1:]
	}
	return len(p), nil
}

// barred is a report with a bar on a screen.
func barred(columns int) (*report, *terminal) {
	s := newTerminal(columns)
	r := &report{out: s, err: s, verbose: 1}
	b := newBar(s, func() int { return columns })
	b.both = true
	r.start(b)
	return r, s
}

// TestBar has two accounts that get a megabyte each in ten seconds, with a line of output for each
// message. No line is torn, nothing is longer than the screen, and at the end no bar is left.
func TestBar(t *testing.T) {
	for _, columns := range []int{1, 2, 8, 20, 40, 80, 200} {
		synctest.Test(t, func(t *testing.T) {
			r, s := barred(columns)
			begun := time.Now()
			names := []string{"a", "b"}
			for _, name := range names {
				r.event(fetch.Event{Type: fetch.Account, Account: name, Messages: 100, Octets: 1e6, Retrieve: 100, RetrieveOctets: 1e6})
			}
			shown := ""
			for i := range 100 {
				for _, name := range names {
					r.came(name).Add(1e4)
					r.event(fetch.Event{Type: fetch.Message, Account: name, Num: i + 1, Size: 1e4, Destination: "d"})
				}
				time.Sleep(99 * time.Millisecond)
				if i == 49 {
					time.Sleep(repaint)
					synctest.Wait()
					shown = s.lines[len(s.lines)-1]
				}
			}
			for _, name := range names {
				r.done(&Account{Name: name}, fetch.Summary{Messages: 100, Delivered: 100, Octets: 1e6}, nil, 0)
			}
			r.stopBar()
			seconds := time.Since(begun).Seconds()
			if n := len(s.paints); float64(n) > 10*seconds+1 || float64(n) < 3*seconds {
				t.Errorf("%d columns: %d paints in %.1f s", columns, n, seconds)
			}
			if last := s.lines[len(s.lines)-1]; last != "" || s.at != 0 {
				t.Errorf("%d columns: %q is left", columns, last)
			}
			if columns < 200 { // the lines themselves wrap
				if len([]rune(shown)) > columns {
					t.Errorf("%d columns: %q", columns, shown)
				}
			} else {
				if s.wrapped {
					t.Error("something is longer than the screen")
				}
				want := new(bytes.Buffer)
				play := &report{out: want, err: want, verbose: 1}
				for _, name := range names {
					play.event(fetch.Event{Type: fetch.Account, Account: name, Messages: 100, Octets: 1e6, Retrieve: 100})
				}
				for i := range 100 {
					for _, name := range names {
						play.event(fetch.Event{Type: fetch.Message, Account: name, Num: i + 1, Size: 1e4, Destination: "d"})
					}
				}
				for _, name := range names {
					play.done(&Account{Name: name}, fetch.Summary{Messages: 100, Delivered: 100, Octets: 1e6}, nil, 0)
				}
				if got := strings.Join(s.lines, "\n"); got != want.String() {
					t.Errorf("torn:\n%s", got)
				}
			}
			want := map[int]string{
				20:  `^100/200 50% \ds *$`,
				40:  `^100/200 \[=+> +\] 50% \d+\.\d\d kB/s \ds *$`,
				80:  `^100/200 messages, 1\.00 MB of 2\.00 MB \[=+> +\] 50% \d+\.\d\d kB/s \ds left *$`,
				200: `^100/200 messages, 1\.00 MB of 2\.00 MB \[=+> +\] 50% \d+\.\d\d kB/s \ds left *$`,
			}[columns]
			if !regexp.MustCompile(want).MatchString(shown) {
				t.Errorf("%d columns: %q, want %s", columns, shown, want)
			}
		})
	}
}

// Where sizes are unknown, where nothing is to come, and where an account breaks off.
func TestBarOfLittleKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := barred(80)
		line := func() string {
			time.Sleep(2 * repaint)
			synctest.Wait()
			return strings.TrimRight(s.lines[len(s.lines)-1], " ")
		}
		r.event(fetch.Event{Type: fetch.Account, Account: "idle", Messages: 100})
		if got := line(); got != "" {
			t.Errorf("%q for nothing", got)
		}
		r.event(fetch.Event{Type: fetch.Account, Account: "a", Messages: 10, Retrieve: 10, RetrieveOctets: -1})
		r.came("a").Add(2e6)
		r.event(fetch.Event{Type: fetch.Failed, Account: "a", Num: 1, Repeated: true})
		if got := line(); !strings.HasPrefix(got, "1/10 messages, 2.00 MB [") || strings.Contains(got, "%") || strings.Contains(got, "left") {
			t.Errorf("unknown sizes: %q", got)
		}
		resume := r.pause()
		if got := line(); got != "" {
			t.Errorf("%q in a pause", got)
		}
		resume()
		r.toBar(func(b *bar) { b.done("a") })
		r.event(fetch.Event{Type: fetch.Account, Account: "b", Messages: 1, Retrieve: 1, RetrieveOctets: 2e6})
		if got := line(); !strings.HasPrefix(got, "1/2 messages, 2.00 MB of 4.00 MB [") || !strings.Contains(got, " 50% ") {
			t.Errorf("after one has ended: %q", got)
		}
		r.stopBar()
		if r.came("a") != nil {
			t.Error("nobody looks any more")
		}
	})
}
