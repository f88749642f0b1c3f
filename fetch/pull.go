package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"mailhaul/fetch/pop3"
)

const (
	// maxCommands is how many octets of commands may be unanswered: so little always fits
	// the receive buffer of the other side, so that a blocking write cannot deadlock with a
	// server that is busy writing (RFC 2449, section 6.6), and over a thousand RETRs go out
	// in one round trip.
	maxCommands = 16 << 10
	// maxGroup is after how many texts, or how many of their octets, a UIDL n is sent that
	// proves their order. Few octets, so that a link which breaks early and often still
	// proves something each time.
	maxGroup       = 16
	maxGroupOctets = 64 << 10
	// big is the size of a message over which nothing is sent ahead of it: if it is refused
	// by the target, not much is lost.
	big = 1 << 20
	// A message is abandoned when it passes abandonFactor times what LIST said and
	// abandonOctets more: the server does not stop.
	abandonFactor = 10
	abandonOctets = 100_000_000
)

var (
	errAbandoned = errors.New("the message does not end")
	errTooLarge  = errors.New("larger than max_size")
	errNoRoom    = errors.New("there was no room for it")
	errReceiver  = errors.New("its receiver failed while it was given")
	errDemand    = errors.New("its receiver wants a login or TLS first, perhaps for it alone")
	errBroke     = errors.New("the connection broke while it was retrieved")
)

// A pull asks for the texts of messages, many ahead of their replies, and proves that the replies
// are in order. What take has read counts only when proven says so; undo takes back the texts
// that were taken last and may have come under a wrong number.
type pull struct {
	r      *run
	text   func(num int) *pop3.TextCmd // RETR, or TOP n 0
	whole  bool                        // whole messages: LIST tells their size
	take   func(it *item, body io.Reader) error
	undo   func(n int)
	proven func(results []result) error
	came   *atomic.Int64 // Options.Came, or nil where the texts are not to be delivered

	todo    []*item
	flight  []sent   // sent, not yet answered, in order
	waiting int      // texts among them
	group   []result // texts since the last right answer
	ahead   int      // texts sent since the last UIDL n
	octets  int64    // of those, by LIST
	huge    *item    // the last one sent ahead, until most of it has come
	again   []*item  // to be asked for one at a time
	hold    bool     // … before anything more is sent ahead: is LIST wrong, or the server?

	broken  *item // the one whose reply was due when the connection was lost
	sick    *item // at which the target failed
	endless *item // the one that was abandoned
}

// A sent is a command without its reply: a text, or the UIDL n that proves those before it.
type sent struct {
	it    *item
	depth int // texts unanswered when it was sent, itself included
	text  *pop3.TextCmd
	probe *pop3.UIDLOneCmd
}

// A result is what became of one text.
type result struct {
	it     *item
	depth  int
	octets int64 // as LIST counts them
	err    error // refused by the server (*pop3.Error), or by the target for itself alone
}

// run asks for all items. On an error what was proven before stands, the rest is undone.
func (p *pull) run(ctx context.Context, items []*item) error {
	err := p.all(ctx, items)
	if err != nil {
		if p.r.c.Err() != nil && p.r.ahead && p.shifted() {
			// What was lost is the server's fault: a command, perhaps.
			err = fmt.Errorf("%w: sizes disagree with LIST: %w", ErrNoPipelining, err)
		}
		p.drop()
	}
	return err
}

func (p *pull) all(ctx context.Context, items []*item) error {
	for _, it := range items {
		if p.r.ahead && it.uid != "" {
			p.todo = append(p.todo, it)
		} else {
			p.again = append(p.again, it) // nothing could prove its place
		}
	}
	for {
		if err := p.abreast(ctx); err != nil {
			return err
		}
		if err := p.alone(ctx); err != nil || len(p.todo) == 0 {
			return err
		}
	}
}

