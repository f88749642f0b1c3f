package fetch

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// TestRefusedDeletion has servers that do not delete: the next run must do it without retrieving.
func TestRefusedDeletion(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault pop3test.Fault
		left  []string // behind the faulty session
	}{
		{"DELE is refused", pop3test.Fault{On: "DELE 2", Text: "locked"}, []string{"uid-2"}},
		{"every DELE is refused", pop3test.Fault{On: "DELE *"}, []string{"uid-1", "uid-2", "uid-3"}},
		{"cut at DELE", pop3test.Fault{On: "DELE 2", Do: pop3test.Cut}, []string{"uid-1", "uid-2", "uid-3"}},
		{"QUIT says that not all is deleted", pop3test.Fault{On: "QUIT", Do: pop3test.Answer, Text: "-ERR some messages not removed"}, nil},
		{"QUIT is refused", pop3test.Fault{On: "QUIT"}, []string{"uid-1", "uid-2", "uid-3"}},
		{"cut at QUIT, deleted", pop3test.Fault{On: "QUIT", Do: pop3test.Cut}, nil},
		{"cut at QUIT, not deleted", pop3test.Fault{On: "QUIT", Do: pop3test.Cut, Skip: true}, []string{"uid-1", "uid-2", "uid-3"}},
	} {
		for _, ahead := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, ahead %v", tt.name, ahead), func(t *testing.T) {
				msgs := mails(3, 200)
				tt.fault.Session = 1
				a := open(t, pop3test.Config{Faults: []pop3test.Fault{tt.fault}}, msgs...)
				a.opts.Pipelining = ahead
				sum, err := a.run()
				if !errors.Is(err, ErrNotDeleted) {
					t.Errorf("error: %v", err)
				}
				a.srv.Wait()
				a.wantLeft(tt.left...)
				if sum.Delivered != 3 || sum.Left != 0 {
					t.Errorf("%+v", sum)
				}
				if tt.name == "DELE is refused" {
					if got := a.reasons(Failed); len(got) != 1 || sum.Deleted != 2 {
						t.Errorf("told %q, %+v", got, sum)
					}
				} else if sum.Deleted != 0 {
					t.Errorf("%d deletions are claimed", sum.Deleted)
				}
				a.clean()
				a.want(msgs...)
				a.wantEmpty()
				if said := a.commands(2); slices.ContainsFunc(said, func(c string) bool { return strings.HasPrefix(c, "RETR") }) {
					t.Errorf("retrieved again: %q", said)
				}
			})
		}
	}
}

// TestStatFewer has a server that counts fewer messages behind DELE than must be left.
func TestStatFewer(t *testing.T) {
	msgs := mails(4, 200)
	a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
		if command == "STAT" && s.Num == 2 && s.Count() > 10 {
			return "+OK 1 200", true
		}
		return "", false
	}}, msgs[:2]...)
	a.opts.Keep = true
	a.clean()
	a.srv.Add(msgs[2:]...)
	a.record(state.Entry{UID: "uid-1", Status: state.Seen, Time: time.Now()}, state.Entry{UID: "uid-2", Status: state.Seen, Time: time.Now()})
	a.opts.Keep = false
	if _, err := a.run(); !errors.Is(err, pop3.ErrProtocol) {
		t.Errorf("error: %v\n%s", err, a.transcript())
	}
	a.srv.Wait()
	a.wantLeft("uid-1", "uid-2", "uid-3", "uid-4")
	if slices.Contains(a.commands(2), "QUIT") {
		t.Errorf("QUIT was sent: %q", a.commands(2))
	}
	a.clean()
	a.wantLeft("uid-1", "uid-2") // seen: never ours to delete
	a.want(msgs...)
}

// TestExpire0 has servers that may delete at QUIT what was only retrieved.
func TestExpire0(t *testing.T) {
	caps := []string{"PIPELINING", "TOP", "UIDL", "EXPIRE 0"}
	msgs := mails(4, 3000)
	msgs[2].Size = 10

	t.Run("retrieved and not delivered", func(t *testing.T) {
		a := open(t, pop3test.Config{Caps: caps, ExpireRetrieved: true}, append(msgs, mail("small", 100))...)
		a.opts.MaxSize = 1000
		if _, err := a.run(); !errors.Is(err, ErrNotDeleted) {
			t.Error(err)
		}
		a.srv.Wait()
		if slices.Contains(a.commands(1), "QUIT") {
			t.Errorf("QUIT was sent: %q", a.commands(1))
		}
		var left *LeftError
		if _, err := a.run(); !errors.As(err, &left) || errors.Is(err, ErrNotDeleted) {
			t.Error(err) // what failed is not tried where something is to be deleted
		}
		a.srv.Wait()
		a.wantLeft("uid-1", "uid-2", "uid-3", "uid-4")
		a.want(mail("small", 100))
		a.opts.MaxSize = 0
		a.clean()
		a.wantEmpty()
		a.want(append(msgs, mail("small", 100))...)
	})
	t.Run("delivered and too short", func(t *testing.T) {
		msgs := mails(4, 1000)
		a := open(t, pop3test.Config{Caps: caps, ExpireRetrieved: true, Faults: []pop3test.Fault{
			{On: "RETR 3", Do: pop3test.Answer, Text: "+OK\r\n.\r\n"}}}, msgs...)
		a.run()
		a.run()
		a.srv.Wait()
		a.wantLeft("uid-3")
	})
}

