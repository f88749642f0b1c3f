package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"
)

func (m *program) fetchCommand() *cli.Command {
	return &cli.Command{
		Name:      "fetch",
		Usage:     "retrieve, deliver and delete what is new",
		ArgsUsage: "[ACCOUNT...]",
		Description: `Without names all accounts are done, except those with disabled = true.

   mailhaul fetch                            all accounts; the line for cron
   mailhaul fetch 'sales-*' --exclude 'sales-old*'
   mailhaul fetch --only-failed last.jsonl
   mailhaul fetch --shard 0/4                a quarter of the accounts; other hosts do 1/4, 2/4, 3/4
   mailhaul fetch --dry-run work             what would be done, and why
   mailhaul fetch --keep --limit 10 work     try it with ten messages, delete nothing
   mailhaul fetch --retry work               what failed for a reason that is mended now
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
	if c.IsSet("only-failed") && c.String("only-failed") == "" {
		return usagef("option --only-failed: want the name of a file, or - for standard input")
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
	outliveReader()
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
		if sel.only, err = m.failedIn(c.Context, c.String("only-failed")); err != nil {
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
