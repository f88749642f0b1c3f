package fetch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// TestOrder looks at the disk whenever the server is told to delete: the message must be in the
// maildir, and its unique-id in the state.
func TestOrder(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		msgs := mails(30, 100)
		var a *account
		var deleted int
		a = open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
			var num int
			if _, err := fmt.Sscanf(command, "DELE %d", &num); err != nil {
				return "", false
			}
			deleted++
			m := msgs[num-1]
			if es := a.entries(m.UID); len(es) != 1 || es[0].Status != state.Delivered || es[0].Body != bodyOf(m) {
				t.Errorf("%s: the state has %+v", command, es)
			}
			if !slices.Contains(a.stored(), stored(m)) {
				t.Errorf("%s: the message is not in the maildir", command)
			}
			return "", false
		}}, msgs...)
		a.opts.Pipelining = ahead
		a.clean()
		if deleted != len(msgs) {
			t.Errorf("%d were deleted", deleted)
		}
	}
}

// TestIdentify has what an earlier session recorded: it is looked at before it is deleted.
func TestIdentify(t *testing.T) {
	recorded := time.Now().Add(-time.Hour)
	one, two := mail("a", 300), mail("b", 400)
	other := mail("other", 300)
	other.UID = "a"
	sameHead := one // only the body differs
	sameHead.Text += "more\r\n"
	newHead := one // the server adds to the header
	newHead.Text = "X-Seen: yes\r\n" + newHead.Text
	twin := mail("a", 300)
	alarm := pop3test.Message{UID: "a", Text: "Subject: alarm\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\n\r\nroom 1\r\n"} // as devices send them
	alarm2 := alarm
	alarm2.Text = strings.Replace(alarm.Text, "room 1", "room 2", 1)
	bare, bare2 := pop3test.Message{UID: "a", Text: "\r\none\r\n"}, pop3test.Message{UID: "a", Text: "\r\ntwo\r\n"}
	for _, tt := range []struct {
		name     string
		cfg      pop3test.Config
		recorded []state.Entry
		keep     bool
		listed   []pop3test.Message
		stored   []pop3test.Message // delivered by this run
		left     []string
		said     string // commands between the listings and QUIT, STAT left out
	}{
		{name: "the same", recorded: []state.Entry{delivered(one, recorded), delivered(two, recorded)},
			listed: []pop3test.Message{one, two}, said: "TOP 1 0,TOP 2 0,UIDL 2,DELE 2,DELE 1"},
		{name: "the same, no TOP", cfg: pop3test.Config{NoTOP: true}, recorded: []state.Entry{delivered(one, recorded), delivered(two, recorded)},
			listed: []pop3test.Message{one, two}, said: "TOP 1 0,RETR 1,RETR 2,UIDL 2,DELE 2,DELE 1"},
		{name: "another under the same unique-id", recorded: []state.Entry{delivered(one, recorded)},
			listed: []pop3test.Message{other}, stored: []pop3test.Message{other}, said: "TOP 1 0,UIDL 1,RETR 1,UIDL 1,RETR 1,UIDL 1,DELE 1"},
		{name: "another, listed again after its deletion", recorded: []state.Entry{tombstone(one, recorded)},
			listed: []pop3test.Message{other}, stored: []pop3test.Message{other}, said: "TOP 1 0,UIDL 1,RETR 1,UIDL 1,RETR 1,UIDL 1,DELE 1"},
		{name: "another, and kept", keep: true, recorded: []state.Entry{tombstone(one, recorded)},
			listed: []pop3test.Message{other}, stored: []pop3test.Message{other}, left: []string{"a"}, said: "TOP 1 0,UIDL 1,RETR 1,UIDL 1,RETR 1,UIDL 1"},
		{name: "changed by the server", recorded: []state.Entry{delivered(one, recorded)},
			listed: []pop3test.Message{newHead}, stored: []pop3test.Message{newHead}, said: "TOP 1 0,UIDL 1,RETR 1,UIDL 1,RETR 1,UIDL 1,DELE 1"},
		{name: "the same header only", recorded: []state.Entry{delivered(one, recorded)},
			listed: []pop3test.Message{sameHead}, said: "TOP 1 0,UIDL 1,DELE 1"}, // by design: the header decides
		{name: "a header that tells nothing, another", recorded: []state.Entry{delivered(alarm, recorded)},
			listed: []pop3test.Message{alarm2}, stored: []pop3test.Message{alarm2}, said: "TOP 1 0,UIDL 1,RETR 1,UIDL 1,RETR 1,UIDL 1,DELE 1"},
		{name: "a header that tells nothing, another after a deletion", recorded: []state.Entry{tombstone(alarm, recorded)},
			listed: []pop3test.Message{alarm2}, stored: []pop3test.Message{alarm2}, said: "TOP 1 0,UIDL 1,RETR 1,UIDL 1,RETR 1,UIDL 1,DELE 1"},
		{name: "a header that tells nothing, the same", recorded: []state.Entry{delivered(alarm, recorded)},
			listed: []pop3test.Message{alarm}, said: "TOP 1 0,UIDL 1,RETR 1,UIDL 1,DELE 1"},
		{name: "no header, another", recorded: []state.Entry{tombstone(bare, recorded)},
			listed: []pop3test.Message{bare2}, stored: []pop3test.Message{bare2}, said: "TOP 1 0,UIDL 1,RETR 1,UIDL 1,RETR 1,UIDL 1,DELE 1"},
		{name: "the server does not delete", recorded: []state.Entry{tombstone(one, recorded)},
			listed: []pop3test.Message{one}, said: "TOP 1 0,UIDL 1,DELE 1"},
		{name: "identical twins, one recorded", recorded: []state.Entry{delivered(one, recorded)},
			listed: []pop3test.Message{one, twin}, stored: []pop3test.Message{one}, said: "RETR 1,RETR 2,UIDL 2,RETR 2,UIDL 2,DELE 2,DELE 1"},
		{name: "identical twins, both recorded", recorded: []state.Entry{delivered(one, recorded), copyOf(one, recorded, 2)},
			listed: []pop3test.Message{one, twin}, said: "RETR 1,RETR 2,UIDL 2,DELE 2,DELE 1"},
		{name: "one of two that were recorded", recorded: []state.Entry{delivered(other, recorded), copyOf(one, recorded, 2)},
			listed: []pop3test.Message{one}, said: "RETR 1,UIDL 1,DELE 1"},
		{name: "a third under a unique-id that was recorded twice", recorded: []state.Entry{delivered(one, recorded), copyOf(sameHead, recorded, 2)},
			listed: []pop3test.Message{other}, stored: []pop3test.Message{other}, said: "RETR 1,UIDL 1,RETR 1,UIDL 1,DELE 1"},
		{name: "new ones come first", recorded: []state.Entry{delivered(one, recorded)},
			listed: []pop3test.Message{one, two}, stored: []pop3test.Message{two}, said: "RETR 2,UIDL 2,TOP 1 0,UIDL 1,DELE 2,DELE 1"},
		{name: "a twin among kept ones", keep: true, recorded: []state.Entry{delivered(one, recorded)},
			listed: []pop3test.Message{one, twin}, stored: []pop3test.Message{one}, left: []string{"a", "a"}, said: "RETR 1,RETR 2,UIDL 2,RETR 2,UIDL 2"},
		{name: "a third among two kept ones", keep: true, recorded: []state.Entry{delivered(one, recorded), copyOf(sameHead, recorded, 2)},
			listed: []pop3test.Message{other, one, sameHead}, stored: []pop3test.Message{other}, left: []string{"a", "a", "a"}, said: "RETR 1,RETR 2,RETR 3,UIDL 3,RETR 1,UIDL 1"},
		{name: "a tombstone among kept ones", keep: true, recorded: []state.Entry{tombstone(one, recorded)},
			listed: []pop3test.Message{one}, left: []string{"a"}, said: "TOP 1 0,UIDL 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := open(t, tt.cfg, tt.listed...)
			a.opts.Keep = tt.keep
			a.record(tt.recorded...)
			a.clean()
			a.want(tt.stored...)
			a.wantLeft(tt.left...)
			said := slices.DeleteFunc(a.commands(1), func(c string) bool {
				return c == "CAPA" || c == "STAT" || c == "UIDL" || c == "LIST" || c == "QUIT"
			})
			if got := strings.Join(said, ","); got != tt.said {
				t.Errorf("said %s\nwant %s", got, tt.said)
			}
			if tt.keep { // and it settles
				a.wantIdle()
			} else {
				a.clean()
				a.wantIdle()
			}
			a.want(tt.stored...)
		})
	}
}

