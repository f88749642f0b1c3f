package state

import (
	"encoding/hex"
	"errors"
	"slices"
	"time"
)

// never is the zero time in seconds, as the table keeps times.
var never = time.Time{}.Unix()

// A table holds the entries of a file. A maildrop may have a hundred thousand messages, and a
// run holds the table from its start to its end: an entry costs about 170 octets.
type table struct {
	slots []slot            // in the order of the file; statusNone: free
	first map[string]int32  // unique-id to the first slot of its chain of copies
	other map[copyKey]int32 // the further slots of such chains, of which some may be very long
	live  int
}

type copyKey struct {
	uid  string
	copy int
}

// A slot is one entry. What is rare is apart, in more.
type slot struct {
	text    string // unique-id, hash of the header and of the body: octets, not hex
	time    int64  // Unix seconds
	size    int64
	more    *more
	uidLen  uint32
	next    int32 // slot of another copy, or -1
	prev    int32 // that whose next it is; nothing in the first one of a chain
	headLen uint8
	bodyLen uint8
	status  code
}

type more struct {
	copy     int
	absent   int64
	reported int64
	next     int64 // may lie in the future: it says nothing of the clock
	attempts int
	refused  int
	reason   string
	aside    string // in which quarantine it is
	rest     []string
}

// A code is a Status in one octet.
type code uint8

const (
	statusNone code = iota
	statusDelivered
	statusSeen
	statusDeleted
	statusFailed
	statusForgotten // only in the file: takes the entry away
)

var statusNames = [...]string{"", "delivered", "seen", "deleted", "failed", "forgotten"}

func codeOf[T string | []byte | Status](name T) code {
	for c := statusDelivered; c <= statusForgotten; c++ {
		if statusNames[c] == string(name) {
			return c
		}
	}
	return statusNone
}

func (s *slot) uid() string  { return s.text[:s.uidLen] }
func (s *slot) head() string { return s.text[s.uidLen : int(s.uidLen)+int(s.headLen)] }
func (s *slot) body() string { return s.text[int(s.uidLen)+int(s.headLen):] }

func (s *slot) copyNumber() int {
	if s.more == nil || s.more.copy == 0 {
		return 1
	}
	return s.more.copy
}

func (s *slot) absent() int64 {
	if s.more == nil {
		return never
	}
	return s.more.absent
}

// setText stores the unique-id and the two hashes (hex), using buf for the work.
func (s *slot) setText(buf, uid, head, body []byte) ([]byte, error) {
	if len(uid) == 0 {
		return buf, errors.New("no unique-id")
	}
	if len(head) > 128 || len(body) > 128 {
		return buf, errHash
	}
	buf = append(buf[:0], uid...)
	var err error
	if buf, err = hex.AppendDecode(buf, head); err != nil {
		return buf, errHash
	}
	if buf, err = hex.AppendDecode(buf, body); err != nil {
		return buf, errHash
	}
	s.text, s.uidLen = string(buf), uint32(len(uid))
	s.headLen, s.bodyLen = uint8(len(head)/2), uint8(len(body)/2)
	return buf, nil
}

// slotOf makes the table's form of an Entry, or says what is wrong with it.
func slotOf(e *Entry) (slot, error) {
	s := slot{time: e.Time.Unix(), size: max(e.Size, 0), next: -1, status: codeOf(e.Status)}
	if s.status == statusNone || s.status == statusForgotten {
		return s, errors.New("unknown status")
	}
	if _, err := s.setText(nil, []byte(e.UID), []byte(e.Head), []byte(e.Body)); err != nil {
		return s, err
	}
	for _, t := range []time.Time{e.Time, e.Absent, e.Reported, e.Next} {
		if y := t.UTC().Year(); y < 1 || y > 9999 {
			return s, errors.New("time cannot be written")
		}
	}
	if e.Copy < 0 || e.Attempts < 0 || e.Refused < 0 {
		return s, errors.New("negative number")
	}
	for _, f := range e.Rest {
		if !validRest(f) {
			return s, errors.New("unknown field is not key=value")
		}
	}
	m := more{copy: e.Copy, absent: e.Absent.Unix(), reported: e.Reported.Unix(), next: e.Next.Unix(),
		attempts: e.Attempts, refused: e.Refused, reason: e.Reason, aside: e.Quarantine, rest: e.Rest}
	s.setMore(m)
	return s, nil
}

