//go:build linux

package main

import (
	"fmt"
	"slices"
)

// A guess is one thing that a cut behind the first n steps may make of what is not durable then.
type guess struct {
	n     int
	early bool // see gone
	what  string
	fates func(*step) fate
}

// aftermaths gives what is left by cuts behind each step: with all that is not durable, with nothing of
// it, with all but one thing, with one thing alone, and by chance; of each kind a part.
func (c *powerCut) aftermaths() (all []aftermath) {
	var plain, single, random []guess
	for n := c.first; n <= len(c.disk.steps); n++ {
		c.points++
		pending := c.disk.pending(n)
		for _, early := range []bool{false, true} {
			if early && slices.Equal(c.gone(n, false), c.gone(n, true)) {
				continue
			}
			plain = append(plain, guess{n, early, "all", func(*step) fate { return whole }}, guess{n, early, "none", func(*step) fate { return lost }})
			for _, p := range pending {
				but := func(one, others fate) func(*step) fate {
					return func(s *step) fate {
						if s == p {
							return one
						}
						return others
					}
				}
				single = append(single, guess{n, early, "all but one", but(lost, whole)}, guess{n, early, "one alone", but(whole, lost)})
			}
			for range 4 * min(len(pending), 4) {
				random = append(random, guess{n, early, "by chance", func(s *step) fate {
					if s.node.names != nil {
						return fate(c.rand.IntN(2))
					}
					return fate(c.rand.IntN(5))
				}})
			}
		}
	}
	seen := make(map[[32]byte]bool)
	for i, guesses := range [][]guess{plain, single, random} {
		c.rand.Shuffle(len(guesses), func(i, j int) { guesses[i], guesses[j] = guesses[j], guesses[i] })
		for _, g := range guesses {
			if len(all) >= c.states*(i+2)/4 {
				break
			}
			m := c.come(g)
			if key := m.picture.sum(m.gone); !seen[key] {
				seen[key] = true
				all = append(all, m)
			}
		}
	}
	return all
}

// come has a guess come true.
func (c *powerCut) come(g guess) aftermath {
	last := "nothing"
	if g.n > 0 {
		last = c.disk.steps[g.n-1].what
	}
	m := aftermath{gone: c.gone(g.n, g.early), cuts: c.cuts + 1}
	m.what = fmt.Sprintf("cut behind step %d, %s; of what is not durable %s; gone from the server: %v", g.n, last, g.what, m.gone)
	m.picture = c.disk.after(g.n, c.rand, func(s *step) fate {
		f := g.fates(s)
		m.what += "\n\t" + f.String() + ": " + s.what
		return f
	})
	return m
}
