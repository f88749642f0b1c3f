package fetch

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

var seeds = flag.Uint64("seeds", 40, "how many seeds the tests at random try")

// A chance is what one seed makes happen, and the log of it.
type chance struct {
	*rand.Rand
	t   *testing.T
	log []string
}

// withSeeds tries each seed, and ends with the first that fails, with what it made happen.
func withSeeds(t *testing.T, try func(c *chance)) {
	for seed := range *seeds {
		c := &chance{Rand: rand.New(rand.NewPCG(seed, 1)), t: t}
		if try(c); t.Failed() {
			t.Fatalf("seed %d\n%s", seed, strings.Join(c.log, "\n"))
		}
	}
}

// one is true once in n times.
func (c *chance) one(n int) bool { return c.IntN(n) == 0 }

func (c *chance) note(format string, args ...any) {
	c.log = append(c.log, fmt.Sprintf(format, args...))
}

// anonymous takes from a message what tells its header from all others.
func anonymous(m *pop3test.Message) { m.Text = strings.Replace(m.Text, "Message-ID", "X-ID", 1) }

// Runs that are killed, cut and not answered, with unique-ids that are used again and listings that hide a part,
// end with each message delivered once and none left.
func TestRandomRuns(t *testing.T) {
	withSeeds(t, func(c *chance) {
		h := &history{chance: c, dir: memory(t), mbox: c.one(2), partial: c.one(2)}
		for range 3 + c.IntN(8) {
			for range c.IntN(4) {
				h.add()
			}
			listed := slices.Clone(h.drop)
			if h.partial && c.one(2) {
				listed = slices.DeleteFunc(listed, func(pop3test.Message) bool { return c.one(2) })
			}
			c.note("listed: %d of %d", len(listed), len(h.drop))
			if c.one(2) {
				h.killed(listed)
			} else {
				h.run(listed)
			}
		}
		h.last = true
		for range 5 {
			h.run(slices.Clone(h.drop))
		}
		h.account(pop3test.Config{}).want(h.all...)
		if len(h.drop) > 0 {
			t.Errorf("%d left", len(h.drop))
		}
	})
}

// A history is the runs of one account, each with a server of its own.
type history struct {
	*chance
	dir       string
	mbox      bool
	partial   bool // listings hide a part: then no unique-id stands for two messages at a time
	last      bool // nothing goes wrong any more
	drop, all []pop3test.Message
}

// add puts a message into the maildrop, perhaps with a unique-id that another had, or has.
func (h *history) add() {
	m := mail(fmt.Sprint("m", len(h.all)), 100+h.IntN(300))
	if h.one(4) {
		anonymous(&m)
	}
	if len(h.all) > 0 && h.one(3) {
		uid := h.all[h.IntN(len(h.all))].UID
		if !h.partial || !slices.ContainsFunc(h.drop, func(d pop3test.Message) bool { return d.UID == uid }) {
			m.UID = uid
		}
	}
	h.drop, h.all = append(h.drop, m), append(h.all, m)
	h.note("new: m%d as %s", len(h.all)-1, m.UID)
}

// account is that of the next run.
func (h *history) account(cfg pop3test.Config, listed ...pop3test.Message) *account {
	if !h.last && h.one(3) {
		cut := 150 + h.Int64N(4000)
		cfg.CutAfter = func(int) int64 { return cut }
		h.note("cut after %d octets", cut)
	}
	a := open(h.t, cfg, listed...)
	a.dir, a.mbox = h.dir, h.mbox
	a.opts.Pipelining, a.opts.Keep = h.one(2), !h.last && h.one(3)
	h.note("pipelining %v, keep %v", a.opts.Pipelining, a.opts.Keep)
	return a
}

