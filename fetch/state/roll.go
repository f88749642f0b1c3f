package state

import "time"

// A Roll is a listing of the server, called against the entries: it remembers in a bit for each
// which of them the server has listed. The File must not be changed while one is in use.
type Roll struct {
	f      *File
	called []uint64
	n      int // unique-ids that were called
}

// A Known is what the state has of one unique-id: as little as tells whether anything is to be done.
type Known struct {
	Again   bool      // it was called before: the listing has it more than once
	Entries int       // 0 if it was called before
	Status  Status    // of the first entry, as all below
	Time    time.Time //
	Reason  string    //
}

// Roll begins a listing.
func (f *File) Roll() *Roll {
	return &Roll{f: f, called: make([]uint64, (len(f.table.slots)+63)/64)}
}

// Call says that the server lists uid, and tells what is known of it. All copies of a unique-id
// count as listed if it is.
func (r *Roll) Call(uid string) (k Known) {
	r.n++
	first, found := r.f.table.first[uid]
	if !found {
		return k
	}
	k.Again = r.has(first)
	s := &r.f.table.slots[first]
	k.Status, k.Time = Status(statusNames[s.status]), utc(s.time)
	if s.more != nil {
		k.Reason = s.more.reason
	}
	if k.Again {
		return k // all are called: thousands may have one unique-id
	}
	for i := first; i >= 0; i = r.f.table.slots[i].next {
		r.called[i/64] |= 1 << (i % 64)
		k.Entries++
	}
	return k
}

// has tells whether the server lists the entry in a slot.
func (r *Roll) has(slot int32) bool { return r.called[slot/64]&(1<<(slot%64)) != 0 }
