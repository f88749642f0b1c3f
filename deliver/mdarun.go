package deliver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// maxOutput is how much of each output of a command is kept, in octets; the rest is read and
// thrown away, so that it does not wait.
const maxOutput = 4 << 10

// tempFail is EX_TEMPFAIL of sysexits.h: try again later.
const tempFail = 75

// meanings are those of sysexits.h, and of a shell that could not run what it was told to.
var meanings = map[int]string{
	64: "usage", 65: "data error", 66: "no input", 67: "no user", 68: "no host", 69: "unavailable",
	70: "software error", 71: "system error", 72: "system file missing", 73: "cannot create output",
	74: "input/output error", tempFail: "temporary failure", 76: "protocol error", 77: "no permission",
	78: "configuration error", 126: "not executable", 127: "not found",
}

// An execution is one run of the command, as it is about to be.
type execution struct {
	path      string
	args, env []string
	stdin     *os.File
}

// run starts the command and waits for it. The first line that it printed is returned with its
// yes.
func (c *Command) run(parent context.Context, x *execution) (string, error) {
	ctx := parent
	if c.o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(parent, c.o.Timeout)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, x.path, x.args...)
	cmd.Args[0] = c.argv[0]
	cmd.Env, cmd.Stdin = x.env, x.stdin
	var stdout, stderr output
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ownGroup(cmd)
	ended := false // by us; what it says after that counts no more
	cmd.Cancel = func() error {
		err := signalGroup(cmd.Process, syscall.SIGTERM)
		ended = err == nil
		return err
	}
	cmd.WaitDelay = c.grace
	if err := c.o.Groups.start(cmd); err != nil {
		return "", c.notStarted(err)
	}
	err := c.o.Groups.wait(cmd)
	if ended {
		// Wait has killed the command itself if it had to, and not its children. The group's id
		// is not given away as long as one of them lives.
		_ = signalGroup(cmd.Process, syscall.SIGKILL)
		// What it did before is unknown, and the next message may fare no better.
		e := &Error{Target: c.name, Temporary: true}
		if parent.Err() != nil {
			e.Err = said(context.Cause(parent), &stdout, &stderr)
			return "", e
		}
		e.Err, e.Broke = said(fmt.Errorf("ended after its time-out of %v", c.o.Timeout), &stdout, &stderr), true
		return "", e
	}
	if cmd.ProcessState == nil {
		return "", classify(c.name, err)
	}
	if why, temporary := verdict(cmd.ProcessState); why != nil {
		return "", &Error{Target: c.name, Err: said(why, &stdout, &stderr), Message: true, Temporary: temporary}
	}
	// What else Wait has to tell is about its output, such as of a process that it left behind
	// and that holds it (exec.ErrWaitDelay). That takes nothing from its yes.
	return stdout.firstLine(), nil
}

// notStarted is the error of a command that was never executed.
func (c *Command) notStarted(err error) error {
	e := classify(c.name, err)
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		e.Err = fmt.Errorf("%w: %w", ErrCreate, err)
	case errors.Is(err, syscall.E2BIG):
		e.Message = true // only what is from the message has no known length
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.ETXTBSY),
		errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Temporary = true
	}
	return e
}

// verdict reads the fate of a process: nil is its yes.
func verdict(st *os.ProcessState) (why error, temporary bool) {
	if s, ok := deathSignal(st); ok {
		return fmt.Errorf("died of signal %d (%v)", int(s), s), true
	}
	status := st.ExitCode()
	if status == 0 {
		return nil, false
	}
	if m, ok := meanings[status]; ok {
		return fmt.Errorf("exit status %d (%s)", status, m), status == tempFail
	}
	return fmt.Errorf("exit status %d", status), false
}

// said adds to an error what the command said about it.
func said(why error, stdout, stderr *output) error {
	for _, o := range []*output{stderr, stdout} {
		if text := strings.TrimSpace(string(o.kept)); text != "" {
			why = fmt.Errorf("%w: %q", why, text)
		}
	}
	return why
}

// An output keeps the beginning of what is written to it.
type output struct{ kept []byte }

// Write never fails: a command whose output nobody takes would wait, or die.
func (o *output) Write(p []byte) (int, error) {
	o.kept = append(o.kept, p[:min(len(p), maxOutput-len(o.kept))]...)
	return len(p), nil
}

func (o *output) firstLine() string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(o.kept)), "\n")
	return strings.TrimSpace(line)
}
