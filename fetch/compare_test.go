package fetch

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/state"
)

const compareNonce = "0123456789ab"

// storedOf is the copy of a message that a run delivered; text is what is in it.
func storedOf(nonce, uid string, copy int, text string) deliver.Stored {
	s := deliver.Stored{ID: deliveryID(nonce, uid, copy), From: "pop.example.com", For: "alice", Where: "/" + uid}
	s.Size, s.Sum = int64(len(text)), sha256.Sum256([]byte(text))
	return s
}

func recordedAs(status state.Status, uid string, copy int, text string) state.Entry {
	return state.Entry{UID: uid, Copy: copy, Status: status, Time: time.Now().Add(-time.Hour), Size: int64(len(text)), Body: hexSum(sha256.Sum256([]byte(text)))}
}

// Each case has a state, a destination and a listing; what is found is written TYPE:UID.
func TestComparison(t *testing.T) {
	const d, x = state.Delivered, state.Deleted
	at := func(es ...state.Entry) []state.Entry { return es }
	have := func(ss ...deliver.Stored) []deliver.Stored { return ss }
	a, b := recordedAs(d, "a", 1, "A"), recordedAs(d, "b", 1, "B")
	plain := storedOf("", "a", 1, "A")
	plain.ID, plain.From, plain.For = "", "", ""
	other := storedOf(compareNonce, "z", 1, "A")
	other.For = "bob"
	altered := storedOf(compareNonce, "old", 1, "?")
	altered.Altered = true
	other2 := altered
	other2.From = "pop.example.net"
	short := recordedAs(d, "a", 1, "A")
	short.Reason = "came short"
	aside := recordedAs(d, "a", 1, "A")
	aside.Quarantine = "/q"
	for _, tt := range []struct {
		name    string
		before  []state.Entry
		since   []state.Entry // recorded while it is compared
		begun   bool          // a run has compareNonce open by then
		stored  []deliver.Stored
		listing string
		server  string // its text of each listed message, "" if it was not retrieved
		keep    bool
		busy    bool
		want    string
	}{
		{name: "all agrees", before: at(a, b), stored: have(storedOf(compareNonce, "a", 1, "A"), storedOf("ba9876543210", "b", 1, "B")), listing: "a b c", keep: true, want: "verified:a verified:b"},
		{name: "missing", before: at(a, b), stored: have(storedOf(compareNonce, "b", 1, "B")), want: "missing:a verified:b"},
		{name: "a tombstone's copy", before: at(recordedAs(x, "a", 1, "A")), want: "missing:a"},
		{name: "seen, failed, without a hash", before: at(state.Entry{UID: "s", Status: state.Seen}, state.Entry{UID: "f", Status: state.Failed}, state.Entry{UID: "n", Status: d}), listing: "s", want: ""},
		{name: "in a quarantine", before: at(aside), listing: "a", keep: true, want: ""},
		{name: "twice", before: at(a), stored: have(storedOf(compareNonce, "a", 1, "A"), storedOf(compareNonce, "a", 1, "A")), want: "extra:a verified:a"},
		{name: "delivered in two runs", before: at(a), stored: have(storedOf(compareNonce, "a", 1, "A"), storedOf("ba9876543210", "a", 1, "A")), want: "extra:a verified:a"},
		{name: "changed", before: at(a), stored: have(storedOf(compareNonce, "a", 1, "?")), want: "changed:a"},
		{name: "twice, one changed", before: at(a), stored: have(storedOf(compareNonce, "a", 1, "?"), storedOf(compareNonce, "a", 1, "A")), want: "changed:a verified:a"},
		{name: "changed, between others", before: at(a, b), stored: have(storedOf(compareNonce, "a", 1, "?"), storedOf(compareNonce, "y", 1, "Y"), storedOf(compareNonce, "b", 1, "?"), storedOf(compareNonce, "z", 1, "Z")), want: "changed:a changed:b verified: verified:"},
		{name: "its trace taken away", before: at(a), stored: have(plain), want: "verified:a"},
		{name: "one copy for two", before: at(a, recordedAs(d, "c", 1, "A")), stored: have(plain), want: "missing:c verified:a"},
		{name: "another account's", before: at(a), stored: have(other), want: "missing:a"},
		{name: "two copies of one unique-id", before: at(a, recordedAs(d, "a", 2, "B")), stored: have(storedOf(compareNonce, "a", 2, "B"), storedOf(compareNonce, "a", 1, "A")), want: "verified:a verified:a"},
		{name: "older", stored: have(storedOf(compareNonce, "old", 1, "O")), want: "verified:"},
		{name: "older, twice", stored: have(storedOf(compareNonce, "old", 1, "O"), storedOf(compareNonce, "old", 1, "O")), want: "extra: verified:"},
		{name: "older, altered", stored: have(altered, other2), want: "changed:"},
		{name: "not recorded, and listed", stored: have(storedOf(compareNonce, "a", 1, "A")), listing: "a", want: "extra:a"},
		{name: "a run goes on", stored: have(storedOf(compareNonce, "a", 1, "A")), listing: "a", begun: true, want: ""},
		{name: "recorded since", stored: have(storedOf(compareNonce, "a", 1, "A")), since: at(a), listing: "a", want: ""},
		{name: "undeleted", before: at(a), stored: have(storedOf(compareNonce, "a", 1, "A")), listing: "a", want: "undeleted:a verified:a"},
		{name: "about to be deleted", before: at(a), stored: have(storedOf(compareNonce, "a", 1, "A")), listing: "a", busy: true, want: "verified:a"},
		{name: "listed again", before: at(recordedAs(x, "a", 1, "A")), stored: have(storedOf(compareNonce, "a", 1, "A")), listing: "a", want: "undeleted:a verified:a"},
		{name: "the server's text", before: at(a), stored: have(storedOf(compareNonce, "a", 1, "A")), listing: "a new", server: "A", keep: true, want: "verified:a"},
		{name: "another text on the server", before: at(a), stored: have(storedOf(compareNonce, "a", 1, "A")), listing: "a", server: "?", keep: true, want: "changed:a verified:a"},
		{name: "came short", before: at(short), stored: have(storedOf(compareNonce, "a", 1, "A")), listing: "a", want: "undelivered:a verified:a"},
		{name: "failed", before: at(state.Entry{UID: "a", Copy: 1, Status: state.Failed, Time: time.Now(), Reason: "no"}), listing: "a new", want: "undelivered:a"},
		{name: "failed, and gone", before: at(state.Entry{UID: "a", Copy: 1, Status: state.Failed, Time: time.Now(), Reason: "no"}), listing: "new", want: ""},
	} {
		path := filepath.Join(t.TempDir(), "a.uidl")
		record := func(es []state.Entry, begin bool) *state.File {
			st, err := state.Open(path, state.Identity{Host: "pop.example.com", User: "alice"})
			if err != nil {
				t.Fatal(err)
			}
			if len(es) > 0 {
				if err := st.Record("", "", es...); err != nil {
					t.Fatal(err)
				}
			}
			stored := tt.stored
			if begin {
				mark, err := st.Begin("", "")
				if err != nil {
					t.Fatal(err)
				}
				for i := range stored {
					stored[i].ID = deliveryID(mark.Nonce, strings.TrimPrefix(stored[i].Where, "/"), 1)
				}
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			known, err := state.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			return known
		}
		c := NewComparison(record(tt.before, false), Options{Server: "pop.example.com", User: "alice", Keep: tt.keep})
		after := record(tt.since, tt.begun)
		for _, s := range tt.stored {
			c.Add(s)
		}
		var listing []Listed
		for uid := range strings.FieldsSeq(tt.listing) {
			l := Listed{UID: uid, Nth: 1}
			if tt.server != "" {
				l.Text = &deliver.Digest{Sum: sha256.Sum256([]byte(tt.server))}
			}
			listing = append(listing, l)
		}
		findings, counts := c.Finish(after, listing, time.Now(), tt.busy)
		var got []string
		wrong := 0
		for _, f := range findings {
			got = append(got, fmt.Sprintf("%s:%s", f.Type, f.UID))
			if f.Type != Verified {
				wrong++
			}
			if f.Stored != nil && f.UID != "" && f.Stored.Where != "/"+f.UID && f.Stored.Where != "/" {
				t.Errorf("%s: %s of %s is at %s", tt.name, f.Type, f.UID, f.Stored.Where)
			}
		}
		if text := strings.Join(slices.Sorted(slices.Values(got)), " "); text != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, text, tt.want)
		}
		if wrong != counts.Wrong() || tt.begun != (counts.Unsettled == 1) {
			t.Errorf("%s: %+v", tt.name, counts)
		}
	}
}
