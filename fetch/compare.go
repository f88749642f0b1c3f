package fetch

import (
	"slices"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/state"
)

// A FindingType says what is wrong where server, state and destination disagree.
type FindingType string

// The types of a Finding.
const (
	// Missing: recorded as delivered, and no copy with the recorded hash is at the destination.
	Missing FindingType = "missing"
	// Extra: a copy more than there should be: a second one of one delivery, or one of a message
	// that is listed and not recorded, so that the next run brings another.
	Extra FindingType = "extra"
	// Changed: a copy with the delivery id is there, but its text is not what was delivered; or
	// the server has another text.
	Changed FindingType = "changed"
	// Undeleted: recorded and to be deleted, and still listed.
	Undeleted FindingType = "undeleted"
	// Undelivered: listed, and not delivered or not whole, although a run has tried or has left it.
	Undelivered FindingType = "undelivered"
	// Verified is none: a copy is as it was recorded, or bears the account's delivery id and is
	// known to the state no more.
	Verified FindingType = "verified"
)

// A Finding is what a Comparison has to say about one message.
type Finding struct {
	Type   FindingType
	UID    string // "" if the state does not know it (any more)
	Copy   int    // of the unique-id
	Size   int64  // octets, in stored form; of an undeleted one as recorded
	Reason string
	Stored *deliver.Stored // the copy; nil for one that is missing, undeleted or undelivered
}

// Counts are what a Comparison has counted.
type Counts struct {
	Recorded                           int // delivered by us, with a hash, in the state
	Found                              int // of those, at the destination as they were
	Older                              int // further copies with the account's trace field, known to the state no more
	Unsettled                          int // delivered by a run that is under way or was interrupted: the next one records them
	Quarantined                        int // delivered into a quarantine, which is not looked at
	New                                int // listed, and not looked at by a run yet
	Missing, Extra, Changed, Undeleted int
	Undelivered                        int
}

// Wrong is the number of findings that are a disagreement.
func (c *Counts) Wrong() int { return c.Missing + c.Extra + c.Changed + c.Undeleted + c.Undelivered }

// Listed is one message of a listing, for Comparison.Finish.
type Listed struct {
	UID  string
	Nth  int             // which of those with this unique-id: 1, 2, …
	Text *deliver.Digest // of what the server has, if it was retrieved for that
}

// A Comparison compares what is recorded with what is at the destination and on the server. It is
// for one goroutine, and changes nothing. Memory grows with the number of messages that the account
// has at the destination, not with their size.
//
// The state is read twice, before the first look at anything else and after the last, so that a run
// that goes on meanwhile confuses nothing: only what was recorded before can be missing, and only
// what is not recorded afterwards can be extra.
type Comparison struct {
	opts     Options
	entries  []*recorded
	byBody   map[string][]*recorded
	sizes    map[int64]bool
	loose    map[string][]deliver.Stored // by body: of a recorded hash, but of no recorded delivery
	unknown  []deliver.Stored            // with a delivery id, of no recorded hash
	findings []Finding
	counts   Counts
	blind    bool
}

// A recorded is a delivered message of the state.
type recorded struct {
	state.Entry
	at      *deliver.Stored // the copy that was found; nil if none was
	changed bool
}

// NewComparison begins a comparison with what is recorded now. Of opts it takes Server, User, Keep,
// DeleteAfter and Others.Hold.
func NewComparison(before *state.File, opts Options) *Comparison {
	c := &Comparison{opts: opts, byBody: map[string][]*recorded{}, sizes: map[int64]bool{}, loose: map[string][]deliver.Stored{}}
	for e := range before.All() {
		if e.Status == state.Delivered && e.Quarantine != "" {
			c.counts.Quarantined++
		}
		if (e.Status != state.Delivered && e.Status != state.Deleted) || e.Body == "" || e.Quarantine != "" {
			continue // a quarantine is not the destination
		}
		r := &recorded{Entry: e}
		c.entries = append(c.entries, r)
		c.byBody[e.Body] = append(c.byBody[e.Body], r)
		c.sizes[e.Size] = true
	}
	c.counts.Recorded = len(c.entries)
	return c
}

// Blind says that the destination cannot be read, so that nothing is missing there.
func (c *Comparison) Blind() { c.blind = true }

// Wanted tells whether a message of this size may be a recorded one.
func (c *Comparison) Wanted(size int64) bool { return c.sizes[size] }

// Add takes one message of the destination.
func (c *Comparison) Add(s deliver.Stored) {
	body := hexSum(s.Sum)
	same := c.byBody[body]
	for _, r := range same {
		if !isDelivery(s.ID, r.UID, r.Copy) {
			continue
		}
		if r.at != nil {
			c.extra(r, s, "a second copy of the same delivery, or of the same message delivered again: the other is "+r.at.Place())
			return
		}
		r.at = &s
		return
	}
	switch {
	case len(same) > 0 && (s.From == "" || c.ours(s)):
		c.loose[body] = append(c.loose[body], s)
	case s.ID != "":
		c.unknown = append(c.unknown, s)
	}
}

func (c *Comparison) extra(r *recorded, s deliver.Stored, reason string) {
	c.findings = append(c.findings, Finding{Type: Extra, UID: r.UID, Copy: r.Copy, Size: s.Size, Reason: reason, Stored: &s})
	c.counts.Extra++
}

// ours tells whether the trace field says that the account's server and user are where it came from.
func (c *Comparison) ours(s deliver.Stored) bool {
	return s.From == clean(c.opts.Server, "unknown") && (s.For == "" || s.For == clean(c.opts.User, "unknown"))
}

// isDelivery tells whether a delivery id is one of the message, in whatever run.
func isDelivery(id, uid string, copy int) bool {
	n := len(id) - deliveryHash
	return n > 0 && deliveryID(id[:n], uid, copy) == id
}

// Finish ends the comparison with what is recorded by now. listing is the server's, nil if it was
// not asked. busy says that a run is under way.
func (c *Comparison) Finish(after *state.File, listing []Listed, now time.Time, busy bool) ([]Finding, Counts) {
	c.findings = slices.Grow(c.findings, len(c.entries))
	c.settleLoose()
	c.changed()
	c.unrecorded(after, listing)
	for _, r := range c.entries {
		switch {
		case r.at != nil:
			c.counts.Found++
			c.findings = append(c.findings, Finding{Type: Verified, UID: r.UID, Copy: r.Copy, Size: r.at.Size, Stored: r.at})
		case !r.changed && !c.blind:
			c.counts.Missing++
			c.findings = append(c.findings, Finding{Type: Missing, UID: r.UID, Copy: r.Copy, Size: r.Size,
				Reason: "delivered " + r.Time.Local().Format(time.DateTime) + ", and not at the destination"})
		}
	}
	c.listed(after, listing, now, busy)
	return c.findings, c.counts
}