// run is one to its end, of which the server may lose the last answer.
func (h *history) run(listed []pop3test.Message) {
	lost := h.one(3)
	a := h.account(pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
		if command != "QUIT" || !lost {
			return "", false
		}
		s.Do(command)
		return "", true
	}}, listed...)
	defer a.srv.Close()
	_, err := a.run()
	a.srv.Wait()
	h.note("answer to QUIT lost: %v: %v", lost, err)
	left := a.srv.Maildrop()
	has := func(all []pop3test.Message, m pop3test.Message) bool {
		return slices.ContainsFunc(all, func(o pop3test.Message) bool { return o.Text == m.Text })
	}
	h.drop = slices.DeleteFunc(h.drop, func(m pop3test.Message) bool { return has(listed, m) && !has(left, m) })
}

// killed is a run that is killed at some moment before it deletes anything.
func (h *history) killed(listed []pop3test.Message) {
	var film film
	var cam *finderCamera
	a := h.account(pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
		switch command {
		case "TOP 1 0", "DELE 1", "QUIT":
			cam.look("in front of " + command)
		}
		return "", command == "QUIT"
	}}, listed...)
	defer a.srv.Close()
	a.target = func(t deliver.Target) deliver.Target {
		cam = &finderCamera{camera{Target: t, a: a, film: &film}, t.(deliver.Finder)}
		return cam
	}
	a.run()
	a.srv.Wait()
	moments := slices.DeleteFunc(film.moments, func(m *moment) bool { return !strings.HasPrefix(m.when, "behind Commit") && !h.one(3) })
	if len(moments) > 0 {
		m := moments[h.IntN(len(moments))]
		h.dir = m.dir
		h.note("killed %s", m.when)
	}
}

// Messages that the server does not give, show or delete, or at which it hangs up, keep no other from being
// delivered and deleted, whatever is known of them.
func TestRandomTroubles(t *testing.T) {
	withSeeds(t, func(c *chance) {
		x := c.troubled()
		a := open(t, pop3test.Config{NoTOP: c.one(4), Reply: x.reply}, x.msgs...)
		defer a.srv.Close()
		x.record(a)
		ahead := c.one(2)
		for i := range 40 {
			a.opts.Pipelining = ahead && i%2 == 0
			_, err := a.run()
			a.srv.Wait()
			c.note("run %d, pipelining %v: %d left, %v", i, a.opts.Pipelining, len(a.srv.UIDs()), err)
		}
		x.check(a)
	})
}

// Nor do they where there are two destinations, of which the first one does not delete: each gets every message.
func TestRandomOthers(t *testing.T) {
	withSeeds(t, func(c *chance) {
		x := c.troubled()
		cut := map[int]int64{}
		for i := range 12 {
			if c.one(3) {
				cut[i+1] = 150 + c.Int64N(6000)
			}
		}
		a := open(t, pop3test.Config{NoTOP: c.one(4), CutAfter: func(n int) int64 { return cut[n] }, Reply: x.reply}, x.msgs...)
		defer a.srv.Close()
		b := *a
		b.dir = memory(t)
		x.record(a, &b)
		ahead := c.one(2)
		for i := range 50 {
			a.opts.Pipelining = ahead && i%2 == 0
			err := both(a, &b)
			a.srv.Wait()
			c.note("run %d, pipelining %v: %d left, %v", i, a.opts.Pipelining, len(a.srv.UIDs()), err)
		}
		x.check(a)
		x.check(&b)
	})
}

// A trouble is what a server has with one message.
type trouble struct {
	at      []string // the commands that fail
	hangsUp bool     // or refuses
}

// Troubled messages are those of a maildrop, a few of which the server has trouble with.
type troubled struct {
	msgs  []pop3test.Message
	known map[int]bool       // recorded before
	with  map[string]trouble // by the text of the message
	bad   map[string]bool    // unique-ids of such
}

