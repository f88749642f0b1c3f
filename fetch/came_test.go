package fetch

import (
	"sync/atomic"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// TestCame: what a progress bar is told of are the octets of what is delivered, also where texts
// had to come twice; and not those of what was only looked at.
func TestCame(t *testing.T) {
	msgs := mails(40, 3000)
	a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "RETR 7", Do: pop3test.Refuse}}}, msgs...)
	var came atomic.Int64
	a.opts.Came, a.opts.Keep = &came, true
	sum, err := a.run()
	if err == nil || sum.Delivered != 39 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if came.Load() != sum.Octets {
		t.Errorf("%d octets came, %d were delivered", came.Load(), sum.Octets)
	}
	var planned int64
	for _, e := range a.events {
		if e.Type == Account {
			planned = e.RetrieveOctets
		}
	}
	if want := sum.Octets + msgs[6].Octets(); planned != want {
		t.Errorf("%d octets were planned, want %d", planned, want)
	}
	a.srv.Mend()
	a.opts.Keep = false // the 39 are looked at again before they are deleted
	came.Store(0)
	sum = a.clean()
	if came.Load() != msgs[6].Octets() || sum.Delivered != 1 || sum.Deleted != 40 {
		t.Errorf("%d octets came; %+v", came.Load(), sum)
	}
}
