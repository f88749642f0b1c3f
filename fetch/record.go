package fetch

import (
	"errors"

	"mailhaul/deliver"
	"mailhaul/fetch/state"
)

// save records entries. What the state says for the case of a crash is still true behind it.
func (r *run) save(es ...state.Entry) error {
	if len(es) == 0 {
		return nil
	}
	return r.write(es...)
}

// write is save also of nothing: then it puts on disk what was noted before, where a Begin is open.
func (r *run) write(es ...state.Entry) error {
	hint := ""
	if r.nonce != "" {
		var err error
		if hint, err = r.hint(); err != nil {
			return err
		}
	}
	return r.st.Record(hint, r.next, es...)
}

// hint is where a later run is to look for what this one delivers.
func (r *run) hint() (string, error) {
	if r.find == nil {
		return "", nil
	}
	return r.find.Hint()
}

// recording tells the caller that what was delivered is about to be recorded: what it notes in the state is
// on disk with that.
func (r *run) recording() error {
	if r.opts.Record == nil {
		return nil
	}
	return r.opts.Record()
}

// listed tells the state what the server lists, so that it can forget.
func (r *run) listed() error {
	if r.noUIDL {
		return nil
	}
	roll := r.roll
	if roll == nil {
		roll = r.called()
	}
	warning, err := r.st.Listed(roll, r.now)
	strange, since := r.st.Note(noteStrange)
	switch {
	case err != nil:
		return err
	case len(r.items)+len(r.kept) == 0:
		if warning == "" || r.goneAsAsked() {
			return nil
		}
		return r.warnDaily(noteWarned, warning)
	case warning == "":
		return r.st.SetNote(noteStrange, "", r.now)
	case strange == "" || r.now.Before(since):
		r.event(Event{Type: Failed, Reason: warning, Warning: true})
		return r.st.SetNote(noteStrange, warning, r.now)
	case r.now.Sub(since) >= again:
		return r.st.Believe(roll, r.now)
	}
	// It may tell of more messages than before: each run may add one to those known.
	r.event(Event{Type: Failed, Reason: warning, Warning: true, Repeated: true})
	return nil
}

// goneAsAsked tells whether all that is known was delivered to be deleted then: that it is gone, although
// the server has not confirmed it, is no trouble. Runs for other destinations leave a warning to the last one.
func (r *run) goneAsAsked() bool {
	if r.opts.Keep {
		return r.opts.Others.More
	}
	for e := range r.st.All() {
		if e.Status != state.Deleted && (e.Status != state.Delivered || e.Reason != "") {
			return false
		}
	}
	return true
}

// warnDaily warns once a day, and notes in the state when it did. What is counted in the warning may change
// from run to run: it is the same one all the same.
func (r *run) warnDaily(note, warning string) error {
	told, at := r.st.Note(note)
	repeated := told != "" && r.recently(at)
	r.event(Event{Type: Failed, Reason: warning, Warning: true, Repeated: repeated})
	if repeated || r.opts.DryRun {
		return nil
	}
	return r.st.SetNote(note, warning, r.now)
}

// called is the listing, called against the state as it is now.
func (r *run) called() *state.Roll {
	roll := r.st.Roll()
	for i := range r.items {
		roll.Call(r.items[i].uid)
	}
	return roll
}

const (
	// noteWarned is the state's note of what was last warned of about its listing, and when.
	noteWarned = "warned"
	// noteStrange is that for a listing without any known message, and since when there were no others.
	noteStrange = "strange"
)

// entry is the state's line for a message that has become durable.
func (r *run) entry(uid string, copy int, f deliver.Receipt) state.Entry {
	return state.Entry{UID: uid, Copy: copy, Status: state.Delivered, Time: r.since(),
		Size: f.Size, Head: hexSum(f.Head), Body: hexSum(f.Sum)}
}

// end says that the fate of each message is known.
func (r *run) end() error {
	if err := r.st.End(); err != nil {
		return err
	}
	return errors.Join(r.st.SetNote(noteQuarantine, "", r.now), r.st.SetNote(noteNumbers, "", r.now))
}
