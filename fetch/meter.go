package fetch

import "mailhaul/fetch/pop3"

// A meter counts the octets of a text as they come, stops it where it is too large, and sends
// more commands ahead when the end of a huge one is near.
type meter struct {
	p     *pull
	it    *item
	body  *pop3.Body
	large bool  // it is only read to its end
	told  int64 // octets that were added to came
	err   error
}

func (m *meter) Read(b []byte) (int, error) {
	if m.err != nil && !m.large {
		return 0, m.err
	}
	n, err := m.body.Read(b)
	octets, size := m.body.Octets(), m.it.size
	if m.p.came != nil { // once for each buffer, not for each line
		m.p.came.Add(octets - m.told)
		m.told = octets
	}
	bound := size
	if size < 0 { // nothing is known but what the user wants at most
		bound = m.p.r.opts.MaxSize
	}
	if (size >= 0 || bound > 0) && octets > abandonFactor*bound+abandonOctets {
		m.err, m.large = errAbandoned, false
		return 0, m.err
	}
	if m.p.whole {
		if max := m.p.r.opts.MaxSize; max > 0 && octets > max && !m.large {
			m.err = errTooLarge
			return 0, m.err
		}
		if m.p.huge == m.it && size >= 0 && size-octets < big {
			m.p.huge = nil
			if ferr := m.p.fill(); ferr != nil {
				return n, ferr
			}
		}
	}
	return n, err
}

// sizes tells how the sizes of this session's messages compare with LIST.
type sizes struct{ agree, differ int }

// mostly tells whether LIST is right but for single messages.
func (s sizes) mostly() bool { return s.agree > 0 && s.differ <= 1+s.agree/4 }

// octetsOf adds up the sizes by LIST, -1 if one of them is unknown.
func octetsOf(items []*item) (octets int64) {
	for _, it := range items {
		if it.size < 0 {
			return -1
		}
		octets += it.size
	}
	return octets
}