// TestHalfTwin has two messages of one unique-id, of one of which only a part had come. The part comes
// again and is still not deleted.
func TestHalfTwin(t *testing.T) {
	one, half := mail("a", 300), pop3test.Message{UID: "a", Text: "Subject: half\r\n"}
	short := copyOf(half, time.Now(), 2)
	short.Reason = "half of it"
	a := open(t, pop3test.Config{}, one, half)
	a.record(delivered(one, time.Now()), short)
	_, err := a.run()
	var left *LeftError
	if !errors.As(err, &left) || left.Messages != 1 {
		t.Error(err)
	}
	a.srv.Wait()
	a.want()
	a.wantLeft("a")
	if m := a.srv.Maildrop(); m[0].Text != half.Text {
		t.Error("the part was deleted")
	}
}

func tombstone(m pop3test.Message, at time.Time) state.Entry {
	e := delivered(m, at)
	e.Status = state.Deleted
	return e
}

func copyOf(m pop3test.Message, at time.Time, copy int) state.Entry {
	e := delivered(m, at)
	e.UID, e.Copy = "a", copy
	return e
}

// A server that hangs up at TOP, as some do at each command that they do not know: in the end the texts
// tell, and what is recorded is deleted.
func TestTopHangsUp(t *testing.T) {
	for _, announced := range []bool{false, true} {
		for _, ahead := range []bool{false, true} {
			msgs := mails(3, 200)
			cfg := pop3test.Config{NoTOP: !announced, Faults: []pop3test.Fault{{On: "TOP *", Do: pop3test.Cut}}}
			a := open(t, cfg, msgs...)
			a.opts.Pipelining = ahead
			for _, m := range msgs {
				a.record(delivered(m, time.Now()))
			}
			for range 4 {
				a.run()
				a.srv.Wait()
			}
			a.want()
			a.wantEmpty()
			a.srv.Mend()
			a.clean()
			a.wantIdle()
		}
	}
}

