package fetch

import (
	"strconv"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3"
)

// An item is one message of the listing, and what becomes of it.
type item struct {
	num     int
	uid     string          // "" if the server gave none
	size    int64           // octets by LIST; -1 unknown
	listed  int             // how many messages of this session have this unique-id
	nth     int             // which of them this is, by number: 1, 2, …
	copy    int             // under which number of copy it is or will be recorded
	id      string          // delivery id, once it is on its way
	reason  string          // why it is skipped, identified, left
	tries   int             // how often it failed before
	tried   time.Time       // when it failed last
	late    bool            // it waits for what is to be deleted, and that was longer than a day ago
	waited  bool            // it has, when it was late
	why     string          // for what reason it failed before
	next    time.Time       // not tried before; zero: at once
	aside   bool            // it goes to the quarantine
	passes  bool            // what it failed for may pass by itself
	doubt   bool            // a command may have delivered it in an earlier run
	told    bool            // why it stays was told of within the last day
	digest  *deliver.Digest // of what was retrieved to identify it
	telling bool            // its header has a field that no other message's has
}

// nextKey names a message in the state's "given out next".
func nextKey(uid string, copy int) string { return strconv.Itoa(copy) + ":" + uid }

func (it *item) nextKey() string { return nextKey(it.uid, it.copy) }

// merge joins the listings by message number. The listings win over STAT's count: it counts only
// where there is no listing at all. A number that UIDL does not list has no unique-id.
func merge(ids *pop3.UIDListing, sizes *pop3.Listing, stat int, noUIDL bool) []item {
	var items []item
	switch {
	case ids != nil:
		items = make([]item, 0, len(ids.Messages))
		for _, m := range ids.Messages {
			items = append(items, item{num: m.Num, uid: m.UID, size: -1})
		}
	case noUIDL && sizes == nil:
		for n := 1; n <= min(stat, maxGuess); n++ {
			items = append(items, item{num: n, size: -1})
		}
	}
	if sizes != nil {
		items = addSizes(items, sizes.Messages)
	}
	count(items)
	return items
}

// maxGuess bounds how many messages are taken from STAT's word alone.
const maxGuess = 100_000

// addSizes enters what LIST says. Both listings usually come in the same order; where they do
// not, a map finds the number.
func addSizes(items []item, sizes []pop3.Size) []item {
	var at map[int]int
	for i, s := range sizes {
		if i < len(items) && items[i].num == s.Num {
			items[i].size = s.Octets
			continue
		}
		if at == nil {
			at = make(map[int]int, len(items))
			for j := range items {
				at[items[j].num] = j
			}
		}
		if j, ok := at[s.Num]; ok {
			items[j].size = s.Octets
			continue
		}
		at[s.Num] = len(items)
		items = append(items, item{num: s.Num, size: s.Octets})
	}
	return items
}

// count tells each item how many of the listing share its unique-id (RFC 1939, section 7, allows
// it for identical messages, and servers do it for others).
func count(items []item) {
	first := make(map[string]int32, len(items))
	for i := range items {
		it := &items[i]
		it.listed, it.nth = 1, 1
		if it.uid == "" {
			continue
		}
		j, again := first[it.uid]
		if !again {
			first[it.uid] = int32(i)
			continue
		}
		items[j].listed++
		it.nth = items[j].listed
	}
	for i := range items {
		if uid := items[i].uid; uid != "" {
			items[i].listed = items[first[uid]].listed
		}
	}
}
