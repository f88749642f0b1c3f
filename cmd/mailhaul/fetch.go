package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mailhaul/fetch"
)

func (m *program) fetchCommand() *cli.Command {
	return &cli.Command{
		Name:      "fetch",
		Usage:     "retrieve, deliver and delete what is new",
		ArgsUsage: "[ACCOUNT...]",
		Description: `Without names all accounts are done, except those with disabled = true.

   mailhaul fetch                        all accounts; the line for cron
   mailhaul fetch 'sales-*' --exclude 'sales-old*'
   mailhaul fetch --only-failed last.jsonl
   mailhaul fetch --shard 0/4            a quarter of the accounts; other hosts do 1/4, 2/4, 3/4
   mailhaul fetch --dry-run work         what would be done, and why
   mailhaul fetch --keep --limit 10 work try it with ten messages, delete nothing
   mailhaul fetch --retry work           what failed for a reason that is mended now
   mailhaul fetch --json | jq -c 'select(.type=="message")'`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, DisableDefaultText: true, Usage: "print the plan and its reasons, touch nothing"},
			&cli.BoolFlag{Name: "keep", DisableDefaultText: true, Usage: "delete nothing on the server"},
			&cli.IntFlag{Name: "limit", DefaultText: "no limit", Usage: "retrieve at most `N` messages of each account"},
			&cli.BoolFlag{Name: "retry", DisableDefaultText: true, Usage: "try messages that failed again now, and not when their time has come"},
			&cli.IntFlag{Name: "jobs", Value: 8, Usage: "do at most `N` accounts at once"},
			&cli.IntFlag{Name: "max-per-host", Value: 4, Usage: "do at most `N` accounts of one server at once"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object a line"},
			&cli.StringFlag{Name: "wait", Usage: "wait up to `DURATION` for another run of the account to end"},
			&cli.StringFlag{Name: "deadline", Usage: "after `DURATION` finish the current messages and stop"},
			&cli.StringFlag{Name: "progress", Value: progressAuto, DefaultText: "auto: on a terminal", Usage: "show a progress bar on standard error: `WHEN` is auto, always or never"},
			excludeFlag(),
			&cli.StringFlag{Name: "only-failed", Usage: "do only the accounts that failed in the last run of `FILE`, which has the JSON of it"},
			&cli.StringFlag{Name: "shard", Usage: "do only part `I/N` of the accounts, I from 0 on"},
			&cli.StringFlag{Name: "metrics", Usage: "write how the accounts are to `FILE`, for Prometheus"},
		},
		Action: m.fetch,
	}
}

// fetch is the main job: all accounts, several at once, each with its own connection, state and
// target.
func (m *program) fetch(c *cli.Context) error {
	m.report.json, m.report.dryRun = c.Bool("json"), c.Bool("dry-run")
	for _, name := range []string{"limit", "jobs", "max-per-host"} {
		if c.IsSet(name) && c.Int(name) < 1 {
			return usagef("option --%s: want a whole number from 1 on, not %d", name, c.Int(name))
		}
	}
	progress := c.String("progress")
	if !slices.Contains([]string{progressAuto, progressAlways, progressNever}, progress) {
		return usagef("option --progress: want auto, always or never, not %q", progress)
	}
	metrics := c.String("metrics")
	if c.IsSet("metrics") && (metrics == "" || m.report.dryRun) {
		return usagef("option --metrics: want the name of a file, and no --dry-run, which writes none")
	}
	sel, err := selected(c)
	if err != nil {
		return err
	}
	wait, err := durationFlag(c, "wait")
	if err != nil {
		return err
	}
	deadline, err := durationFlag(c, "deadline")
	if err != nil {
		return err
	}
	ctx := c.Context
	if deadline > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeoutCause(ctx, deadline, fmt.Errorf("%w (%v)", errDeadline, deadline))
		defer cancel()
	}

	cfg, accounts, err := m.accountsToFetch(c, sel)
	if err != nil {
		m.report.failure(nil, err)
		m.report.total(total{status: exitStatus(err)})
		return &toldError{err}
	}
	f := m.newFetcher(cfg)
	f.dryRun, f.keep, f.limit, f.wait = m.report.dryRun, c.Bool("keep"), c.Int("limit"), wait
	f.retry = c.Bool("retry")
	if !f.dryRun && m.report.wantsBar(progress) {
		m.report.startBar(os.Stderr)
	}
	if metrics != "" {
		m.report.listed = map[string]bool{}
	}
	begun := time.Now()
	results := f.all(ctx, accounts, c.Int("jobs"), c.Int("max-per-host"))
	m.report.stopBar()
	took := time.Since(begun)
	if metrics != "" {
		// Also when a signal has ended the run: how it ended is what is to be told.
		err = writeMetrics(context.WithoutCancel(ctx), metrics, cfg, m.outcomes(accounts, results))
		if err != nil {
			m.report.failure(nil, err)
		}
	}
	return m.summarise(results, took, err)
}

// accountsToFetch reads the configuration and chooses from it.
func (m *program) accountsToFetch(c *cli.Context, sel selection) (cfg *Config, accounts []*Account, err error) {
	if c.IsSet("only-failed") {
		if sel.only, err = m.failedIn(c.String("only-failed")); err != nil {
			return nil, nil, err
		}
	}
	if cfg, err = loadConfig(m.configPath, func(name string) bool { return sel.takes(name) && !canAsk() }); err != nil {
		return nil, nil, err
	}
	m.warnOfUnknown(cfg, sel.only)
	accounts, err = sel.from(cfg)
	return cfg, accounts, err
}

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
