package fetch

import (
	"time"

	"mailhaul/fetch/state"
)

// A message that failed is tried again in the next run, then one hour later, two, four, and so on,
// a day at most: what will never come costs an octet less often than what fails once.
const (
	firstPause = time.Hour
	maxPause   = 24 * time.Hour
)

// mayBeChance is how many attempts that ended with a broken connection count nothing: on a link that
// breaks often, one message or another is always on its way.
const mayBeChance = 4

// pause is how long a message is left alone after so many attempts.
func pause(attempts int) time.Duration {
	if attempts < 2 {
		return 0
	}
	// The shift is bounded, for it would overflow.
	return min(firstPause<<min(attempts-2, 10), maxPause)
}

// nextAttempt is the time before which a message that failed now, for the nth time, is not tried.
func nextAttempt(now time.Time, attempts int) time.Time {
	if p := pause(attempts); p > 0 {
		return now.Add(p).Truncate(time.Second) // as the state has it
	}
	return time.Time{}
}

// waits tells whether a message that failed is to be left alone in this run. A time further away
// than any pause is of a clock that was wrong then, or is now.
func (r *run) waits(e state.Entry) bool {
	left := e.Next.Sub(r.now)
	return !r.opts.Retry && left > 0 && left <= maxPause
}