// Recorded messages at which the server ends the session keep no other from being deleted.
func TestBreaksCompared(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		msgs := mails(6, 200)
		a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "TOP 1 0", Do: pop3test.Cut}, {On: "RETR 1", Do: pop3test.Cut},
			{On: "TOP 2 0", Do: pop3test.Cut}, {On: "RETR 2", Do: pop3test.Cut}}}, msgs...)
		a.opts.Pipelining = ahead
		for _, m := range msgs {
			a.record(delivered(m, time.Now()))
		}
		for range 12 {
			a.run()
			a.srv.Wait()
		}
		a.want()
		a.wantLeft("uid-1", "uid-2")
		a.srv.Mend()
		a.run() // one at a time
		a.srv.Wait()
		a.clean()
		a.wantEmpty()
		a.clean()
		a.wantIdle()
	}
}

// Nor does one whose text does not end when it is compared.
func TestEndlessCompared(t *testing.T) {
	msgs := mails(4, 200)
	endless := delivered(msgs[0], time.Now())
	msgs[0].Text, msgs[0].Repeat, msgs[0].Size = strings.Repeat("x", 4<<10)+"\r\n", 1<<30, 100
	a := open(t, pop3test.Config{}, msgs...)
	a.record(endless)
	for _, m := range msgs[1:] {
		a.record(delivered(m, time.Now()))
	}
	for range 5 {
		a.run()
		a.srv.Wait()
	}
	a.wantLeft("uid-1")
}

// Nor do those that the server does not let go, once a link that broke has made the portions small.
func TestPortionNotDeleted(t *testing.T) {
	msgs := mails(6, 200)
	a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "TOP 6 0", Do: pop3test.Cut, Nth: 1},
		{On: "DELE 1", Do: pop3test.Refuse}, {On: "DELE 2", Do: pop3test.Refuse}, {On: "DELE 3", Do: pop3test.Refuse}}}, msgs...)
	for _, m := range msgs {
		a.record(delivered(m, time.Now()))
	}
	for range 6 {
		a.run()
		a.srv.Wait()
	}
	a.wantLeft("uid-1", "uid-2", "uid-3")
}

// Nor does one of several with one unique-id, whichever it is.
func TestBreaksComparedCopies(t *testing.T) {
	msgs := mails(6, 200)
	msgs[1].UID = msgs[0].UID
	a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "RETR 2", Do: pop3test.Cut}}}, msgs...)
	for i, m := range msgs {
		e := delivered(m, time.Now())
		if i == 1 {
			e.Copy = 2
		}
		a.record(e)
	}
	for range 12 {
		a.run()
		a.srv.Wait()
	}
	a.wantEmpty() // the last one is alone then, and has another number
}

