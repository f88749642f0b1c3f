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

	"mailhaul/fetch/pop3/pop3test"
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
	waits(1+1+1, 1+2+1) // RETR; by chance one flight or two
	waits(1+1, 1+1)
	a.opts.Keep = false
	waits(1+1+1+1, 1+1+1+1) // TOP; DELE with STAT
	waits(1+1, 1+1)
	a.opts.NoCapa = true // and one at a time: an empty maildrop
	waits(1+1, 1+1)
}

// TestNoNoop commits in the midst of a retrieval that asks for one message at a time: the server has
// just answered, and needs no NOOP.
func TestNoNoop(t *testing.T) {
	a := open(t, pop3test.Config{}, mails(batchMessages+1, 10)...)
	a.opts.Pipelining = false
	a.clean()
	if slices.Contains(a.commands(1), "NOOP") {
		t.Error("the server was sent a NOOP")
	}
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

// TestStoppedOften has a deadline that is too short for all that is to be compared before it is deleted:
// each other run deletes some of it.
func TestStoppedOften(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		msgs := mails(400, 100)
		var cancel context.CancelFunc
		said := 0
		a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
			if strings.HasPrefix(command, "TOP ") {
				if said++; said == 150 {
					cancel()
				}
			}
			return "", false
		}}, msgs...)
		a.opts.Pipelining = ahead
		for _, m := range msgs {
			a.record(delivered(m, time.Now()))
		}
		runs := 0
		for ; runs < 20 && len(a.srv.UIDs()) > 0; runs++ {
			var ctx context.Context
			ctx, cancel = context.WithCancel(t.Context())
			said = 0
			if ahead { // of what is sent ahead little is compared
				ctx = expiring{ctx}
			}
			a.runContext(ctx)
			cancel()
			a.srv.Wait()
		}
		a.want()
		a.wantEmpty()
		t.Logf("ahead %v: %d runs", ahead, runs)
	}
}

// An expiring ends as a deadline does when it is cancelled.
type expiring struct{ context.Context }

func (e expiring) Err() error {
	if e.Context.Err() != nil {
		return context.DeadlineExceeded
	}
	return nil
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
