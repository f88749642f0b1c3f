package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"mailhaul/deliver"
)

func main() { os.Exit(run(os.Args)) }

// run is main with an exit status: the only place where one is made of an error.
func run(argv []string) int {
	groups := &deliver.Groups{}
	ctx, stop := untilSignal(context.Background(), groups)
	defer stop()
	m := &program{groups: groups, report: &report{out: os.Stdout, err: os.Stderr, journal: isJournal(os.Stderr)}}
	err := m.execute(ctx, argv)
	m.tellEnd(err)
	if m.report.lost != nil {
		lost := &lostError{m.report.lost}
		m.tellEnd(lost)
		if s := exitStatus(err); s == exOK || s == exTempFail {
			err = lost
		}
	}
	return exitStatus(err)
}

// tellEnd tells of an error that ends the program and was not told yet.
func (m *program) tellEnd(err error) {
	var told *toldError
	if err == nil || errors.As(err, &told) {
		return
	}
	m.report.failure(nil, err)
	for _, h := range m.report.cures.hints(err, nil) {
		m.report.hint(h)
	}
}

// A program is one run of the command: what its options say.
type program struct {
	report     *report
	groups     *deliver.Groups
	configPath string
	dialogue   bool
}

// execute parses the command line and carries it out.
func (m *program) execute(ctx context.Context, argv []string) error {
	cli.VersionFlag = &cli.BoolFlag{Name: "version", Aliases: []string{"V"}, DisableDefaultText: true, Usage: "print the version"}
	cli.VersionPrinter = func(c *cli.Context) { fmt.Fprint(c.App.Writer, versionText(buildInfo())) }
	app := m.app()
	args, err := arrange(app, argv[1:])
	if err != nil {
		return err
	}
	return app.RunContext(ctx, append(argv[:1:1], args...))
}

// A toldError has been reported already; it is only for the exit status.
type toldError struct{ error }

func (e *toldError) Unwrap() error { return e.error }

// A lostError says that results could not be written.
type lostError struct{ error }

func (e *lostError) Unwrap() error { return e.error }

// A signalError says which signal stopped the program.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string { return "signal: " + e.signal.String() }

// errDeadline says that --deadline has passed.
var errDeadline = errors.New("the deadline has passed")

// untilSignal ends the context at the first signal, so that the current message is finished and
// recorded. The second one has its usual effect, which kills, and a delivery command under way is told to
// end, too: left alone, it would deliver beside the next run, which gives that message out again.
func untilSignal(parent context.Context, groups *deliver.Groups) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ch := make(chan os.Signal, 2)
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	if signal.Ignored(syscall.SIGHUP) { // nohup
		signals = signals[:2]
	}
	signal.Notify(ch, signals...)
	go func() { // a signal comes while everything else waits
		select {
		case s := <-ch:
			cancel(&signalError{s})
		case <-ctx.Done():
			return
		}
		if s, ok := (<-ch).(syscall.Signal); ok {
			groups.End()
			signal.Reset(signals...)
			_ = syscall.Kill(os.Getpid(), s)
		}
	}()
	return ctx, func() { signal.Stop(ch); cancel(nil) }
}

// outliveReader keeps SIGPIPE from ending the program where it has mail in hand: to a reader of the
// results who has seen enough, as in `fetch -v | head`, the write fails, and the run goes on. Programs
// that are started have the signal as it was, which they would not if it were ignored.
func outliveReader() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// app declares the command line. Errors come back as they are: the library must neither print nor
// exit, since locks are to be released and there is one place for the status.
func (m *program) app() *cli.App {
	verbose := 0
	app := &cli.App{
		Name:    "mailhaul",
		Usage:   "retrieve mail over POP3, deliver it, delete it on the server",
		Version: versionName(buildInfo()),
		Writer:  m.report,
		Description: `mailhaul reads accounts from a TOML file, retrieves what is new, delivers it to a
maildir, an mbox, a command or a mail server, records it, and only then deletes it on
the server.

   mailhaul demo                  see it work, without any configuration
   mailhaul fetch --dry-run       what would be done
   mailhaul fetch                 all accounts
   mailhaul fetch -v work         one account, with a line for each message

See mailhaul(1), and mailhaul.toml(5) for the configuration.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "read the configuration from `FILE`"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Count: &verbose, DisableDefaultText: true, Usage: "say more: each message, and with -vv what is left alone"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "print errors alone"},
			&cli.BoolFlag{Name: "dialogue", DisableDefaultText: true, Usage: "show what both sides say on standard error, secrets masked"},
			cli.HelpFlag, // which the library leaves out where there is a command of that name
		},
		Commands:                  []*cli.Command{m.fetchCommand(), m.checkCommand(), m.listCommand(), m.showCommand(), m.deleteCommand(), m.verifyCommand(), m.reportCommand(), m.initCommand(), m.consoleCommand(), m.loginCommand(), m.stateCommand(), m.importCommand(), m.demoCommand()},
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              flagError,
		Action: func(c *cli.Context) error {
			return usagef("no command; mailhaul --help lists them")
		},
		Before: func(c *cli.Context) error {
			m.configPath = c.String("config")
			m.report.cures = cures{m.configPath}
			m.dialogue = c.Bool("dialogue")
			m.report.verbose = max(verbose, 0) // the library counts from -1
			if c.Bool("quiet") {
				if verbose > 0 {
					return usagef("--quiet and --verbose contradict each other")
				}
				m.report.verbose = -1
			}
			if c.IsSet("config") && m.configPath == "" {
				return usagef("--config is empty")
			}
			return nil
		},
	}
	app.Commands = append(app.Commands, m.completionCommand(), m.helpCommand(app), m.completeWordsCommand(app))
	for _, c := range app.Commands {
		complete(c)
	}
	return app
}

// complete gives a command what the library does not inherit.
func complete(c *cli.Command) {
	c.HideHelpCommand = true
	c.OnUsageError = flagError
	if len(c.Subcommands) > 0 && c.Action == nil {
		name := c.Name
		c.Action = func(*cli.Context) error {
			return usagef("%s needs a command; mailhaul %s --help lists them", name, name)
		}
	}
	for _, s := range c.Subcommands {
		complete(s)
	}
}
