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
	slots []slot           // in the order of the file; statusNone: free
	first map[string]int32 // unique-id to the first slot of its chain of copies
	live  int
}

// A slot is one entry. What is rare is apart, in more.
type slot struct {
	text    string // unique-id, hash of the header and of the body: octets, not hex
	time    int64  // Unix seconds
	size    int64
	more    *more
	uidLen  uint32
	next    int32 // slot of another copy, or -1
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

// put adds s, or lets it take the place of the entry with the same unique-id and copy number.
func (t *table) put(s slot) {
	head, found := t.first[s.uid()]
	if found {
		n := s.copyNumber()
		for i := head; i >= 0; i = t.slots[i].next {
			if t.slots[i].copyNumber() == n {
				s.next = t.slots[i].next
				if s.text == t.slots[i].text {
					s.text = t.slots[i].text // which the map's key holds anyway
				}
				t.slots[i] = s
				return
			}
		}
		s.next = t.slots[head].next
		t.slots[head].next = int32(len(t.slots))
	} else {
		s.next = -1
		t.first[s.uid()] = int32(len(t.slots))
	}
	t.slots = append(t.slots, s)
	t.live++
}

// drop takes one copy of a unique-id away, or all of them (copy 0).
func (t *table) drop(uid string, copy int) (n int) {
	head, found := t.first[uid]
	if !found {
		return 0
	}
	kept := int32(-1)
	for i := head; i >= 0; {
		next := t.slots[i].next
		if copy == 0 || t.slots[i].copyNumber() == copy {
			t.slots[i] = slot{next: -1}
			n++
		} else {
			t.slots[i].next = kept
			kept = i
		}
		i = next
	}
	t.live -= n
	delete(t.first, uid)
	if kept >= 0 {
		t.first[t.slots[kept].uid()] = kept
	}
	return n
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