// TestServerSilent has the server fall silent; the time-out ends it.
func TestServerSilent(t *testing.T) {
	for _, on := range []string{"CAPA", "STAT", "UIDL", "LIST", "RETR 3", "DELE 2", "QUIT"} {
		for _, ahead := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				msgs := mails(4, 100)
				a := open(t, pop3test.Config{Memory: true, Faults: []pop3test.Fault{{On: on, Session: 1, Do: pop3test.Stall, After: 3}}}, msgs...)
				a.opts.Pipelining = ahead
				begin := time.Now()
				if _, err := a.run(); err == nil {
					t.Errorf("%s: no error", on)
				}
				if took := time.Since(begin); took != time.Minute {
					t.Errorf("%s: it took %v", on, took)
				}
				a.opts.Pipelining = false
				a.clean()
				a.want(msgs...)
				a.wantEmpty()
				a.srv.Close()
			})
		}
	}
}

// TestEmptyMaildrop costs two waits where nothing can be sent ahead.
func TestEmptyMaildrop(t *testing.T) {
	a := open(t, pop3test.Config{})
	a.caps = nil
	a.opts.NoCapa = true
	a.clean()
	if got, want := a.commands(1), []string{"STAT", "QUIT"}; !slices.Equal(got, want) {
		t.Errorf("said %q", got)
	}
}

// TestStrangeUIDs has unique-ids of all kinds of octets.
func TestStrangeUIDs(t *testing.T) {
	var msgs []pop3test.Message
	for i, uid := range []string{"#x", "[a]", "a/b", "a-b", "..", `"`, "%41", "A", "a", "~", "\xff\xfe", "with blanks in it", strings.Repeat("l", 300), "=", "é"} {
		m := mail(fmt.Sprint("m", i), 100+i*13)
		m.UID = uid
		msgs = append(msgs, m)
	}
	a := open(t, pop3test.Config{}, msgs...)
	a.opts.Keep = true
	a.clean()
	a.wantRecorded(msgs...)
	a.wantIdle()
	a.opts.Keep = false
	a.clean()
	a.want(msgs...)
	a.wantEmpty()
}

// TestLostBeforeListing changes nothing.
func TestLostBeforeListing(t *testing.T) {
	a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "UIDL", Do: pop3test.Cut, After: 9}}}, mails(3, 100)...)
	if _, err := a.run(); !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrNoPipelining) {
		t.Error(err)
	}
	if _, err := state.Read(a.statePath()); err != nil {
		t.Error(err)
	}
	if read(t, a.statePath()) != "" {
		t.Error("the state was written")
	}
}

// A limit holds for messages, too, whose unique-id was another's.
func TestLimitReused(t *testing.T) {
	known, reused := mails(4, 200), mails(4, 200)
	for i := range reused {
		reused[i] = mail(fmt.Sprint("other-", i), 300)
		reused[i].UID = known[i].UID
	}
	a := open(t, pop3test.Config{}, append(reused, mail("new", 200))...)
	for _, m := range known {
		a.record(delivered(m, time.Now()))
	}
	a.opts.MaxMessages = 2
	for i, want := range []int{2, 2, 1} {
		if sum := a.clean(); sum.Delivered != want || sum.Skipped != 3-min(i*2, 3) {
			t.Errorf("run %d: %+v", i, sum)
		}
	}
	a.want(append(reused, mail("new", 200))...)
	a.wantEmpty()
}

// Some servers refuse to list what is not there.
func TestEmptyListingRefused(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "UIDL", Text: "no messages"}, {On: "LIST", Text: "no messages"}}})
		a.opts.Pipelining = ahead
		a.clean()
		a.srv.Mend()
		a.srv.Inject(pop3test.Fault{On: "UIDL", Text: "[SYS/TEMP] no spool"})
		if _, err := a.run(); ahead && !errors.Is(err, ErrUIDLRefused) {
			t.Error(err)
		}
		a.srv.Wait()
	}
}

// Where messages are deleted, an empty maildrop behind an unanswered QUIT is what was asked for.
func TestGoneAsAsked(t *testing.T) {
	a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "QUIT", Session: 1, Do: pop3test.Cut}}}, mails(3, 100)...)
	if _, err := a.run(); !errors.Is(err, ErrNotDeleted) {
		t.Error(err)
	}
	a.srv.Wait()
	a.wantEmpty()
	for range 2 {
		a.clean()
		for _, e := range a.events {
			if e.Type == Failed {
				t.Errorf("told %+v", e)
			}
		}
	}
	if len(a.entries("uid-1")) == 0 {
		t.Error("forgotten at once: the listing may be wrong")
	}
	a.opts.Keep = true // then it is strange
	a.clean()
	if last := a.events[0]; !last.Warning {
		t.Errorf("no warning: %+v", a.events)
	}
}

// Lines of a listing that are not understood are told of once a day.
func TestGarbledListing(t *testing.T) {
	a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
		if command == "UIDL" {
			return strings.Replace(s.Do(command), "\r\n.\r\n", "\r\nx\r\n.\r\n", 1), true
		}
		return "", false
	}}, mails(2, 100)...)
	a.opts.Keep = true
	for i := range 3 {
		a.clean()
		for _, e := range a.events {
			if e.Type == Failed && e.Repeated != (i > 0) {
				t.Errorf("run %d: %+v", i, e)
			}
		}
	}
	a.wantIdle()
}

// Where another program empties the maildrop again and again, that is warned of once a day, too, however
// many messages are known by then.
func TestEmptiedOften(t *testing.T) {
	dir := memory(t)
	warnings := 0
	for i := range 4 {
		for _, listed := range [][]pop3test.Message{{mail(fmt.Sprint("uid-", i), 100)}, nil} {
			a := open(t, pop3test.Config{}, listed...)
			a.dir = dir
			a.opts.Keep = true
			a.clean()
			for _, e := range a.events {
				if e.Warning && !e.Repeated {
					warnings++
				}
			}
		}
	}
	if warnings != 1 {
		t.Errorf("warned %d times", warnings)
	}
}
