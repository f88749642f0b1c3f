//go:build unix

package state

import (
	"syscall"
	"testing"
	"time"
)

// Thousands of messages may have one unique-id. What their entries cost is no square of their number.
func TestManyCopies(t *testing.T) {
	const n = 30_000
	begun := used(t)
	f := mustOpen(t, tempPath(t))
	es := make([]Entry, n)
	for i := range es {
		es[i] = full("same")
		es[i].Copy = i + 1
	}
	check(t, f.Record("", "", es...))
	for i := range es {
		e, ok := f.LookupCopy("same", n-i)
		if es[i] = e; !ok || e.Copy != n-i {
			t.Fatal(e, ok)
		}
		es[i].Status = Deleted
	}
	check(t, f.Record("", "", es...))
	check(t, f.Close())
	f = mustOpen(t, f.Path())
	if f.Len() != n {
		t.Fatal(f.Len())
	}
	if _, err := f.Listed(called(f, "another"), time.Now()); err != nil || f.Len() != 0 {
		t.Fatal(f.Len(), err)
	}
	if took := used(t) - begun; took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// used is how long the processor was ours.
func used(t *testing.T) time.Duration {
	var u syscall.Rusage
	check(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
