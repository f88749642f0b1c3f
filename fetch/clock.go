package fetch

import (
	"fmt"
	"time"

	"mailhaul/fetch/state"
)

// due tells whether a message that was delivered at that time has been kept long enough.
func (r *run) due(since time.Time) bool {
	return r.opts.DeleteAfter > 0 && r.clockOK() && r.now.Sub(since) >= r.opts.DeleteAfter
}

// since is from when on a message counts as delivered that is recorded now. While the clock is behind, it
// is the newest time that is known: noted as older than it is, the message would be deleted too early
// when the clock is right again.
func (r *run) since() time.Time {
	if newest := r.st.Newest(); r.now.Before(newest) {
		return newest
	}
	return r.now
}

// maxAhead is how far the clock may be past the state's newest time and still be believed when
// messages are deleted for their age.
const maxAhead = 30 * 24 * time.Hour

// clockOK tells whether the clock can be trusted with delete_after: one that was set back or far
// ahead would delete what is young.
func (r *run) clockOK() bool {
	newest := r.st.Newest()
	if r.now.Before(newest) || r.now.Sub(newest) > maxAhead {
		return false
	}
	// One that was far ahead must have been so for a day: runs are minutes apart, and a clock that was
	// wrong at boot is not set at once.
	_, ahead := r.st.Note(noteClock)
	return ahead.IsZero() || r.now.Sub(ahead) >= again
}

// noteClock is the state's note that the clock was far ahead of all other times in the state.
const noteClock = "clock"

// noteBehind is the state's note that a clock which is behind was warned of.
const noteBehind = "behind"

// confirmClock notes a clock that is far ahead. Where nothing happens for so long, nothing else
// would, and delete_after would never be believed again; a run on the day after may be. Of one that is
// behind by more than a clock is usually wrong it warns: which of the two times is wrong only the user can tell.
func (r *run) confirmClock() error {
	if !r.opts.Keep || r.opts.DeleteAfter == 0 || r.st.Len() == 0 {
		return nil
	}
	newest := r.st.Newest()
	if newest.Sub(r.now) > again {
		return r.warnDaily(noteBehind, fmt.Sprintf("the clock is behind the newest time in the state file, %s; until then delete_after deletes nothing. "+
			"If the clock is right, correct the later times in that file", newest.Format(time.RFC3339)))
	}
	return ConfirmClock(r.st, r.now)
}

// ConfirmClock notes in the state a clock that is far ahead of it. It must come before anything else that a
// run notes or records, or that would make the clock credible. An error is that of the state file.
func ConfirmClock(st *state.File, now time.Time) error {
	if st.Len() == 0 || now.Sub(st.Newest()) <= maxAhead {
		return nil
	}
	return st.SetNote(noteClock, now.UTC().Format(time.DateOnly), now)
}
