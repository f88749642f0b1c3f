package state

import (
	"fmt"
	"time"
)

const (
	// absence is how long a message may be missing from listings before it is forgotten.
	absence = 30 * 24 * time.Hour
	// ahead is how far past Newest the clock is not believed when messages are to be forgotten for their
	// absence: that of a maildrop in which nothing happens is past it by absence and the time between
	// two runs.
	ahead = absence + 7*24*time.Hour
	// manyEntries is from how many entries on a listing that shares nothing with them is held to
	// be that of another maildrop.
	manyEntries = 10
)

// Listed tells the state which unique-ids the server has listed now. A tombstone that is not among
// them has done its duty and is dropped. Another entry that is not listed is absent from now on,
// and forgotten when it has been for more than 30 days; one that is listed again is no longer
// absent.
//
// A listing that is empty, or that shares nothing with ten entries or more, is not believed: no
// entry is forgotten and no absence begins, and the warning says so. With a clock that is
// before the latest time in the file, none is forgotten and no absence begins either; with one that is far
// past Newest none is forgotten, but its absence begins again. Nothing is written if nothing changes.
func (f *File) Listed(roll *Roll, now time.Time) (warning string, err error) {
	return f.listed(roll, now, false)
}

// Believe is Listed for a listing that shares nothing with the entries, as others for a day before it: it
// is no accident. Where each message is deleted once it has come, no listing would ever have a known one.
func (f *File) Believe(roll *Roll, now time.Time) error {
	_, err := f.listed(roll, now, true)
	return err
}

func (f *File) listed(roll *Roll, now time.Time, believed bool) (warning string, err error) {
	seconds := now.Unix()
	clock := seconds >= f.newest
	far := seconds-f.before > int64(ahead/time.Second)
	live, shared := 0, 0
	for i := range f.table.slots {
		s := &f.table.slots[i]
		if s.status == statusNone {
			continue
		}
		if s.status != statusDeleted {
			live++
		}
		if roll.has(int32(i)) {
			shared++
		}
	}
	strange := !believed && live >= manyEntries && shared == 0 && roll.n > 0
	switch {
	case strange:
		warning = fmt.Sprintf("the server lists none of the %d messages known to state file %q; none is forgotten", live, f.path)
	case roll.n == 0 && live > 0:
		warning = fmt.Sprintf("the server lists no message, and state file %q knows %d; none is forgotten", f.path, live)
	}

	var gone, changed []int32
	for i := range f.table.slots {
		s := &f.table.slots[i]
		if s.status == statusNone {
			continue
		}
		switch is, absent := roll.has(int32(i)), s.absent(); {
		case s.status == statusDeleted:
			if !is && !strange {
				gone = append(gone, int32(i))
			}
		case is:
			if absent != never {
				changed = append(changed, int32(i))
			}
		case warning != "" || !clock:
		case absent == never:
			changed = append(changed, int32(i))
		case seconds-absent <= int64(absence/time.Second):
		case far:
			changed = append(changed, int32(i))
		default:
			gone = append(gone, int32(i))
		}
	}
	if len(gone)+len(changed) == 0 {
		return warning, nil
	}
	return warning, f.setListed(roll, gone, changed, seconds)
}

// setListed forgets the slots that are gone, and notes of the others that they are listed again, or absent
// from now on.
func (f *File) setListed(roll *Roll, gone, changed []int32, seconds int64) error {
	turned := make([]slot, len(changed))
	for i, at := range changed {
		s := f.table.slots[at]
		m := more{absent: never, reported: never, next: never}
		if s.more != nil {
			m = *s.more
		}
		if m.absent = seconds; roll.has(at) {
			m.absent = never
		}
		s.setMore(m)
		turned[i] = s
	}
	err := f.write(f.open, false, func(b *batch) {
		for _, at := range gone {
			s := &f.table.slots[at]
			copy := 0
			if first := f.table.first[s.uid()]; f.table.slots[first].next >= 0 {
				copy = s.copyNumber()
			}
			b.forgotten(s.uid(), copy)
		}
		for i := range turned {
			b.entry(&turned[i])
		}
	})
	if err != nil {
		return err
	}
	for _, at := range gone {
		s := &f.table.slots[at]
		f.table.drop(s.uid(), s.copyNumber())
	}
	for i := range turned {
		f.put(turned[i])
	}
	return nil
}
