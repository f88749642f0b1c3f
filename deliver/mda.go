package deliver

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// CommandOptions are of a Command.
type CommandOptions struct {
	// Timeout bounds each run; 0 is none. A command that outlives it is ended with its process
	// group.
	Timeout  time.Duration
	SpoolDir string // where messages wait, in files without a name; "" is that for temporary files
	Account  string // for %A
	User     string // for %T where the message does not tell its recipient
	Groups   *Groups
}

// A Command is a Target that runs a program, an MDA, once for each message, which is its standard
// input: trace field and message, all of it, in a file of its own. Exit status 0 is its yes, even
// if it did not read all. It cannot be asked later what it holds (it is no Finder), and so is told
// of a message that it may have had before.
//
// No shell takes part. In its arguments, but not in its name,
//
//	%F  is the envelope sender, MAILER-DAEMON if it is null or unknown
//	%T  is the recipient in Delivered-To, X-Original-To or Envelope-To, else the account's user
//	%A  is the account
//	%U  is the unique-id, with %XX for what is not in 0x21 to 0x7E
//	%%  is a percent sign
//
// and the same is in MAILHAUL_SENDER, _RECIPIENT, _ACCOUNT and _UID. MAILHAUL_ID is the delivery
// id, MAILHAUL_SIZE how many octets there are on standard input, and MAILHAUL_IN_DOUBT is 1 if the
// message may have been delivered by a run that died. Of our own environment it is given PATH,
// HOME, USER, LOGNAME, SHELL, LANG, LC_*, TZ and TMPDIR.
type Command struct {
	argv  []string
	o     CommandOptions
	name  string // as errors and receipts have it
	spool *spool
	grace time.Duration
}

// grace is how long a command may take to end after SIGTERM, and how long its output is waited for
// if a process that it left behind holds it.
const grace = 2 * time.Second

// NewCommand returns a Command that runs argv. An error matches ErrArgument: it is of the
// configuration. Whether there is such a program is not looked at: see Check.
func NewCommand(argv []string, o CommandOptions) (*Command, error) {
	if err := checkArguments(argv, &o); err != nil {
		return nil, err
	}
	return &Command{
		argv: append([]string(nil), argv...), o: o, name: "command " + filepath.Base(argv[0]),
		spool: newSpool(o.SpoolDir), grace: grace,
	}, nil
}

// Check tells whether there is a program that can be executed. The error matches ErrCreate if not.
func (c *Command) Check() error {
	_, err := c.program()
	return err
}

func (c *Command) program() (string, error) {
	path, err := exec.LookPath(c.argv[0])
	if err != nil {
		return "", classify(c.name, fmt.Errorf("%w: %w", ErrCreate, err))
	}
	return path, nil
}

// Deliver spools the message. Before the first one it looks for the program, so that nothing is
// retrieved for one that is not there.
func (c *Command) Deliver(_ context.Context, m *Message) error {
	if len(c.spool.staged) == 0 {
		if err := c.Check(); err != nil {
			return err
		}
	}
	return c.spool.stage(c.name, m)
}

// Drop unstages the n messages staged last.
func (c *Command) Drop(n int) { c.spool.drop(n) }

// Close unstages what is staged and frees the spool.
func (c *Command) Close() error { return c.spool.close() }

// Commit runs the command for the message staged first.
func (c *Command) Commit(ctx context.Context) ([]Receipt, error) {
	return c.spool.handOver(ctx, c.name, c.give)
}

// give runs the command for one message and returns the first line that it printed.
func (c *Command) give(ctx context.Context, sp *spooled) (string, error) {
	path, err := c.program()
	if err != nil {
		return "", err
	}
	// A file of its own: the command may seek in it, and finds no other's mail there.
	f, err := unnamed(c.spool.dir)
	if err != nil {
		return "", classify(c.name, fmt.Errorf("spool: %w", err))
	}
	defer f.Close() // never synced: nobody needs it after the command
	size := int64(len(sp.Trace)) + sp.Size
	n, err := io.Copy(f, io.MultiReader(strings.NewReader(sp.Trace), c.spool.reader(sp)))
	if err == nil && n != size {
		err = fmt.Errorf("%d of %d octets: %w", n, size, io.ErrUnexpectedEOF)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return "", tooLarge(classify(c.name, fmt.Errorf("spool: %w", err)))
	}
	v, safe := c.values(sp)
	args, err := arguments(c.argv[1:], v, safe)
	if err != nil {
		return "", &Error{Target: c.name, Err: err, Message: true}
	}
	return c.run(ctx, &execution{path: path, args: args, env: environment(sp, v, size), stdin: f})
}

// values returns what the placeholders stand for, and what they stand for in an argument that
// would otherwise become an option.
func (c *Command) values(sp *spooled) (v, safe *values) {
	v = &values{sp.Sender, sp.Recipient, c.o.Account, escapeUID(sp.UID)}
	if v.sender == "" {
		v.sender = noSender
	}
	if v.recipient == "" {
		v.recipient = c.o.User
	}
	safe = &values{noSender, c.o.User, c.o.Account, v.uid}
	if rest, ok := strings.CutPrefix(v.uid, "-"); ok {
		safe.uid = "%2D" + rest
	} else if v.uid == "" {
		safe.uid = noUID
	}
	return v, safe
}
