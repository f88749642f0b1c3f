package fetch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// TestWaits counts the round trips of a run behind the login: the listings are one, and QUIT is one.
func TestWaits(t *testing.T) {
	msgs := mails(200, 400)
	a := open(t, pop3test.Config{}, msgs...)
	waits := func(least, most int) {
		t.Helper()
		a.clean()
		n := a.srv.Sessions()
		if got := a.srv.Session(n).Waits() - 2; got < least || got > most { // USER, PASS
			t.Errorf("%d waits, want %d to %d: %q", got, least, most, a.commands(n))
		}
	}
	a.opts.Keep = true
	waits(1+2+1, 1+maxStart+2+1) // RETR, in the beginning a few groups: by chance one flight or more
	waits(1+1, 1+1)
	a.opts.Keep = false
	waits(1+1+1+1, 1+1+1+1) // TOP; DELE with STAT
	waits(1+1, 1+1)
	a.opts.NoCapa = true // and one at a time: an empty maildrop
	waits(1+1, 1+1)
}

// TestStopped ends the context in the midst of a run: what is proven is delivered and recorded, and
// nothing is deleted.
func TestStopped(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		for _, at := range []string{"STAT", "RETR 1", "RETR 20", "UIDL 32", "RETR 40", "TOP 1 0", "DELE 20", "QUIT"} {
			t.Run(fmt.Sprintf("%s, ahead %v", at, ahead), func(t *testing.T) {
				msgs := mails(40, 150)
				ctx, cancel := context.WithCancelCause(t.Context())
				why := errors.New("a signal")
				a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
					if command == at && s.Num == 2 {
						cancel(why)
					}
					return "", false
				}}, msgs[0])
				a.opts.Keep = true
				a.clean()
				a.opts.Keep = false
				a.srv.Add(msgs[1:]...)
				a.opts.Pipelining = ahead
				sum, err := a.runContext(ctx)
				a.srv.Wait()
				if ctx.Err() == nil {
					t.Skip("never said") // UIDL n and one at a time
				}
				if at == "QUIT" || at == "DELE 20" { // too late to stop anything
					if err != nil {
						t.Error(err)
					}
					a.wantEmpty()
				} else if !errors.Is(err, ErrStopped) || !errors.Is(err, why) {
					t.Errorf("error: %v", err)
				}
				if slices.Contains(a.commands(2), "QUIT") != (at == "QUIT" || at == "DELE 20") {
					t.Errorf("QUIT: %q", a.commands(2))
				}
				if at == "RETR 20" && !ahead && sum.Delivered != 19 {
					t.Errorf("%d were delivered", sum.Delivered)
				}
				a.clean()
				a.want(msgs...)
				a.wantEmpty()
			})
		}
	}
}

// TestStoppedWhileSilent has a server that goes silent: the run ends seconds behind the context.
func TestStoppedWhileSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t, pop3test.Config{Memory: true, Faults: []pop3test.Fault{{On: "RETR 20", Do: pop3test.Stall, After: 50}}}, mails(40, 100)...)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		begin := time.Now()
		sum, err := a.runContext(ctx)
		if !errors.Is(err, ErrStopped) || !errors.Is(err, context.DeadlineExceeded) || sum.Delivered != 16 {
			t.Errorf("%v, %+v", err, sum)
		}
		if took := time.Since(begin); took != 20*time.Second+grace {
			t.Errorf("it took %v", took)
		}
		if es := a.entries("uid-20"); len(es) > 0 {
			t.Errorf("the message is blamed: %+v", es)
		}
		a.srv.Close()
	})
}

