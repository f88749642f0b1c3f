package main

import (
	"strings"

	"mailhaul/cmd/mailhaul/peer"
)

// A resolved is what is taken over of a list.
type resolved struct {
	ids     []peer.Seen // as the server sends them, where it has told
	gone    int         // not on the server any more, and not taken over
	unclear int         // messages on the server that the list may mean, or not: they are fetched
	mapped  int         // taken over as stored, and the server's may have another form
	none    bool        // nothing of a list that is not short is on the server
}

// manySeen is from how many unique-ids on it is strange if the server lists none of them, as for a
// state (see state.File.Listed).
const manySeen = 10

// resolve finds the unique-ids of a list in what the server lists; listed is nil if that is not
// known. The programs do not store all unique-ids as they are, so that several may be meant by one;
// and what stands for more messages than were seen is not known by its unique-id. Then none of them
// is taken over: a copy too many, never one too few.
func resolve(l *seenList, listed []string) resolved {
	var r resolved
	stored := storedForm(l.program)
	if listed == nil {
		r.ids = l.ids
		if l.program == peer.Getmail {
			for _, s := range l.ids {
				if strings.Contains(s.UID, "-") {
					r.mapped++
				}
			}
		}
		return r
	}
	here := make(map[string][]string, len(listed))
	for _, uid := range listed {
		here[stored(uid)] = append(here[stored(uid)], uid)
	}
	times := make(map[string]int, len(l.ids))
	for _, s := range l.ids {
		times[s.UID]++
	}
	// An empty maildrop is nothing strange, but for a list of which then nothing is taken over.
	r.none = len(l.ids) >= manySeen && (len(listed) > 0 || l.program == peer.Getmail)
	for _, s := range l.ids {
		n := times[s.UID]
		if n == 0 {
			continue // done
		}
		times[s.UID] = 0
		uids := here[s.UID]
		switch {
		case len(uids) > n:
			r.unclear += len(uids)
			r.none = false
		case len(uids) > 0:
			for _, uid := range uids {
				r.ids = append(r.ids, peer.Seen{UID: uid, Time: s.Time})
			}
			r.none = false
		case l.program == peer.Getmail:
			r.gone++
		default:
			r.ids = append(r.ids, s)
		}
	}
	return r
}

// storedForm gives how a program stores a unique-id.
func storedForm(p peer.Program) func(string) string {
	switch p {
	case peer.Fetchmail:
		return peer.FetchmailUID
	case peer.Getmail:
		return peer.GetmailUID
	}
	return func(uid string) string { return uid }
}
