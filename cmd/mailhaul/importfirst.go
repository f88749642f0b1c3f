package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// A view is what the server of an account was seen to have; without a client nothing.
type view struct {
	c      *pop3.Client
	s      *session
	d      *maildrop
	listed []string // a unique-id for each message; nil if it is not known
}

func (v *view) close() {
	if v.c != nil {
		v.c.Close()
	}
}

// ask lists the maildrop and leaves the session open. A server that cannot be asked is a warning,
// not an error: what is taken over counts without it.
func (t *takeover) ask(ctx context.Context, a *Account, st *state.File) (*view, error) {
	if t.offline {
		return &view{}, nil
	}
	f := *t.fetcher
	f.dryRun = true // takes no notes
	v := &view{}
	err := func() (err error) {
		if v.s, err = f.newSession(ctx, a, st); err != nil {
			return err
		}
		if v.c, err = v.s.open(ctx); err != nil {
			return err
		}
		return v.s.within(ctx, v.c, func() error {
			v.d, err = v.s.maildrop(v.c)
			return err
		})
	}()
	switch {
	case ctx.Err() != nil:
		v.close()
		return nil, stopped(ctx)
	case err != nil:
		v.close()
		t.report.warn(a.Name, "the server cannot be asked, and the list is taken over as it is: %v", err)
		return &view{}, nil
	case !v.d.uids:
		t.report.warn(a.Name, "the server gives no unique-ids (UIDL): nothing tells what was seen")
		return v, nil
	}
	v.listed = []string{}
	for _, m := range v.d.mails {
		if m.uid != "" {
			v.listed = append(v.listed, m.uid)
		}
	}
	return v, nil
}

// first tells what the first fetch would retrieve, by the plan that fetch --dry-run makes.
func (t *takeover) first(ctx context.Context, a *Account, st *state.File, v *view) error {
	if v.c == nil {
		return nil
	}
	var plan fetch.Event
	var octets int64
	opts := t.options(a, st)
	opts.DryRun = true
	opts.Caps, opts.NoCapa, opts.Pipelining = v.d.caps, !v.s.capa, v.s.pipelining
	opts.Events = func(e fetch.Event) {
		switch {
		case e.Type == fetch.Account:
			plan = e
		case e.Type == fetch.Message && e.Planned:
			octets += max(e.Size, 0)
		case e.Type == fetch.Failed && !e.Planned:
			t.report.event(e)
		}
	}
	_, err := fetch.Run(ctx, v.c, st, nil, opts)
	var left *fetch.LeftError
	switch {
	case ctx.Err() != nil:
		return stopped(ctx)
	case err != nil && !errors.As(err, &left):
		t.report.warn(a.Name, "what the first fetch would retrieve is not known: %v", err)
		return nil
	}
	if t.report.json {
		l := newJSONLine("account", time.Now())
		l.text("account", a.Name)
		l.number("messages", int64(plan.Messages))
		l.number("octets", octets)
		l.number("retrieve", int64(plan.Retrieve))
		l.flag("planned", true)
		t.report.write(t.report.out, l.String())
		return nil
	}
	size := ""
	if plan.Retrieve > 0 {
		size = " (" + sizeText(octets) + ")"
	}
	t.say("%s: the first fetch retrieves %s%s of %d on the server", visible(a.Name), messages(plan.Retrieve), size, plan.Messages)
	return nil
}

// rehearse makes a copy of what a state knows, for a dry run to record in. It is to be removed.
func rehearse(st *state.File, id state.Identity) (*state.File, func(), error) {
	dir, err := os.MkdirTemp("", "mailhaul-")
	if err != nil {
		return nil, nil, err
	}
	remove := func() { os.RemoveAll(dir) }
	scratch, err := state.Open(filepath.Join(dir, "dry-run.uidl"), id)
	if err == nil && st.Len() > 0 {
		var known []state.Entry
		for e := range st.All() {
			known = append(known, e)
		}
		err = scratch.Record("", "", known...)
	}
	if err != nil {
		remove()
		return nil, nil, err
	}
	return scratch, func() { scratch.Close(); remove() }, nil
}

// taken tells what became of one list.
func (t *takeover) taken(a *Account, l *seenList, r resolved, fresh, known int) {
	if t.report.json {
		t.report.write(t.report.out, takenLine(a, l, r, fresh, known))
	} else {
		verb := "taken over"
		if t.dryRun {
			verb = "would be taken over"
		}
		text := fmt.Sprintf("%s: %s %s from %s (%d known already", visible(a.Name), counted(fresh, "unique-id"), verb, visible(l.file), known)
		if r.gone > 0 {
			text += fmt.Sprintf(", %d not on the server any more", r.gone)
		}
		t.say("%s)", text)
	}
	if r.none {
		t.report.warn(a.Name, "the server lists none of the %d unique-ids in %s: is it the same maildrop?", len(l.ids), visible(l.file))
	}
	if r.unclear > 0 {
		t.report.warn(a.Name, "%s will be fetched, although %s may mean them: by their unique-ids they cannot be told apart there", messages(r.unclear), visible(l.file))
	}
	if r.mapped > 0 {
		t.report.warn(a.Name, `%d unique-ids in %s have a "-", which getmail also writes for "/": where the server has a "/", the message is fetched again; with the server at hand that would be seen`, r.mapped, visible(l.file))
	}
}

func takenLine(a *Account, l *seenList, r resolved, fresh, known int) string {
	j := newJSONLine("import", time.Now())
	j.text("account", a.Name)
	j.text("file", l.file)
	j.number("taken", int64(fresh))
	j.number("known", int64(known))
	j.number("gone", int64(r.gone))
	j.number("unclear", int64(r.unclear))
	return j.String()
}

// say tells a person what was done.
func (t *takeover) say(format string, args ...any) {
	if t.report.verbose >= 0 && !t.report.json {
		t.report.say(format, args...)
	}
}
