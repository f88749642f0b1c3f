package deliver

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// patiently calls try until it does not fail for a lock, or the time is over. When ctx is done it is
// still tried, but not waited for.
func patiently(ctx context.Context, target string, timeout time.Duration, try func() error) error {
	deadline := time.Now().Add(timeout)
	pause := 5 * time.Millisecond
	for {
		err := try()
		if !errors.Is(err, errLocked) && !errors.Is(err, errReplaced) {
			return err
		}
		left := time.Until(deadline)
		if left <= 0 || ctx.Err() != nil {
			return &Error{Target: target, Err: err, Temporary: true}
		}
		// Two that wait for each other must not meet again at each attempt.
		t := time.NewTimer(min(pause/2+rand.N(pause), left))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
		pause = min(2*pause, 250*time.Millisecond)
	}
}
