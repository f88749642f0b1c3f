package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"mailhaul/fetch"
)

// A result is how one account ended.
type result struct {
	sum   fetch.Summary
	err   error
	took  time.Duration
	ended time.Time
}

// all does the accounts, jobs of them at once and perHost of one server at once. An account whose
// server is busy does not keep others waiting behind it. The results are in the accounts' order.
func (f *fetcher) all(ctx context.Context, accounts []*Account, jobs, perHost int) []result {
	results := make([]result, len(accounts))
	waiting := make([]int, len(accounts))
	for i := range waiting {
		waiting[i] = i
	}
	busy := map[string]int{}
	done := make(chan int)
	running := 0
	for len(waiting) > 0 || running > 0 {
		at := slices.IndexFunc(waiting, func(i int) bool { return busy[accounts[i].Server.Host] < perHost })
		if running == jobs || at < 0 {
			i := <-done
			busy[accounts[i].Server.Host]--
			running--
			continue
		}
		i := waiting[at]
		waiting = slices.Delete(waiting, at, at+1)
		busy[accounts[i].Server.Host]++
		running++
		go func() { // accounts wait for different servers: this is what --jobs is
			results[i] = f.guarded(ctx, accounts[i])
			done <- i
		}()
	}
	return results
}

// A defectError is a panic: a mistake of ours in one account, which must not take the other
// accounts with it. The account is left as a kill would leave it, which is safe.
type defectError struct{ cause any }

func (e *defectError) Error() string { return fmt.Sprintf("a defect of mailhaul: %v", e.cause) }

// guarded does one account and tells how it ended.
func (f *fetcher) guarded(ctx context.Context, a *Account) (r result) {
	begun := time.Now()
	defer func() {
		if cause := recover(); cause != nil {
			r.err = &defectError{cause}
			f.report.write(f.report.err, string(debug.Stack()))
		}
		r.ended = time.Now()
		r.took = r.ended.Sub(begun)
		f.report.done(a, r.sum, r.err, r.took)
	}()
	r.sum, r.err = f.account(ctx, a)
	return r
}

// outcomes are the results with what is known of the servers.
func (m *program) outcomes(accounts []*Account, results []result) (all []outcome) {
	for i, r := range results {
		name := accounts[i].Name
		all = append(all, outcome{name, r, m.report.listed[name]})
	}
	return all
}

// summarise adds up the accounts and gives the error whose status is that of the run. after is an
// error, told already, of what follows the accounts.
func (m *program) summarise(results []result, took time.Duration, after error) error {
	t := total{took: took}
	var errs []error
	for _, r := range results {
		t.add(r.sum, r.err != nil)
		if r.err != nil {
			errs = append(errs, r.err)
		}
	}
	if after != nil {
		errs = append(errs, after)
	}
	err := firstPermanent(errs)
	t.status = exitStatus(err)
	m.report.total(t)
	if err != nil {
		return &toldError{err}
	}
	return nil
}

// oneByOne does something with one account after the other, which tells of its errors itself. The exit
// status is that of the first that does not pass by itself.
func (m *program) oneByOne(ctx context.Context, accounts []*Account, do func(*Account) error) error {
	var errs []error
	for _, a := range accounts {
		if err := do(a); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	err := firstPermanent(errs)
	m.report.accountsTotal(len(accounts), len(errs), exitStatus(err))
	if err != nil {
		return &toldError{err}
	}
	return nil
}
