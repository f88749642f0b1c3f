package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

func (m *program) consoleCommand() *cli.Command {
	return &cli.Command{
		Name:      "console",
		Usage:     "talk POP3 with the server by hand",
		ArgsUsage: "ACCOUNT",
		Description: `Connects as fetch does, by the account's TLS, proxy or tunnel, logs in, and then sends what you
type: help lists the commands of POP3, TAB completes them, the arrow keys bring back earlier
lines. Passwords are neither shown nor remembered. Nothing is deleted without QUIT, and on a
terminal QUIT asks first if messages are marked by DELE.

From a pipe it takes a command a line and prints the replies as they come, with the line ends of
Unix; multiline ones as on the wire: ended by a dot, with a second dot before lines that begin
with one. If a command was refused, the exit status is that of the first refusal.

   mailhaul console work
   mailhaul console --no-login work                see the server before the login
   printf 'STAT\nQUIT\n' | mailhaul console work
   printf 'DELE 3\nDELE 4\nQUIT\n' | mailhaul console --stop-on-error work`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "no-login", DisableDefaultText: true, Usage: "only connect; with tls = \"starttls\", STLS is yours to send, too"},
			&cli.BoolFlag{Name: "stop-on-error", DisableDefaultText: true, Usage: "end at the first command that is refused, without QUIT"},
			&cli.StringFlag{Name: "wait", Usage: "wait up to `DURATION` for another run of the account to end"},
		},
		Action: m.console,
	}
}

// A console is a session whose commands a person or a script gives.
type console struct {
	*session
	c      *pop3.Client
	in     keyboard
	person bool // somebody sits at the keyboard
	out    *bufio.Writer
	marked map[int]bool // numbers of the messages that DELE was confirmed for
	strict bool         // end at the first refusal
	first  error        // the first refusal
	count  int          // of refusals
	unsure string       // the last command, if nothing is known of its reply
}

func (m *program) console(c *cli.Context) error {
	wait, err := durationFlag(c, "wait")
	if err != nil {
		return err
	}
	cfg, a, _, err := m.accountArgument(c, 1, 1)
	if err != nil {
		return err
	}
	st, err := m.consoleState(c.Context, cfg, a, wait)
	if err != nil {
		return m.about(a, err)
	}
	err = m.converse(c.Context, cfg, a, st, c.Bool("no-login"), c.Bool("stop-on-error"))
	return m.about(a, errors.Join(err, st.Close()))
}

// consoleState locks the account, as delete does: a run of fetch has its own idea of what is on the
// server. A state that is of another mailbox, or cannot be read, keeps nobody from looking at the
// server: fetch will not touch that account either.
func (m *program) consoleState(ctx context.Context, cfg *Config, a *Account, wait time.Duration) (*state.File, error) {
	st, err := openLocked(ctx, statePath(cfg, a.Name), a.identity(), wait)
	var identity *state.IdentityError
	if errors.As(err, &identity) || errors.Is(err, state.ErrUnreadable) {
		m.report.warn(a.Name, "%v; the console goes on without it", err)
		return nothingKnown()
	}
	if err == nil {
		m.report.damage(a.Name, st)
	}
	return st, err
}

// converse opens the session and does what the keyboard says.
func (m *program) converse(ctx context.Context, cfg *Config, a *Account, st *state.File, byHand, strict bool) error {
	f := m.newFetcher(cfg)
	f.dryRun, f.byHand = true, byHand
	s, err := f.newSession(ctx, a, st)
	if err != nil {
		return err
	}
	open := s.open
	if byHand {
		open = s.connect
	}
	c, err := open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Interrupt(0) })
	defer stop()
	k := &console{session: s, c: c, person: isTerminal(os.Stdin), out: stdout(), marked: map[int]bool{}, strict: strict}
	if !k.person {
		k.in = newPipe(os.Stdin)
	} else {
		e, give, err := newEditor(os.Stdin, shownOn())
		if err != nil {
			return err
		}
		defer give()
		k.in = e
	}
	if err := k.welcome(); err != nil {
		return err
	}
	err = k.run(ctx)
	if err != nil && ctx.Err() != nil {
		k.newLine()
		err = stopped(ctx)
	}
	if k.c.Err() != nil || err != nil {
		k.leftover()
	}
	return aboutCertificate(a, s.tls, err)
}