func (s *slot) setMore(m more) {
	if m.copy == 1 {
		m.copy = 0
	}
	s.more = nil
	if m.copy != 0 || m.absent != never || m.reported != never || m.next != never || m.attempts != 0 || m.refused != 0 ||
		m.aside != "" || m.reason != "" || len(m.rest) > 0 {
		kept := m // on the heap, which most have no need of
		kept.rest = slices.Clone(m.rest)
		s.more = &kept
	}
}

func (s *slot) entry() Entry {
	e := Entry{UID: s.uid(), Copy: s.copyNumber(), Status: Status(statusNames[s.status]), Time: utc(s.time),
		Size: s.size, Head: hex.EncodeToString([]byte(s.head())), Body: hex.EncodeToString([]byte(s.body()))}
	if m := s.more; m != nil {
		e.Absent, e.Reported, e.Next = utc(m.absent), utc(m.reported), utc(m.next)
		e.Attempts, e.Refused, e.Reason, e.Quarantine, e.Rest = m.attempts, m.refused, m.reason, m.aside, slices.Clone(m.rest)
	}
	return e
}

func utc(seconds int64) time.Time {
	if seconds == never {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// find returns the slot of a copy of a unique-id, -1 if there is none.
func (t *table) find(uid string, copy int) int32 {
	i, found := t.first[uid]
	switch {
	case !found:
		return -1
	case t.slots[i].copyNumber() == copy:
		return i
	}
	if i, found = t.other[copyKey{uid, copy}]; !found {
		return -1
	}
	return i
}

// put adds s, or lets it take the place of the entry with the same unique-id and copy number.
func (t *table) put(s slot) {
	uid, n := s.uid(), s.copyNumber()
	if i := t.find(uid, n); i >= 0 {
		was := &t.slots[i]
		s.next, s.prev = was.next, was.prev
		if s.text == was.text {
			s.text = was.text // which the map's key holds anyway
		}
		*was = s
		return
	}
	at := int32(len(t.slots))
	s.next = -1
	if head, found := t.first[uid]; found {
		s.next, s.prev = t.slots[head].next, head
		if s.next >= 0 {
			t.slots[s.next].prev = at
		}
		t.slots[head].next = at
		if t.other == nil {
			t.other = map[copyKey]int32{}
		}
		t.other[copyKey{uid, n}] = at
	} else {
		t.first[uid] = at
	}
	t.slots = append(t.slots, s)
	t.live++
}

// drop takes one copy of a unique-id away, or all of them (copy 0).
func (t *table) drop(uid string, copy int) (n int) {
	if copy == 0 {
		for head, found := t.first[uid]; found; head, found = t.first[uid] {
			n += t.drop(uid, t.slots[head].copyNumber())
		}
		return n
	}
	i := t.find(uid, copy)
	if i < 0 {
		return 0
	}
	next := t.slots[i].next
	switch head := t.first[uid]; {
	case i != head:
		delete(t.other, copyKey{uid, copy})
		prev := t.slots[i].prev
		t.slots[prev].next = next
		if next >= 0 {
			t.slots[next].prev = prev
		}
	case next >= 0:
		delete(t.other, copyKey{uid, t.slots[next].copyNumber()})
		t.first[uid] = next
	default:
		delete(t.first, uid)
	}
	t.slots[i] = slot{next: -1}
	t.live--
	return 1
}

// copies returns the slots of a unique-id, by copy number.
func (t *table) copies(uid string) []int32 {
	i, found := t.first[uid]
	if !found {
		return nil
	}
	var is []int32
	for ; i >= 0; i = t.slots[i].next {
		is = append(is, i)
	}
	slices.SortFunc(is, func(a, b int32) int { return t.slots[a].copyNumber() - t.slots[b].copyNumber() })
	return is
}
