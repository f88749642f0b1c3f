package fetch

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// photo is a run with a quarantine whose every step is photographed, at the destination and at the
// quarantine. The destination is a command, or else a maildir of which the state says the same.
func photo(t *testing.T, dir string, command bool, msgs []pop3test.Message) []*moment {
	var film film
	var cam *camera
	a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
		if strings.HasPrefix(command, "RETR") || strings.HasPrefix(command, "DELE") || command == "QUIT" {
			cam.look("in front of " + command[:4])
		}
		return "", command == "QUIT" // lost
	}}, msgs...)
	a.dir = dir
	a.quarantine(1)
	openMaildir := a.opts.Quarantine.Open
	a.opts.Quarantine.Open = func(path string, create bool) (deliver.Finder, error) {
		q, err := openMaildir(path, create)
		if err != nil {
			return nil, err
		}
		return &finderCamera{camera{Target: q, a: a, film: &film, name: "quarantine: "}, q}, nil
	}
	a.target = func(t deliver.Target) deliver.Target {
		if command {
			p := refusing(false, "uid-2", "uid-4")
			a.mailTo(p)
			a.target = nil
			t = p
			cam = &camera{Target: t, a: a, film: &film}
			return cam
		}
		cam = &camera{Target: t, a: a, film: &film}
		return &finderCamera{*cam, t.(deliver.Finder)}
	}
	a.run()
	a.srv.Wait()
	return film.moments
}

// TestKilledInQuarantine kills a run at every step of the way into the quarantine, and the run behind
// it again. In the end each message must be there once, or at the destination.
func TestKilledInQuarantine(t *testing.T) {
	t.Parallel()
	for _, command := range []bool{true, false} {
		msgs := mails(5, 300)
		start := open(t, pop3test.Config{})
		start.record(
			state.Entry{UID: "uid-2", Status: state.Failed, Attempts: 1, Refused: 1, Reason: "no", Reported: timeOf(1), Time: timeOf(1)},
			state.Entry{UID: "uid-4", Status: state.Failed, Attempts: 1, Refused: 1, Reason: "no", Reported: timeOf(1), Time: timeOf(1)})
		kinds := map[string]int{}
		finish := func(when, dir string, withoutKey bool) {
			a := open(t, pop3test.Config{}, msgs...)
			a.dir = copied(t, dir)
			a.quarantine(1)
			if withoutKey {
				a.opts.Quarantine.Path = "" // taken out of the configuration in between
			}
			p := &post{}
			if command {
				a.mailTo(p)
			}
			for n := range 3 { // what an earlier run has recorded is deleted first, in a session of its own
				var left *LeftError
				if _, err := a.run(); err != nil && (!errors.As(err, &left) || n == 2) {
					t.Fatalf("killed %s: %v\n%s", when, err, a.transcript())
				}
				a.srv.Wait()
			}
			a.wantEmpty()
			count := map[string]int{}
			aside := a.quarantined()
			for _, text := range aside {
				count[text]++
			}
			if command {
				for i, n := range p.taken(msgs) {
					count[stored(msgs[i])] += n
				}
			} else {
				for _, text := range a.stored() {
					count[text]++
				}
			}
			for i, m := range msgs {
				// A command is given what it had when the run was killed once more, each time.
				if n := count[stored(m)]; n < 1 || n > 1 && !(command && i%2 == 0 && n <= 3) {
					t.Errorf("%s: %d copies", m.UID, n)
				}
				if !withoutKey && slices.Contains(aside, stored(m)) != (i%2 == 1) {
					t.Errorf("%s is in the wrong place", m.UID)
				}
			}
			if t.Failed() {
				t.Fatalf("killed %s (command: %v)", when, command)
			}
		}
		first := photo(t, copied(t, start.dir), command, msgs)
		for i, m := range first {
			kinds[m.when]++
			finish(m.when, m.dir, i%2 == 0)
			for _, m2 := range photo(t, copied(t, m.dir), command, msgs) {
				kinds[m2.when]++
				finish(m.when+", then "+m2.when, m2.dir, false)
			}
		}
		for _, when := range []string{"in the midst of Deliver", "in front of Commit", "behind Commit, in front of Record", "behind Find, in front of Record"} {
			if kinds["quarantine: "+when] == 0 {
				t.Errorf("never killed %s: %v", when, kinds)
			}
		}
	}
}

// The note of the quarantine is on disk before the first message is there: behind it, in a write that
// waits for the disk, the Begin stands once more.
func TestQuarantineNoteSynced(t *testing.T) {
	a := open(t, pop3test.Config{}, mails(3, 200)...)
	a.quarantine(1)
	a.mailTo(refusing(false, "uid-2"))
	a.run()
	a.srv.Add(pop3test.Message{UID: "more", Text: "Subject: more\r\n\r\nmore\r\n"}) // the Begin is its
	a.run()
	a.wantQuarantined(mails(3, 200)[1])
	_, behind, _ := strings.Cut(read(t, a.statePath()), "note="+noteQuarantine+" ")
	before, _, there := strings.Cut(behind, " quarantine=QUARANTINE")
	if n := strings.Count(before, "\nbegin="); !there || n != 2 {
		t.Errorf("%d marks between the note and the first message:\n%s", n, behind)
	}
}

// A message in the quarantine that is claimed late is told of as one that is found at once.
func TestKilledInQuarantineThenPart(t *testing.T) {
	msgs := mails(2, 200)
	start := open(t, pop3test.Config{})
	start.record(state.Entry{UID: "uid-2", Status: state.Failed, Attempts: 1, Refused: 1, Reason: "no", Reported: timeOf(1), Time: timeOf(1)})
	dir := ""
	for _, m := range photo(t, start.dir, true, msgs) {
		if m.when == "quarantine: behind Commit, in front of Record" {
			dir = m.dir
		}
	}
	for i, listed := range [][]pop3test.Message{msgs[:1], msgs, msgs[:1]} {
		a := open(t, pop3test.Config{}, listed...)
		a.dir = dir
		a.quarantine(1)
		a.mailTo(&post{})
		_, err := a.run()
		a.srv.Wait()
		var left *LeftError
		if errors.As(err, &left) != (i == 1) || i == 1 && left.Quarantined != 1 {
			t.Errorf("run %d: %v", i, err)
		}
		for _, e := range a.events {
			if e.Type == Failed && !e.Warning && (e.UID != "uid-2" || !strings.HasSuffix(e.Reason, ": no") || e.Attempts != 1) {
				t.Errorf("run %d told %+v", i, e)
			}
		}
		a.wantQuarantined(msgs[1])
	}
}