// TestCommand delivers to a receiver that takes its time: nothing may be unanswered while it has a
// message, and the server hears from us every ten seconds.
func TestCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		msgs := mails(chunkMessages+5, 100)
		a := open(t, pop3test.Config{Memory: true}, msgs...)
		p := &post{}
		a.mailTo(p)
		p.commit = func(string) {
			synctest.Wait() // the server has nothing more to answer, and waits
			if retr, last := a.srv.Commands(1), ""; len(retr) > 0 {
				if last = retr[len(retr)-1]; !strings.HasPrefix(last, "UIDL ") && last != "NOOP" {
					t.Errorf("behind %s", last)
				}
			}
			time.Sleep(3 * time.Second) // which synctest passes over
		}
		a.clean()
		a.wantEmpty()
		if counts := p.taken(msgs); len(counts) == 0 || slices.Max(counts) != 1 || slices.Min(counts) != 1 {
			t.Errorf("given %v", counts)
		}
		noops := 0
		for _, c := range a.commands(1) {
			if c == "NOOP" {
				noops++
			}
		}
		if want := len(msgs) * 3 / 10; noops < want-5 || noops > want+1 {
			t.Errorf("%d NOOPs, want about %d", noops, want)
		}
		if i := slices.Index(a.commands(1), "NOOP"); !strings.HasPrefix(a.commands(1)[i-1], fmt.Sprint("UIDL ", chunkMessages)) {
			t.Errorf("the first NOOP is behind %q", a.commands(1)[i-1])
		}
		a.srv.Close()
	})
}

// TestUnanswered looks at the client whenever a command has a message.
func TestUnanswered(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		msgs := mails(30, 100)
		a := open(t, pop3test.Config{}, msgs...)
		st, err := state.Open(a.statePath(), identity)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		c, err := a.login()
		if err != nil {
			t.Fatal(err)
		}
		p := &post{}
		a.mailTo(p)
		p.commit = func(string) {
			if n, octets := c.Unanswered(); n+octets > 0 {
				t.Errorf("%d commands, %d octets unanswered", n, octets)
			}
		}
		if _, err := Run(t.Context(), c, st, p, Options{Pipelining: ahead, Caps: pipelining}); err != nil {
			t.Error(err)
		}
		if len(p.taken(msgs)) != 30 {
			t.Error("not all were given")
		}
	}
}

// TestCommandFails has a receiver that refuses one message, for good or for now, and one that is
// sick.
func TestCommandFails(t *testing.T) {
	for _, tt := range []struct {
		name      string
		err       *deliver.Error
		delivered int
		left      []string
		temporary bool
	}{
		{"refuses one", &deliver.Error{Target: "post", Err: errors.New("no such user"), Message: true}, 4, []string{"uid-3"}, false},
		{"not now", &deliver.Error{Target: "post", Err: errors.New("status 75"), Message: true, Temporary: true}, 4, []string{"uid-3"}, true},
		{"is sick", &deliver.Error{Target: "post", Err: errors.New("killed"), Temporary: true}, 2, []string{"uid-1", "uid-2", "uid-3", "uid-4", "uid-5"}, false},
		{"is missing", &deliver.Error{Target: "post", Err: deliver.ErrCreate}, 2, []string{"uid-1", "uid-2", "uid-3", "uid-4", "uid-5"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			msgs := mails(5, 100)
			a := open(t, pop3test.Config{}, msgs...)
			p := &post{fail: func(uid string) error {
				if uid == "uid-3" {
					return tt.err
				}
				return nil
			}}
			a.mailTo(p)
			sum, err := a.run()
			a.srv.Wait()
			if sum.Delivered != tt.delivered {
				t.Errorf("%+v", sum)
			}
			a.wantLeft(tt.left...)
			var left *LeftError
			if tt.err.Message {
				if !errors.As(err, &left) || left.Messages != 1 || left.Temporary != tt.temporary {
					t.Errorf("error: %v", err)
				}
			} else if !errors.Is(err, tt.err) || errors.As(err, &left) {
				t.Errorf("error: %v", err)
			}
			p.fail = nil
			a.clean()
			a.wantEmpty()
			if counts := p.taken(msgs); !slices.Equal(counts, []int{1, 1, 1, 1, 1}) {
				t.Errorf("given %v", counts)
			}
			if doubt := len(p.inDoubt) > 0; doubt != (tt.name == "is sick") {
				t.Errorf("in doubt: %q", p.inDoubt)
			}
		})
	}
}