// abreast asks for what can be sent ahead.
func (p *pull) abreast(ctx context.Context) error {
	if err := p.fill(); err != nil {
		return err
	}
	for len(p.flight) > 0 {
		s := p.flight[0]
		p.flight = p.flight[1:]
		if s.probe != nil {
			if err := p.check(s); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return ErrStopped
			}
		} else {
			p.waiting--
			if err := p.receive(s); err != nil {
				return err
			}
		}
		if _, octets := p.r.c.Unanswered(); octets < maxCommands/4 {
			if err := p.fill(); err != nil {
				return err
			}
		}
	}
	return nil
}

// alone asks for one at a time.
func (p *pull) alone(ctx context.Context) error {
	for _, it := range p.again {
		if ctx.Err() != nil {
			return ErrStopped
		}
		if err := p.receive(sent{it: it, depth: 1, text: p.text(it.num)}); err != nil {
			return err
		}
		// Nothing else was unanswered: the reply can only be to this command.
		if err := p.judge(true); err != nil {
			return err
		}
	}
	p.again, p.hold = nil, false
	return nil
}

// fill sends as much ahead as may be.
func (p *pull) fill() error {
	for p.huge == nil && !p.hold && len(p.todo) > 0 {
		if _, octets := p.r.c.Unanswered(); octets > maxCommands-64 {
			break
		}
		it := p.todo[0]
		p.todo = p.todo[1:]
		p.waiting++
		p.flight = append(p.flight, sent{it: it, depth: p.waiting, text: p.text(it.num)})
		p.ahead++
		if p.whole {
			p.octets += max(it.size, 0)
			if it.size < 0 || it.size > big {
				p.huge = it
			}
		}
		last := len(p.todo) == 0 || p.todo[0].tries > 0 // what may break the session comes behind a proof
		if p.ahead >= maxGroup || p.octets >= maxGroupOctets || p.huge != nil || last {
			p.flight = append(p.flight, sent{it: it, probe: p.r.c.UIDLOne(it.num)})
			p.ahead, p.octets = 0, 0
		}
	}
	return p.r.c.Flush()
}

// receive reads one text.
func (p *pull) receive(s sent) error {
	res := result{it: s.it, depth: s.depth}
	n, _ := p.r.c.Unanswered()
	body, err := s.text.Body()
	if err != nil {
		if p.r.c.Err() != nil {
			p.broken = s.it
			return p.r.lost(err, n)
		}
		res.err = err
		p.release(s.it)
		p.group = append(p.group, res)
		return nil
	}
	m := &meter{p: p, it: s.it, body: body}
	err = p.take(s.it, m)
	if p.r.c.Err() == nil && (errors.Is(m.err, errTooLarge) || m.err == nil && aboutMessage(err)) {
		// The next reply stands behind the rest of the text, which may be endless all the same.
		m.large = true
		io.Copy(io.Discard, m)
	}
	if p.r.c.Err() != nil {
		p.broken = s.it
		return p.r.lost(p.r.c.Err(), n)
	}
	switch {
	case m.err != nil:
		res.err = m.err
	case err != nil && !aboutMessage(err):
		p.sick = s.it
		return err
	default:
		res.err = err
	}
	if res.err == nil && p.undo != nil && s.it.uid == "" && p.r.short(s.it, body.Octets()) != "" {
		// It would stay, and nothing would tell the next run that it was delivered.
		p.undo(1)
		res.err = fmt.Errorf("its text came short (%d octets), and it has no unique-id", body.Octets())
	}
	p.release(s.it)
	res.octets = body.Octets()
	p.group = append(p.group, res)
	if errors.Is(res.err, errAbandoned) {
		// Its end will never come, and without it no other reply.
		p.endless = s.it
		return errAbandoned
	}
	return nil
}

// release lets more be sent when the last one sent ahead has come.
func (p *pull) release(it *item) {
	if p.huge == it {
		p.huge = nil
	}
}
