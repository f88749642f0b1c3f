package main

import (
	"fmt"
	"strconv"
	"strings"

	"mailhaul/fetch/state"
)

// maxCandidates is how many messages an error about an ambiguous id names.
const maxCandidates = 5

// pick finds the message that a person means: by its unique-id, as it is or as `list` prints it;
// else by its number in this session; else by the beginning of its unique-id, if that fits one
// message alone.
func (d *maildrop) pick(id string) (mail, error) {
	var whole, begun []mail
	number := -1
	n, err := strconv.Atoi(id)
	beginning := strings.TrimSuffix(id, "…") // list cuts what is too long for a terminal
	for i, m := range d.mails {
		shown := state.Escape(m.uid)
		switch {
		case m.uid == "" || beginning == "":
		case id == m.uid || id == shown:
			whole = append(whole, m)
		case strings.HasPrefix(m.uid, beginning) || strings.HasPrefix(shown, beginning):
			begun = append(begun, m)
		}
		if err == nil && m.num == n && id == strconv.Itoa(n) {
			number = i
		}
	}
	switch {
	case len(whole) == 1:
		return whole[0], nil
	case len(whole) > 1:
		return mail{}, ambiguous("is the unique-id of", id, whole)
	case number >= 0:
		return d.mails[number], nil
	case len(begun) == 1:
		return begun[0], nil
	case len(begun) > 1:
		return mail{}, ambiguous("is the beginning of the unique-ids of", id, begun)
	}
	return mail{}, usagef("%q is no message on the server, neither as unique-id nor as number", id)
}

func ambiguous(what, id string, among []mail) error {
	var names []string
	for _, m := range among {
		if len(names) == maxCandidates {
			names = append(names, fmt.Sprintf("and %d more", len(among)-maxCandidates))
			break
		}
		names = append(names, fmt.Sprintf("message %d (%s)", m.num, state.Escape(m.uid)))
	}
	return usagef("%q %s %d messages; say which, by number or whole unique-id: %s", id, what, len(among), strings.Join(names, ", "))
}
