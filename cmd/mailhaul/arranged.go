package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mailhaul/fetch/state"
)

// Which of an account's destinations has which state.

// legMark stands between the account and its destination in the name of a state. No account's name
// has a control character.
const legMark = "\x1f"

// stateName is the name that the account's state bears.
func (a *Account) stateName() string {
	if a.leg == "" {
		return a.Name
	}
	return a.Name + legMark + a.leg
}

// others gives the account once more for each further destination.
func (a *Account) others() (all []*Account) {
	for _, d := range a.Also {
		all = append(all, a.to(d))
	}
	return all
}

// to gives the account with one destination, and the state that is made of it.
func (a *Account) to(d Destination) *Account {
	b := *a
	b.Deliver, b.Also = d, nil
	sum := sha256.Sum256([]byte(d.String()))
	b.leg = fmt.Sprintf("%x", sum[:4]) // whatever their order in the configuration
	return &b
}

// legStates gives the states for single destinations, configured or not, that stand beside a state.
func legStates(own string) (paths []string, err error) {
	found, err := state.List(filepath.Dir(own))
	for _, s := range found {
		if strings.HasPrefix(accountOf(filepath.Base(s.Path)), accountOf(filepath.Base(own))+legMark) {
			paths = append(paths, s.Path)
		}
	}
	return paths, err
}

// arranged gives the account with its own destination first: that which the account's state, st, is of,
// wherever it stands in the configuration now. Taken for another's, the state would claim messages that
// never came there, and one that has a state would get all of its messages again. If the state's is not
// configured any more, one with a state of its own goes on with that; where none has, the account's was moved,
// unless others have gone on without it before.
func (a *Account) arranged(cfg *Config, st *state.File) *Account {
	all := append([]Destination{a.Deliver}, a.Also...)
	with := func(b Account, i int) *Account {
		b.Deliver, b.Also = all[i], slices.Delete(slices.Clone(all), i, i+1)
		return &b
	}
	was := deliveredTo(st)
	has, _ := st.Note(noteTarget) // what was begun elsewhere since, as by a mistyped path, has come to nothing
	for _, name := range []string{was, has} {
		if i := slices.IndexFunc(all, func(d Destination) bool { return d.String() == name }); i >= 0 {
			return with(*a, i)
		}
	}
	for i, d := range all {
		if was == "" && i > 0 {
			break // the state may be of the first, which has not had anything yet
		}
		b := a.to(d)
		if _, err := os.Stat(statePath(cfg, b.stateName())); err == nil {
			return with(*b, i)
		}
	}
	if gone, _ := st.Note(noteGone); gone != "" {
		return with(*a.to(a.Deliver), 0)
	}
	return a
}

// abandoned notes whether the account's state, st, is of a destination without which others go on: it knows
// nothing of what became of their messages since.
func (a *Account) abandoned(st *state.File) error {
	now := ""
	if a.leg != "" && deliveredTo(st) != "" {
		now = "1"
	}
	if was, _ := st.Note(noteGone); was == now {
		return nil
	}
	return st.SetNote(noteGone, now, time.Now())
}

// claim makes a state for each of the others that has none, as soon as the account's own has anything: without
// one, it would be taken for the account's own under another name once that is gone.
func (ls legs) claim() error {
	for _, l := range ls[:len(ls)-1] {
		if l.st.Len() > 0 || deliveredTo(l.st) != "" {
			continue
		}
		if err := l.st.SetNote(noteInto, l.a.Deliver.String(), time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// begins tells whether this is the account's first run. One that was refused as too early was none.
func (l *leg) begins() bool {
	delay, _ := l.st.Note(noteDelay)
	caps, _ := l.st.Note(noteCaps) // which a run that came to a listing has noted
	return l.account == nil && (l.st.New() || l.st.Len() == 0 && delay != "" && caps == "")
}

// moved notes that the account's state goes on with another destination, as the first delivery would: there may
// be none before one that has a state of its own comes to stand in front.
func (l *leg) moved() error {
	was := deliveredTo(l.st)
	_, interrupted := l.st.Interrupted()
	target, _ := l.st.Note(noteTarget)
	switch {
	case was == "" || was == l.a.Deliver.String():
		return nil
	case interrupted || target == "" && delivered(l.st): // what openTarget has to know in the next run, too
		return nil
	}
	return l.st.SetNote(noteInto, l.a.Deliver.String(), time.Now())
}

// deliveredTo names the destination that a state is of, "" if it is of none yet.
func deliveredTo(st *state.File) string {
	into, _ := st.Note(noteInto)
	target, _ := st.Note(noteTarget)
	return cmp.Or(into, target)
}

// apart gives, of an account that is arranged, those whose state is not the account's.
func (a *Account) apart() []*Account {
	if a.leg == "" {
		return a.others()
	}
	return append(a.others(), a.to(a.Deliver))
}
