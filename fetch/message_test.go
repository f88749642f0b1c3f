package fetch

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

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
			attempts := 1 // of the message: what ails the server is not its fault
			if text != "no" {
				attempts = 0
			}
			if es := a.entries("uid-3"); len(es) != 1 || es[0].Status != state.Failed || es[0].Attempts != attempts {
				t.Errorf("recorded: %+v", es)
			}
			if a.run(); !a.events[len(a.events)-1].Repeated {
				t.Errorf("told anew: %+v", a.events)
			}
			if es := a.entries("uid-3"); es[0].Attempts != 2*attempts || es[0].Next.IsZero() != (attempts == 0) {
				t.Errorf("recorded: %+v", es)
			}
			mended, a.opts.Retry = true, true
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
	a.dir = t.TempDir() // see TestMemory
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

// So it is where it shares its unique-id with another: they keep no others from coming, nor from being deleted.
func TestBreaksShared(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		for _, endless := range []bool{true, false} {
			msgs := mails(6, 100)
			msgs[2].UID = msgs[1].UID
			if endless {
				msgs[1].Text, msgs[1].Repeat, msgs[1].Size = strings.Repeat("x", 4<<10)+"\r\n", 1<<30, 100
			}
			a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
				return "", !endless && strings.HasPrefix(command, "RETR ") && strings.Contains(s.Do(command), "<uid-2@")
			}}, msgs...)
			for i := range 4 {
				a.opts.Pipelining = ahead && i == 0 // so a run goes on
				a.run()
				a.srv.Wait()
			}
			a.want(msgs[0], msgs[3], msgs[4], msgs[5])
			a.wantLeft("uid-2", "uid-2")
		}
	}
}

// Nor does it keep any other from the destinations that follow.
func TestBreaksSharedForOthers(t *testing.T) {
	msgs := mails(3, 150)
	msgs[1].UID = msgs[0].UID
	a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "RETR 1", Do: pop3test.Cut}}}, msgs...)
	b := *a
	b.dir = memory(t)
	for range 12 {
		both(a, &b)
		a.srv.Wait()
	}
	b.want(msgs[2])
	a.wantLeft("uid-1", "uid-1")
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

// A recorded message that the server does not show is told of once a day, as any other.
func TestRecordedAndRefused(t *testing.T) {
	msgs := mails(3, 200)
	a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "TOP 1 0"}, {On: "RETR 1"}}}, msgs...)
	a.record(delivered(msgs[0], time.Now()))
	for i := range 3 {
		was := read(t, a.statePath())
		_, err := a.run()
		a.srv.Wait()
		var left *LeftError
		if !errors.As(err, &left) || left.Messages != 1 {
			t.Error(err)
		}
		for _, e := range a.events {
			if e.Type == Failed && e.Repeated != (i > 0) {
				t.Errorf("run %d: %+v", i, e)
			}
		}
		if i == 2 && read(t, a.statePath()) != was {
			t.Error("the state was written")
		}
	}
	a.wantLeft("uid-1")
}
