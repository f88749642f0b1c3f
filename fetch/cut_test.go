package fetch

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// TestCutAnywhere cuts the connection behind every octet of a session (with -short, behind every
// eleventh). Then a run whose connection
// holds must find each message where it belongs, once.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	for _, ahead := range []bool{true, false} {
		for _, tt := range []struct {
			name   string
			cfg    pop3test.Config
			stride int64
		}{
			{"deletes at QUIT", pop3test.Config{}, 1},
			{"deletes at once", pop3test.Config{Expunge: pop3test.AtDele}, 7},
			{"deletes at the end of the connection", pop3test.Config{Expunge: pop3test.AtEnd}, 7},
		} {
			t.Run(fmt.Sprintf("%s, ahead %v", tt.name, ahead), func(t *testing.T) {
				msgs := mails(5, 90)
				msgs[3].UID = msgs[1].UID // and not the same text
				stride := tt.stride
				if testing.Short() {
					stride = 11
				}
				var at, whole atomic.Int64
				whole.Store(1)
				cut := func(n int64) {
					cfg := tt.cfg
					cfg.Memory = true
					cfg.CutAfter = func(session int) int64 {
						if session == 1 {
							return n
						}
						return 0
					}
					a := open(t, cfg, msgs...)
					a.opts.Pipelining = ahead
					a.run() // with any error
					a.srv.Wait()
					if octets := a.srv.Session(1).Octets(); octets < n {
						whole.Store(0)
					}
					a.clean()
					a.want(msgs...)
					a.wantEmpty()
					if t.Failed() {
						t.Errorf("cut behind octet %d", n)
					}
					a.srv.Close()
					os.RemoveAll(a.dir)
				}
				var wg sync.WaitGroup
				for range runtime.GOMAXPROCS(0) { // so many cuts at once
					wg.Go(func() {
						for whole.Load() == 1 && !t.Failed() {
							cut(at.Add(stride))
						}
					})
				}
				wg.Wait()
				if at.Load() < 500 {
					t.Errorf("a session has only %d octets", at.Load())
				}
			})
		}
	}
}

// TestLinkThatBreaks has a link that never carries more than so much. The runs together empty the
// maildrop.
func TestLinkThatBreaks(t *testing.T) {
	for _, tt := range []struct {
		name    string
		limit   int64
		pending bool // all is delivered already and waits for its deletion
		ahead   bool
		most    int // sessions
	}{
		{"retrieving", 300_000, false, true, 12},
		{"retrieving one at a time", 300_000, false, false, 12},
		{"less than what is proven at once", 45_000, false, true, 200},
		{"deleting", 30_000, true, true, 30},
		{"deleting one at a time", 30_000, true, false, 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var msgs []pop3test.Message
			for i := range 100 {
				m := mail(fmt.Sprint("uid-", i), 5000+151*i)
				if tt.pending { // headers of 1 KB
					m.Text = "X-Long: " + strings.Repeat("x", 1000) + "\r\n" + m.Text
				}
				msgs = append(msgs, m)
			}
			var limit atomic.Int64
			a := open(t, pop3test.Config{CutAfter: func(int) int64 { return limit.Load() }}, msgs...)
			a.opts.Pipelining = tt.ahead
			if tt.pending {
				a.opts.Keep = true
				a.clean()
				a.opts.Keep = false
			}
			limit.Store(tt.limit)
			sessions := 0
			for len(a.srv.UIDs()) > 0 && sessions < 2*tt.most {
				a.run()
				a.srv.Wait()
				sessions++
			}
			a.wantEmpty()
			a.want(msgs...)
			t.Logf("%d sessions", sessions)
			if sessions > tt.most {
				t.Errorf("%d sessions, want at most %d", sessions, tt.most)
			}
			limit.Store(0)
			a.clean()
			a.want(msgs...)
		})
	}
}

// TestCutOften cuts each of many runs somewhere else.
func TestCutOften(t *testing.T) {
	msgs := mails(60, 400)
	a := open(t, pop3test.Config{CutReset: true, CutAfter: func(session int) int64 { return int64(session)*7919%20011 + 600 }}, msgs...)
	for i := 0; i < 100 && len(a.srv.UIDs()) > 0; i++ {
		a.opts.Pipelining = i%3 != 2
		a.run()
		a.srv.Wait()
	}
	a.want(msgs...)
	a.wantEmpty()
}