// A link that breaks behind so many octets lets each session compare a part, also where the headers tell nothing.
func TestBreaksComparedTexts(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		msgs := mails(20, 5000)
		for i := range msgs {
			msgs[i].Text = strings.Replace(msgs[i].Text, "Message-ID", "X-ID", 1)
		}
		a := open(t, pop3test.Config{CutAfter: func(int) int64 { return 50_000 }}, msgs...)
		a.opts.Pipelining = ahead
		for _, m := range msgs {
			a.record(delivered(m, time.Now()))
		}
		for range 10 {
			a.run()
			a.srv.Wait()
		}
		a.want()
		a.wantEmpty()
	}
}

// Sessions that end too early, but only when all is compared, delete a part each.
func TestBreaksBehindCompared(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		msgs := mails(20, 200)
		a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
			return "", s.Count() > 32 // USER, PASS and the listings are 6
		}}, msgs...)
		a.opts.Pipelining = ahead
		for _, m := range msgs {
			a.record(delivered(m, time.Now()))
		}
		for range 10 {
			a.run()
			a.srv.Wait()
		}
		a.want()
		a.wantEmpty()
	}
}

// A server that hangs up at the DELE of one message lets all others go.
func TestBreaksAtDele(t *testing.T) {
	for bad := range 24 {
		msgs := mails(12, 200)
		a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
			num, dele := strings.CutPrefix(command, "DELE ")
			return "", dele && strings.Contains(s.Do("RETR "+num), fmt.Sprintf("<uid-%d@", bad%12+1))
		}}, msgs...)
		a.opts.Pipelining = bad < 12
		for _, m := range msgs {
			a.record(delivered(m, time.Now()))
		}
		for range 16 {
			a.run()
			a.srv.Wait()
		}
		a.want()
		a.wantLeft(msgs[bad%12].UID)
	}
}

// Nor where all have one unique-id; and none of that tells anything of TOP, which was never sent.
func TestBreaksComparedCopiesAlone(t *testing.T) {
	for bad := range 6 {
		msgs := mails(3, 200)
		for i := range msgs {
			msgs[i].UID = "a"
		}
		a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
			return "", strings.HasPrefix(command, "RETR ") && strings.Contains(s.Do(command), fmt.Sprintf("uid-%d@", bad%3+1))
		}}, msgs...)
		a.opts.Pipelining = bad < 3
		for i, m := range msgs {
			a.record(copyOf(m, time.Now(), i+1))
		}
		for range 8 {
			a.run()
			a.srv.Wait()
		}
		a.want()
		a.wantLeft("a")
		if notes := read(t, a.statePath()); strings.Contains(notes, "note=top") {
			t.Error(notes)
		}
	}
}

// The portions grow, too, where the server never answers QUIT.
func TestPortionGrowsUnconfirmed(t *testing.T) {
	msgs := mails(20, 200)
	a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "TOP 1 0", Do: pop3test.Cut, Nth: 1}, {On: "QUIT", Do: pop3test.Cut}}}, msgs...)
	for _, m := range msgs {
		a.record(delivered(m, time.Now()))
	}
	for range 6 {
		a.run()
		a.srv.Wait()
	}
	a.want()
	a.wantEmpty()
}

// Nor do they stay small in a session that goes on for another destination, which does not delete.
func TestPortionGrowsForOthers(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		msgs := mails(12, 150)
		for i := range msgs {
			msgs[i].UID = "a"
		}
		a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "RETR 5", Do: pop3test.Cut, Nth: 1}}}, msgs...)
		a.opts.Pipelining = ahead
		a.opts.Keep, a.opts.Others.More = true, true
		for i, m := range msgs[:6] {
			a.record(copyOf(m, time.Now(), i+1))
		}
		for range 6 {
			_, err := a.run() // which leaves the session open
			if got := len(a.stored()); err == nil && got < 6 {
				t.Errorf("no error, and %d of 6 delivered", got)
			}
		}
		a.want(msgs[6:]...)
		if _, err := a.run(); err != nil {
			t.Error(err)
		}
	}
}

// Nor do both kinds together keep what stands between them.
func TestBreaksAndNotDeleted(t *testing.T) {
	for how := range 3 {
		msgs := mails(4, 200)
		a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "DELE 1", Do: pop3test.Refuse}, {On: "TOP 3 0", Do: pop3test.Cut},
			{On: "RETR 3", Do: pop3test.Cut}, {On: "DELE 4", Do: pop3test.Refuse}}}, msgs...)
		for _, m := range msgs {
			a.record(delivered(m, time.Now()))
		}
		for i := range 12 {
			a.opts.Pipelining = how == 0 || how == 1 && i%2 == 0
			a.run()
			a.srv.Wait()
		}
		if slices.Contains(a.srv.UIDs(), "uid-2") {
			t.Errorf("left on the server: %q", a.srv.UIDs())
		}
	}
}