// shownOn is where a person sees what is typed; nil is nowhere.
func shownOn() *os.File {
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		if isTerminal(f) {
			return f
		}
	}
	return nil
}

// welcome shows how far the session is. From a pipe only replies to commands are printed, and the
// greeting, where the session begins with it.
func (k *console) welcome() error {
	if k.byHand {
		return k.show("+OK "+k.c.Greeting(), nil, false)
	}
	if k.person {
		k.note("logged in to %s by %s%s; help lists the commands, QUIT ends the session", visible(k.a.Server.Addr), k.used, k.secured())
	}
	return nil
}

func (k *console) secured() string {
	if cs, ok := k.c.TLS(); ok {
		return ", " + tls.VersionName(cs.Version)
	}
	return ", without TLS"
}

// newLine ends a line in which a person has stopped.
func (k *console) newLine() {
	if f := shownOn(); k.person && f != nil {
		fmt.Fprintln(f)
	}
}

// note says something of our own.
func (k *console) note(format string, args ...any) {
	if k.report.verbose >= 0 {
		k.report.complain(prioInfo, visible(k.a.Name)+": "+fmt.Sprintf(format, args...))
	}
}

// run carries out line after line until QUIT, or until there are no more.
func (k *console) run(ctx context.Context) error {
	for {
		line, err := within(ctx, k.in.line, visible(k.a.Name)+"> ")
		switch {
		case errors.Is(err, errLongLine) && k.person:
			k.note("%v", err)
			continue
		case err == io.EOF:
			k.newLine()
			k.leftover()
			return k.outcome()
		case err != nil:
			return err
		}
		r := parseRequest(line)
		var done bool
		switch r.name {
		case "":
			continue
		case "HELP":
			err = k.print(explain(r.args))
		case "STLS":
			err = k.stls(r)
		case "QUIT":
			done, err = k.quit(ctx, r)
		default:
			err = k.send(ctx, r)
		}
		if err = k.judge(err); err != nil {
			return err
		}
		if done {
			return k.outcome()
		}
	}
}

// judge goes on after a refusal, and ends the session otherwise.
func (k *console) judge(err error) error {
	var refused *pop3.Error
	var usage *usageError
	switch {
	case err == nil:
		return nil
	case k.c.Err() != nil, !errors.As(err, &refused) && !errors.As(err, &usage):
		if errors.Is(err, pop3.ErrProtocol) && k.unsure != "" {
			err = fmt.Errorf("%w; if the reply to %s has several lines, it is to be sent as !%s", err, k.unsure, k.unsure)
		}
		return err
	case usage != nil:
		k.report.failure(k.a, err)
	}
	k.count++
	if k.first == nil {
		k.first = err
	}
	if k.strict {
		k.leftover()
		return k.first
	}
	return nil
}

// outcome is what a script wants to know: whether all went well. A person has seen it.
func (k *console) outcome() error {
	switch {
	case k.first == nil || k.person && !k.strict:
		return nil
	case k.count > 1:
		return fmt.Errorf("%d commands were refused, first %w", k.count, k.first)
	}
	return k.first
}

// leftover says what becomes of the marks when the session ends without QUIT: only QUIT makes them
// count (RFC 1939, section 6).
func (k *console) leftover() {
	if n := len(k.marked); n > 0 {
		clear(k.marked)
		k.note("the session ends without QUIT: of %s marked by DELE none is deleted", messages(n))
	}
}

// print writes text of our own.
func (k *console) print(text string) error {
	k.out.WriteString(text)
	return k.out.Flush()
}

// mayLogin keeps what identifies the user off a connection that is to be encrypted and is not yet
// (RFC 2595, section 2.2), and tokens off one that others can read.
func (k *console) mayLogin(r request) error {
	_, secure := k.c.TLS()
	switch r.name {
	case "USER", "PASS", "APOP", "AUTH":
	default:
		return nil
	}
	if !secure && k.a.TLS == "starttls" {
		return usagef("%s was not sent: the account demands TLS, and nothing is encrypted before STLS", r.name)
	}
	if !secure && !k.a.Private() && r.name == "AUTH" && len(r.args) > 0 {
		if m := strings.ToUpper(r.args[0]); m == "XOAUTH2" || m == "OAUTHBEARER" {
			return usagef("AUTH %s was not sent: a token in clear is anyone's", m)
		}
	}
	return nil
}
