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

// TestNoUIDL has servers without unique-ids.
func TestNoUIDL(t *testing.T) {
	for _, cfg := range []pop3test.Config{
		{NoUIDL: true},
		{NoUIDL: true, NoLIST: true},
		{NoUIDL: true, NoCAPA: true},
		{NoUIDL: true, NoLIST: true, NoTOP: true, NoCAPA: true},
	} {
		msgs := mails(5, 100)
		a := open(t, cfg, msgs...)
		a.caps = nil
		a.opts.NoCapa = cfg.NoCAPA
		a.clean()
		a.want(msgs...)
		a.wantEmpty()
		if got := a.events[1]; !got.Warning || !strings.Contains(got.Reason, "UIDL") {
			t.Errorf("no warning: %+v", a.events)
		}

		a = open(t, cfg, msgs...)
		a.caps = nil
		a.opts.Keep = true
		if _, err := a.run(); !errors.Is(err, ErrKeepNeedsUIDL) {
			t.Errorf("keep: %v", err)
		}
		a.srv.Wait()
		if len(a.srv.UIDs()) != 5 || slices.Contains(a.commands(1), "RETR 1") {
			t.Errorf("keep: something was done: %q", a.commands(1))
		}
	}
}

// TestUIDLRefused: a server that has unique-ids must give them, or nothing is touched.
func TestUIDLRefused(t *testing.T) {
	msgs := mails(2, 100)
	for _, announced := range []bool{true, false} {
		a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "UIDL", Session: 1}}}, msgs...)
		if !announced {
			a = open(t, pop3test.Config{Caps: []string{"TOP"}, Faults: []pop3test.Fault{{On: "UIDL", Session: 1}}}, msgs...)
			a.caps = nil
			a.record(delivered(mail("old", 50), time.Now())) // an id was seen once
		}
		_, err := a.run()
		if !errors.Is(err, ErrUIDLRefused) {
			t.Errorf("announced %v: %v", announced, err)
		}
		a.srv.Wait()
		if len(a.srv.UIDs()) != 2 || slices.Contains(a.commands(1), "RETR 1") || slices.Contains(a.commands(1), "DELE 1") {
			t.Errorf("something was done: %q", a.commands(1))
		}
	}
}

// TestNoUIDOfOne has a message that the listing gives no unique-id.
func TestNoUIDOfOne(t *testing.T) {
	msgs := mails(3, 100)
	msgs[1].NoUID = true
	a := open(t, pop3test.Config{}, msgs...)
	a.clean()
	a.want(msgs...)
	a.wantEmpty()

	a = open(t, pop3test.Config{}, msgs...)
	a.opts.Keep = true
	sum, err := a.run()
	var left *LeftError
	if !errors.As(err, &left) || sum.Left != 1 || sum.Delivered != 2 {
		t.Errorf("%v, %+v", err, sum)
	}
	a.want(msgs[0], msgs[2])
	a.wantLeft("uid-1", "uid-2", "uid-3")
}

// refuse answers RETR of one unique-id.
func refuse(uid, reply string) func(s *pop3test.Session, command string) (string, bool) {
	return func(s *pop3test.Session, command string) (string, bool) {
		num, ok := strings.CutPrefix(command, "RETR ")
		return reply, ok && strings.HasSuffix(s.Do("UIDL "+num), " "+uid+"\r\n")
	}
}

// TestRetrRefused has one message that the server does not give. It stops no other.
func TestRetrRefused(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		for _, text := range []string{"no", "[SYS/TEMP] not now"} {
			msgs := mails(20, 100)
			mended := false
			a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
				if mended {
					return "", false
				}
				return refuse("uid-3", "-ERR "+text)(s, command)
			}}, msgs...)
			a.opts.Pipelining = ahead
			sum, err := a.run()
			var left *LeftError
			if !errors.As(err, &left) || left.Messages != 1 || left.Temporary != (text != "no") || sum.Delivered != 19 || sum.Deleted != 19 {
				t.Errorf("%v, %+v", err, sum)
			}
			a.srv.Wait()
			a.wantLeft("uid-3")
			if es := a.entries("uid-3"); len(es) != 1 || es[0].Status != state.Failed || es[0].Attempts != 1 {
				t.Errorf("recorded: %+v", es)
			}
			if a.run(); !a.events[len(a.events)-1].Repeated {
				t.Errorf("told anew: %+v", a.events)
			}
			if es := a.entries("uid-3"); es[0].Attempts != 2 {
				t.Errorf("recorded: %+v", es)
			}
			mended = true
			a.clean()
			a.want(msgs...)
			a.wantEmpty()
		}
	}
}

