//go:build unix

package fetch

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"mailhaul/fetch/pop3/pop3test"
)

// A server may give thousands of messages one unique-id (RFC 1939, section 7, allows it for identical
// ones). What that costs is no square of their number. Measured in the processor's time, which others on
// the machine take nothing of.
func TestManyCopies(t *testing.T) {
	const n = 3000
	var msgs []pop3test.Message
	for i := range n {
		msgs = append(msgs, pop3test.Message{UID: "same", Text: fmt.Sprintf("Subject: %d\r\n\r\n%d\r\n", i%100, i)})
	}
	a := open(t, pop3test.Config{}, msgs...)
	a.opts.Keep = true
	begun := used(t)
	a.clean()
	a.clean()
	a.srv.Add(pop3test.Message{UID: "same", Text: "Subject: more\r\n\r\nmore\r\n"})
	a.clean()
	a.opts.Keep = false
	a.clean()
	took := used(t) - begun
	t.Log(took)
	if took > 5*time.Second {
		t.Errorf("%v", took)
	}
	a.wantEmpty()
	if stored := len(a.stored()); stored != n+1 {
		t.Errorf("%d stored", stored)
	}
}

// used is how long the processor was ours.
func used(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
