package fetch

import (
	"context"
	"errors"
	"io"
	"slices"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// identify looks whether the messages that an earlier session recorded are still the same before
// they are deleted: a unique-id may be used again once its message is gone (RFC 1939, section 7,
// demands otherwise only while it exists). The header tells in most cases, else the whole text.
// It returns the messages that turned out to be others: they are new.
func (r *run) identify(ctx context.Context, p *plan) (others []*item, err error) {
	items := r.portion(p.identify)
	if len(items) == 0 {
		return nil, nil
	}
	id := &identifier{r: r, p: p, namesakes: map[string]*namesakes{}}
	err = id.run(ctx, items)
	if r.over || err != nil && (r.c.Err() != nil || id.shortOfTime(ctx)) {
		r.shrink(id.done)
		if ctx.Err() == nil && id.broken != nil && !errors.Is(err, ErrNoPipelining) {
			id.noteBreak()
		}
	}
	if err == nil {
		err = r.recordFailed()
	}
	return id.others, err
}

// limit leaves those of others over that would be more than this run is to retrieve.
func (r *run) limit(p *plan, others []*item) []*item {
	max := r.opts.MaxMessages - len(p.retrieve)
	if r.opts.MaxMessages == 0 || len(others) <= max {
		return others
	}
	for _, it := range others[max:] {
		r.undone = true // its text was retrieved
		r.sum.Skipped++
		r.itemEvent(Skipped, it, Event{Reason: reasonLimit})
	}
	return others[:max]
}

// An identifier compares what is listed with what is recorded.
type identifier struct {
	r       *run
	p       *plan
	bodies  []*item // the header could not tell
	others  []*item
	renew   []state.Entry
	done    int   // how many messages are known to be the recorded ones, or not
	topping bool  // TOP is what is being asked for
	topped  bool  // a TOP was answered
	broken  *item // at which the session ended

	namesakes map[string]*namesakes // by unique-id
}

// Namesakes are what is known of the messages with one unique-id, of which there may be thousands.
type namesakes struct {
	byBody map[string][]state.Entry // less those taken by a listed message
	n      int
	last   int  // copy number, that of the others included
	doubt  bool // a command may have delivered another message with the unique-id of the recorded one
}

func (id *identifier) known(uid string) *namesakes {
	k := id.namesakes[uid]
	if k == nil {
		k = &namesakes{byBody: map[string][]state.Entry{}}
		for _, e := range id.r.st.Lookup(uid) {
			k.byBody[e.Body] = append(k.byBody[e.Body], e)
			k.n++
			k.last = max(k.last, e.Copy)
			k.doubt = slices.Contains(e.Rest, doubtField)
		}
		id.namesakes[uid] = k
	}
	return k
}

func (id *identifier) run(ctx context.Context, items []*item) error {
	var heads []*item
	for _, it := range items {
		if it.reason == reasonCopies {
			id.bodies = append(id.bodies, it)
		} else {
			heads = append(heads, it)
		}
	}
	top := func(num int) *pop3.TextCmd { return id.r.c.Top(num, 0) }
	if id.r.topBreaks() {
		id.bodies = append(id.bodies, heads...)
		heads = nil
	}
	if len(heads) > 0 && !id.r.caps.Has("TOP") {
		// TOP is optional (RFC 1939, section 7): one is tried alone before many are sent.
		refused, err := id.tryTop(ctx, top, heads[0])
		if err != nil {
			return err
		}
		if refused {
			id.bodies = append(id.bodies, heads...)
			heads = nil
		} else {
			heads = heads[1:]
		}
	}
	if err := id.pull(ctx, top, false, heads, id.byHead); err != nil {
		return err
	}
	if id.topped {
		if err := id.r.st.SetNote(noteTop, "", id.r.now); err != nil {
			return err
		}
	}
	if err := id.pull(ctx, id.r.c.Retr, true, id.bodies, id.byBody); err != nil {
		return err
	}
	return id.r.save(id.renew...)
}

// tryTop asks for one header alone.
func (id *identifier) tryTop(ctx context.Context, top func(int) *pop3.TextCmd, it *item) (refused bool, err error) {
	ahead := id.r.ahead
	id.r.ahead = false
	defer func() { id.r.ahead = ahead }()
	err = id.pull(ctx, top, false, []*item{it}, func(res result) error {
		if refused = isRefusal(res.err); refused {
			return nil
		}
		return id.byHead(res)
	})
	return refused, err
}

// pull reads the texts and hashes them.
func (id *identifier) pull(ctx context.Context, text func(int) *pop3.TextCmd, whole bool, items []*item, judge func(result) error) error {
	if len(items) == 0 || id.r.over {
		return nil
	}
	id.topping = !whole
	digester, buf := deliver.NewDigester(), make([]byte, 32<<10)
	p := &pull{r: id.r, text: text, whole: whole,
		take: func(it *item, body io.Reader) error {
			digester.Reset()
			names := new(telling)
			if _, err := io.CopyBuffer(io.MultiWriter(digester, names), body, buf); err != nil {
				return err
			}
			d := digester.Digest()
			it.digest, it.telling = &d, names.found
			return nil
		},
		proven: func(results []result) error {
			id.topped = id.topped || !whole
			for _, res := range results {
				if err := judge(res); err != nil {
					return err
				}
			}
			return nil
		}}
	err := p.run(ctx, items)
	if errors.Is(err, errAbandoned) {
		id.broken = p.endless
		return id.r.abandon(p.endless)
	}
	id.broken = p.broken
	return err
}

// byHead judges by the header. Another header may come of a server that changes headers, and the same one
// of another message if nothing in it is its own: the body decides then.
func (id *identifier) byHead(res result) error {
	it := res.it
	known := id.r.st.Lookup(it.uid)
	if res.err != nil || len(known) != 1 || !it.telling || known[0].Head != hexSum(it.digest.Head) {
		id.bodies = append(id.bodies, it)
		return nil
	}
	id.done++
	return id.same(it, known[0])
}

// byBody judges by the whole text. Where a unique-id stands for several messages, each entry is
// matched once.
func (id *identifier) byBody(res result) error {
	it := res.it
	id.done++
	if res.err != nil {
		if !isRefusal(res.err) {
			id.r.undone = true // it may be another message
		}
		return id.r.leave(it, res.err, true)
	}
	known, body := id.known(it.uid), hexSum(it.digest.Sum)
	if same := known.byBody[body]; len(same) > 0 {
		known.byBody[body] = same[1:]
		if e := same[0]; e.Reason != "" || id.r.holds(e) {
			id.r.undone = true // all of it was retrieved, and it must stay
		}
		return id.same(it, same[0])
	}
	it.reason = reasonNewAgain
	if it.listed > 1 || known.n != 1 { // else what it stood for is gone
		known.last++
	} else {
		it.doubt = known.doubt
	}
	it.copy = known.last
	id.others = append(id.others, it)
	return nil
}

// same notes that a listed message is a recorded one.
func (id *identifier) same(it *item, e state.Entry) error {
	r := id.r
	it.copy = e.Copy
	tomb := e.Status == state.Deleted
	due := !r.opts.Keep || r.due(e.Time)
	switch {
	case e.Reason != "": // it came short of what LIST promised, and still does
		r.count(it, errors.New(e.Reason), false)
	case due && r.holds(e):
		it.reason = reasonHeld
		r.sum.Skipped++
		r.itemEvent(Skipped, it, Event{Reason: it.reason})
	case due:
		if tomb {
			r.itemEvent(Failed, it, Event{Warning: true, Reason: reasonTomb + ": deleted again"})
		}
		id.p.remove = append(id.p.remove, it)
	case tomb:
		// Kept from now on. The entry says so, or each run would have to look again.
		e.Status, e.Time = state.Delivered, r.since()
		id.renew = append(id.renew, e)
		fallthrough
	default:
		it.reason = r.stays()
		r.sum.Skipped++
		r.itemEvent(Skipped, it, Event{Reason: it.reason})
	}
	return nil
}
