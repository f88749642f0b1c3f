package fetch

import (
	"slices"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// The sizes of a large maildrop of which all is kept are not asked for; those of new mail are.
func TestListOnlyWhereNeeded(t *testing.T) {
	msgs := mails(many, 20)
	a := open(t, pop3test.Config{Caps: pipelining}, msgs...)
	a.opts.Keep = true
	var es []state.Entry
	for _, m := range msgs {
		es = append(es, delivered(m, time.Now()))
	}
	a.record(es...)
	a.clean()
	if got := a.commands(1); slices.Contains(got, "LIST") {
		t.Errorf("LIST although all is kept: %q", got)
	}
	m := mail("new", 100)
	a.srv.Add(m)
	if sum := a.clean(); sum.Delivered != 1 {
		t.Errorf("%+v", sum)
	}
	if got := a.commands(2); !slices.Contains(got, "LIST") {
		t.Errorf("no LIST although a message is new: %q", got)
	}
}