func (c *chance) troubled() *troubled {
	x := &troubled{mails(6+c.IntN(25), 150), map[int]bool{}, map[string]trouble{}, map[string]bool{}}
	for i := range x.msgs {
		if c.one(4) {
			anonymous(&x.msgs[i])
		}
		if i > 0 && c.one(6) {
			x.msgs[i].UID = x.msgs[c.IntN(i)].UID
		}
		x.known[i] = c.one(2)
	}
	for range c.IntN(4) {
		i := c.IntN(len(x.msgs))
		tr := trouble{[][]string{{"RETR"}, {"TOP"}, {"RETR", "TOP"}, {"DELE"}}[c.IntN(4)], c.one(2)}
		x.with[x.msgs[i].Text], x.bad[x.msgs[i].UID] = tr, true
		c.note("message %d: %+v", i+1, tr)
	}
	return x
}

// reply is that of the server.
func (x *troubled) reply(s *pop3test.Session, command string) (string, bool) {
	f := strings.Fields(command)
	if len(f) < 2 || f[0] != "RETR" && f[0] != "TOP" && f[0] != "DELE" {
		return "", false
	}
	text := s.Do("RETR " + f[1])
	for of, tr := range x.with {
		id := of[strings.Index(of, "<uid-"):strings.Index(of, ">")] // of the Message-ID, or what has become of it
		if strings.Contains(text, id+">") && slices.Contains(tr.at, f[0]) {
			return map[bool]string{false: "-ERR no"}[tr.hangsUp], true
		}
	}
	return "", false
}

// record has accounts know what is known.
func (x *troubled) record(accounts ...*account) {
	copies := map[string]int{}
	for i, m := range x.msgs {
		if !x.known[i] {
			continue
		}
		copies[m.UID]++
		e := delivered(m, time.Now())
		e.Copy = copies[m.UID]
		for _, a := range accounts {
			a.record(e)
		}
	}
}

// check fails if an account has not got each message once, or one is left, that nothing is the matter with.
func (x *troubled) check(a *account) {
	texts, left := a.stored(), a.srv.Maildrop()
	for i, m := range x.msgs {
		n, want := 0, 1
		for _, text := range texts {
			if text == stored(m) {
				n++
			}
		}
		if x.known[i] {
			want = 0
		}
		stays := slices.ContainsFunc(left, func(l pop3test.Message) bool { return l.Text == m.Text })
		if n > want || !x.bad[m.UID] && (n < want || stays) {
			a.t.Errorf("message %d (%s): %d copies, want %d; left: %v", i+1, m.UID, n, want, stays)
		}
	}
}

// both is a session for two destinations, the first of which does not delete.
func both(a, b *account) error {
	st1, err := state.Open(a.statePath(), identity)
	if err != nil {
		return err
	}
	defer st1.Close()
	st2, err := state.Open(b.statePath(), identity)
	if err != nil {
		return err
	}
	defer st2.Close()
	t1, t2 := a.open(), b.open()
	defer t1.Close()
	defer t2.Close()
	c, err := a.login()
	if err != nil {
		return err
	}
	defer c.Close()
	opts := a.opts
	opts.Caps, opts.Keep, opts.Others.More = a.caps, true, true
	sum, err := Run(a.t.Context(), c, st1, t1, opts)
	if !sum.Open {
		return err
	}
	opts = a.opts
	opts.Caps = a.caps
	opts.Others.Undone = sum.Undone
	opts.Others.Hold = func(e state.Entry) bool {
		return !slices.ContainsFunc(st1.Lookup(e.UID), func(o state.Entry) bool {
			return (o.Status == state.Delivered || o.Status == state.Deleted) && o.Reason == "" && o.Body == e.Body
		})
	}
	_, err2 := Run(a.t.Context(), c, st2, t2, opts)
	for e := range st2.All() {
		if e.Status == state.Deleted {
			if o, ok := st1.LookupCopy(e.UID, e.Copy); ok && o.Status == state.Delivered && o.Body == e.Body {
				o.Status = state.Deleted
				st1.Add(o)
			}
		}
	}
	return errors.Join(err, err2)
}
