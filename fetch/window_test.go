package fetch

import (
	"context"
	"fmt"

	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// A counter is a connection that looks, whenever something goes out, how much is unanswered, and how
// much has come in by then.
type counter struct {
	net.Conn
	c      *pop3.Client
	most   int
	writes int
	in     int64
	before map[string]int64 // octets that had come in when a line went out
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in += int64(n)
	return n, err
}

func (c *counter) Write(p []byte) (int, error) {
	if c.c != nil {
		_, octets := c.c.Unanswered()
		c.most = max(c.most, octets)
		c.writes++
		for line := range strings.Lines(string(p)) {
			c.before[strings.TrimSpace(line)] = c.in
		}
	}
	return c.Conn.Write(p)
}

// watched is one run over a counter.
func (a *account) watched(opts Options) *counter {
	a.t.Helper()
	conn, err := net.Dial("tcp", a.srv.Addr)
	if err != nil {
		a.t.Fatal(err)
	}
	w := &counter{Conn: conn, before: map[string]int64{}}
	if w.c, err = pop3.New(w, nil); err != nil {
		a.t.Fatal(err)
	}
	if err := w.c.UserPass("user", "secret"); err != nil {
		a.t.Fatal(err)
	}
	st, err := state.Open(a.statePath(), identity)
	if err != nil {
		a.t.Fatal(err)
	}
	defer st.Close()
	target := a.open()
	defer target.Close()
	opts.Server, opts.Pipelining, opts.Caps = "pop.example.com", true, pipelining
	if _, err := Run(context.Background(), w.c, st, target, opts); err != nil {
		a.t.Error(err)
	}
	a.srv.Wait()
	return w
}

// TestWindow has a long mailbox: much is sent ahead, but never more than fits into the buffers of
// both sides, and every 16th text is proven.
func TestWindow(t *testing.T) {
	msgs := mails(2500, 100)
	for i := range msgs {
		msgs[i] = mail(fmt.Sprint("uid-", i), 100+i%90)
	}
	a := open(t, pop3test.Config{}, msgs...)
	for _, opts := range []Options{{Keep: true}, {}} { // RETR; TOP and DELE
		w := a.watched(opts)
		if w.most > maxCommands || w.most < maxCommands*3/4 {
			t.Errorf("%+v: up to %d octets were unanswered", opts, w.most)
		}
	}
	a.srv.Wait()
	a.want(msgs...)
	a.wantEmpty()
	for session := 1; session <= 2; session++ {
		texts := 0
		for _, c := range a.commands(session) {
			switch {
			case strings.HasPrefix(c, "UIDL "):
				texts = 0
			case strings.HasPrefix(c, "RETR ") || strings.HasPrefix(c, "TOP "):
				if texts++; texts > maxGroup {
					t.Fatalf("session %d: %d texts without a proof", session, texts)
				}
			}
		}
	}
}

// TestPieces has so many messages that their DELEs are more than the window holds: each refill is much
// of it, not one command. (A packet for each costs both sides more than all the rest of the run.)
func TestPieces(t *testing.T) {
	var msgs []pop3test.Message
	for i := range 6000 {
		msgs = append(msgs, pop3test.Message{UID: fmt.Sprint("uid-", i), Text: fmt.Sprintf("Subject: %d\r\n\r\n", i)})
	}
	a := open(t, pop3test.Config{}, msgs...)
	if n := a.watched(Options{}).writes; n > 60 {
		t.Errorf("commands went out in %d pieces", n)
	}
	a.wantEmpty()
}

// TestHuge has a message of more than 1 MiB: until most of it has come, nothing is sent behind it.
func TestHuge(t *testing.T) {
	huge := pop3test.Message{UID: "huge", Text: strings.Repeat("x", 998) + "\r\n", Repeat: 4 << 10}
	msgs := []pop3test.Message{mail("a", 100), huge, mail("b", 120), mail("c", 150)}
	a := open(t, pop3test.Config{}, msgs...)
	if in := a.watched(Options{}).before["RETR 3"]; in < huge.Octets()-big || in > huge.Octets() {
		t.Errorf("the next was sent for when %d octets had come", in)
	}
	if got, want := a.commands(1)[4:9], []string{"RETR 1", "RETR 2", "UIDL 2", "RETR 3", "RETR 4"}; !slices.Equal(got, want) {
		t.Errorf("said %q", got)
	}
	msgs[1].Text = strings.Repeat(huge.Text, huge.Repeat)
	a.want(msgs...)
	a.wantEmpty()
}

// TestUnknownSizes has a server without LIST: each message may be huge.
func TestUnknownSizes(t *testing.T) {
	msgs := mails(20, 100)
	a := open(t, pop3test.Config{NoLIST: true}, msgs...)
	a.clean()
	a.want(msgs...)
	a.wantEmpty()
	if a.srv.Session(1).Waits() < 20 {
		t.Errorf("%d waits", a.srv.Session(1).Waits())
	}
}

// TestMemory has a message of 64 MB, which must pass through in pieces.
func TestMemory(t *testing.T) {
	huge := pop3test.Message{UID: "huge", Text: strings.Repeat("x", 62) + "\r\n", Repeat: 1 << 20}
	a := open(t, pop3test.Config{}, huge)
	a.dir = t.TempDir() // a container has 64 MB of memory() for all
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a.clean()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
		t.Errorf("%d KB were allocated", got>>10)
	}
	files, _ := filepath.Glob(filepath.Join(a.maildir(), "new", "*"))
	if len(files) != 1 {
		t.Fatalf("%q", files)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Size() < 63<<20 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestManyMessages has a listing of 50,000 messages, all of them known: a run that costs little.
func TestManyMessages(t *testing.T) {
	var msgs []pop3test.Message
	var es []state.Entry
	for i := range 50_000 {
		m := pop3test.Message{UID: fmt.Sprintf("%016x-%016x", i, i*i), Text: "\r\n"}
		msgs = append(msgs, m)
		es = append(es, state.Entry{UID: m.UID, Status: state.Delivered, Time: timeOf(i), Head: headOf(msgs[0]), Body: bodyOf(msgs[0])})
	}
	a := open(t, pop3test.Config{}, msgs...)
	a.record(es...)
	a.opts.Keep = true
	st, err := state.Open(a.statePath(), identity)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	c, err := a.login()
	if err != nil {
		t.Fatal(err)
	}
	target, err := deliver.NewMaildir(a.maildir(), deliver.MaildirOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak := uint64(0)
	opts := a.opts
	opts.Caps = pipelining
	opts.Events = func(e Event) {
		if e.Type == Account {
			runtime.GC()
			runtime.ReadMemStats(&after)
			peak = after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc)
		}
	}
	if sum, err := Run(t.Context(), c, st, target, opts); err != nil || sum.Skipped != 50_000 {
		t.Errorf("%+v, %v", sum, err)
	}
	t.Logf("%d KB for 50,000 messages", peak>>10)
	if peak > 24<<20 {
		t.Errorf("%d KB are held for 50,000 messages", peak>>10)
	}
}

// BenchmarkRun retrieves, delivers to a maildir and deletes 1,000 messages of 4 KB.
func BenchmarkRun(b *testing.B) {
	var msgs []pop3test.Message
	for i := range 1000 {
		msgs = append(msgs, mail(fmt.Sprint("uid-", i), 4<<10))
	}
	a := open(b, pop3test.Config{})
	a.dir = b.TempDir() // a disk, if it is one
	b.SetBytes(1000 * 4 << 10)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		a.srv.Add(msgs...)
		os.RemoveAll(a.dir)
		b.StartTimer()
		if sum, err := a.runContext(context.Background()); err != nil || sum.Delivered != 1000 || sum.Deleted != 1000 {
			b.Fatalf("%+v, %v", sum, err)
		}
	}
}

// BenchmarkIdle is a run in which all is known and kept.
func BenchmarkIdle(b *testing.B) {
	a := open(b, pop3test.Config{}, mails(1000, 100)...)
	a.opts.Keep = true
	a.clean()
	b.ReportAllocs()
	for b.Loop() {
		a.clean()
	}
}

// A window of DELE that begins small because RETRs were few grows with what is answered, and the
// deletion of many messages takes no flight for each few.
func TestDeleteWindowGrows(t *testing.T) {
	msgs := mails(3000, 20)
	a := open(t, pop3test.Config{Caps: pipelining}, msgs...)
	var es []state.Entry
	for _, m := range msgs {
		es = append(es, delivered(m, time.Now()))
	}
	a.record(es...)
	if sum := a.clean(); sum.Deleted != len(msgs) {
		t.Errorf("%+v", sum)
	}
	a.wantEmpty()
	// A hundred at a time would take forty.
	if n := a.srv.Waits(); n > 25 {
		t.Errorf("%d flights", n)
	}
}
