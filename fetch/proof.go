package fetch

import (
	"fmt"
	"slices"
)

// check reads the answer to UIDL n: only if it names both number and unique-id are the texts
// before it those of their numbers.
func (p *pull) check(s sent) error {
	unanswered, _ := p.r.c.Unanswered()
	num, uid, err := s.probe.Wait()
	if p.r.c.Err() != nil {
		return p.r.lost(err, unanswered)
	}
	if err != nil || num != s.it.num || uid != s.it.uid {
		return fmt.Errorf("%w: UIDL %d was not answered with its unique-id", ErrNoPipelining, s.it.num)
	}
	return p.judge(false)
}

// judge decides whether the group is proven. Although the UIDL behind it was answered right, a
// group with an -ERR in it may have its texts shifted, and a size that disagrees with LIST, where
// all others agree, may be that of another message: those are asked for again one at a time.
func (p *pull) judge(alone bool) error {
	refused := slices.ContainsFunc(p.group, func(res result) bool { return isRefusal(res.err) })
	if shifted := p.shifted(); !alone && (refused || shifted) {
		p.hold = p.hold || shifted
		for _, res := range p.group {
			p.again = append(p.again, res.it)
		}
		p.drop()
		return nil
	}
	for _, res := range p.group {
		p.r.widest = max(p.r.widest, res.depth)
	}
	sz := p.sizes()
	p.r.sizes.agree += sz.agree
	p.r.sizes.differ += sz.differ
	group := p.group
	p.group = p.group[:0]
	return p.proven(group)
}

// sizes compares the sizes of the group with LIST.
func (p *pull) sizes() (sz sizes) {
	for _, res := range p.group {
		switch {
		case !p.whole || res.err != nil || res.it.size < 0:
		case res.octets == res.it.size:
			sz.agree++
		default:
			sz.differ++
		}
	}
	return sz
}

// shifted tells whether the texts of the group may have come under each other's numbers: a size
// disagrees with LIST where all others of the session agree.
func (p *pull) shifted() bool {
	sz := p.sizes()
	return sz.differ > 0 && p.r.sizes.differ == 0 && p.r.sizes.agree+sz.agree > 0
}

// drop takes back what was taken since the last right answer.
func (p *pull) drop() {
	taken := 0
	for _, res := range p.group {
		if p.came != nil {
			p.came.Add(-res.octets)
		}
		if res.err == nil {
			taken++
		}
	}
	p.group = p.group[:0]
	if taken > 0 && p.undo != nil {
		p.undo(taken)
	}
}