// TestTooLarge has messages over max_size, one of which the server makes small in its listing.
func TestTooLarge(t *testing.T) {
	msgs := mails(4, 100)
	msgs[1] = mail("large", 5000)
	msgs[2] = mail("liar", 6000)
	msgs[2].Size = 10
	a := open(t, pop3test.Config{}, msgs...)
	a.opts.MaxSize = 4000
	sum, err := a.run()
	var left *LeftError
	if !errors.As(err, &left) || left.Messages != 2 || left.Temporary || sum.Delivered != 2 || sum.Deleted != 2 {
		t.Errorf("%v, %+v", err, sum)
	}
	a.srv.Wait()
	a.want(msgs[0], msgs[3])
	a.wantLeft("large", "liar")
	a.opts.MaxSize = 0
	a.clean()
	a.want(msgs...)
	a.wantEmpty()
}

// TestTooLargeIsIdle: what is known to be too large costs no write.
func TestTooLargeIsIdle(t *testing.T) {
	a := open(t, pop3test.Config{}, mail("large", 5000))
	a.opts.MaxSize = 4000
	if _, err := a.run(); err == nil {
		t.Error("no error")
	}
	content := read(t, a.statePath())
	if _, err := a.run(); err == nil {
		t.Error("no error")
	}
	if got := read(t, a.statePath()); got != content {
		t.Errorf("written again:\n%s", got)
	}
}

// TestEndless has a message that does not end. It must not keep the others from coming, run by
// run, nor from being deleted.
func TestEndless(t *testing.T) {
	msgs := mails(4, 100)
	msgs[1] = pop3test.Message{UID: "endless", Text: strings.Repeat("x", 4<<10) + "\r\n", Repeat: 1 << 30, Size: 100}
	a := open(t, pop3test.Config{}, msgs...)
	sum, err := a.run()
	var left *LeftError
	if !errors.As(err, &left) || left.Temporary || sum.Left != 1 {
		t.Errorf("%v, %+v", err, sum)
	}
	if es := a.entries("endless"); len(es) != 1 || es[0].Status != state.Failed {
		t.Errorf("recorded: %+v", es)
	}
	a.opts.Pipelining = false
	for range 3 {
		_, err = a.run()
	}
	if !errors.As(err, &left) || left.Messages != 1 {
		t.Errorf("%v", err)
	}
	a.want(msgs[0], msgs[2], msgs[3])
	a.wantLeft("endless")
}

// TestBreaks has a message at which the server always ends the session.
func TestBreaks(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		msgs := mails(6, 100)
		a := open(t, pop3test.Config{Reply: refuse("uid-3", "")}, msgs...)
		a.opts.Pipelining = ahead
		for range 4 {
			if _, err := a.run(); err == nil {
				t.Error("no error")
			}
			a.srv.Wait()
		}
		a.want(slices.Delete(slices.Clone(msgs), 2, 3)...)
		a.wantLeft("uid-3")
		if es := a.entries("uid-3"); len(es) != 1 || es[0].Status != state.Failed {
			t.Errorf("recorded: %+v", es)
		}
	}
}

// TestEmpty has bodies that are empty or much too short: delivered, and not deleted.
func TestEmpty(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		msgs := mails(20, 200)
		a := open(t, pop3test.Config{Faults: []pop3test.Fault{
			{On: "RETR 5", Do: pop3test.Answer, Text: "+OK\r\n.\r\n"},
			{On: "RETR 8", Do: pop3test.Answer, Text: "+OK\r\nSubject: half\r\n\r\n.\r\n"},
			{On: "RETR 9", Do: pop3test.Answer, Text: "+OK\r\nSubject: half too\r\n\r\n.\r\n"},
		}}, msgs...)
		a.opts.Pipelining = ahead
		sum, err := a.run()
		var left *LeftError
		if !errors.As(err, &left) || left.Messages != 3 || left.Temporary || sum.Delivered != 20 || sum.Deleted != 17 {
			t.Errorf("%v, %+v", err, sum)
		}
		a.srv.Wait()
		a.wantLeft("uid-5", "uid-8", "uid-9")
		short := []pop3test.Message{{}, {Text: "Subject: half\r\n\r\n"}, {Text: "Subject: half too\r\n\r\n"}}
		want := append(slices.Clone(short), msgs...)
		want = slices.DeleteFunc(want, func(m pop3test.Message) bool { return m.UID == "uid-5" || m.UID == "uid-8" || m.UID == "uid-9" })
		a.want(want...)
		for range 2 { // and so it stays
			if _, err := a.run(); !errors.As(err, &left) || left.Messages != 3 {
				t.Errorf("%v", err)
			}
		}
		a.srv.Wait()
		a.wantLeft("uid-5", "uid-8", "uid-9")
		a.want(want...)
	}
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
