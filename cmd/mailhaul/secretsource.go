package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A SecretError says why there is no secret. It never holds one.
type SecretError struct {
	Source    string // "password_command", "password_file", …
	Err       error
	Temporary bool // it may pass by itself
	Config    bool // the configuration is to be mended, not the secret
}

func (e *SecretError) Error() string { return e.Source + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *SecretError) Unwrap() error { return e.Err }

// usesSecret tells whether there is one: EXTERNAL logs in by the client's certificate, or by the
// tunnel (RFC 4422, appendix A).
func (a *Account) usesSecret() bool { return a.Auth != "external" || a.Secret.Kind != "" }

// readSecret gets the account's secret. The caller asks once a run and keeps it: a command that
// opens a vault may ask a person.
func readSecret(ctx context.Context, a *Account, k *asker) (Secret, error) {
	s := a.Secret
	var value string
	var err error
	switch s.Kind {
	case "password":
		return s.Value, nil
	case "password_command":
		value, err = commandSecret(ctx, s.Argv, a.Timeout, k.stderr)
	case "password_file":
		value, err = fileSecret(s.Name, true)
	case "password_env":
		if value = os.Getenv(s.Name); value == "" {
			err = fmt.Errorf("$%s is not set", s.Name)
		}
	case "credential":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if !filepath.IsAbs(dir) {
			err = errors.New("$CREDENTIALS_DIRECTORY is not set: systemd sets it for a unit with LoadCredential=")
			break
		}
		// systemd grants access to a credential by an access list, which shows as group bits.
		value, err = fileSecret(filepath.Join(dir, s.Name), false)
	case "netrc":
		value, err = netrcSecret(a.Server.Host, a.User)
	case "keyring":
		value, err = keyringSecret(ctx, a.Server.Host, a.User, a.Timeout)
	case "oauth2":
		value, err = a.OAuth.accessToken(ctx, a, k, "")
	default:
		if !canAsk() {
			return Secret{}, &SecretError{Source: "password", Config: true, Err: errors.New("there is none, and no terminal to ask on")}
		}
		value, err = k.ask(ctx, a)
		s.Kind = "password"
	}
	if err == nil {
		value, err = checkSecret(value)
	}
	if err == nil {
		return NewSecret(value), nil
	}
	var se *SecretError
	if errors.As(err, &se) {
		return Secret{}, err
	}
	return Secret{}, &SecretError{Source: s.Kind, Err: err, Config: s.Kind != "password_command" && s.Kind != "password"}
}

// checkSecret refuses what would be a second command on the wire (RFC 1939, section 3).
func checkSecret(s string) (string, error) {
	switch {
	case s == "":
		return "", errors.New("gave nothing")
	case strings.ContainsAny(s, "\r\n\x00"):
		return "", errors.New("gave a secret with a line break or a NUL in it")
	}
	return s, nil
}

// maxSecret bounds what is read for a secret: tokens have a few thousand octets.
const maxSecret = 64 << 10

// firstLine takes the line end off, and what follows it.
func firstLine(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte("\n"))
	return string(bytes.TrimSuffix(b, []byte("\r")))
}

// fileSecret reads the first line of a file. private demands that nobody else can read it.
func fileSecret(path string, private bool) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if private {
		if err := checkPrivate(path, info); err != nil {
			return "", err
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret))
	line := firstLine(b)
	if err == nil && line == "" {
		err = fmt.Errorf("the first line of %s is empty", path)
	}
	return line, err
}

func checkPrivate(path string, info fs.FileInfo) error {
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is open to others (mode %04o); chmod 600 it", path, info.Mode().Perm())
	}
	return nil
}

// commandSecret runs a program without a shell and takes the first line that it prints. Its
// standard input is empty, so that it cannot take what is meant for another; what it complains
// about goes to stderr. It is killed after limit.
func commandSecret(ctx context.Context, argv []string, limit time.Duration, stderr *os.File) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	out := &cappedBuffer{limit: maxSecret}
	cmd.Stdout, cmd.Stderr = out, stderr
	cmd.WaitDelay = time.Second // a grandchild may hold the pipe open
	if !canAsk() {
		// Its own process group, so that its children die with it. At a terminal it stays in
		// ours: a background group may not ask a person anything.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	}
	err := cmd.Run()
	name := filepath.Base(argv[0])
	fail := func(temporary, config bool, format string, args ...any) error {
		return &SecretError{Source: "password_command", Temporary: temporary, Config: config, Err: fmt.Errorf(format, args...)}
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return firstLine(out.buf), nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", fail(true, false, "%q ran longer than %v and was killed", name, limit)
	case ctx.Err() != nil:
		return "", fail(true, false, "%q: %w", name, context.Cause(ctx))
	case errors.Is(err, exec.ErrWaitDelay):
		return firstLine(out.buf), nil // it ended well; only its children linger
	case errors.As(err, &exit) && exit.Exited():
		return "", fail(exit.ExitCode() == exTempFail, false, "%q exited with status %d", name, exit.ExitCode())
	case errors.As(err, &exit):
		return "", fail(true, false, "%q died: %v", name, exit)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return "", fail(false, true, "%w, which may be another one here (cron, systemd): write the whole path of the program", err)
	}
	return "", fail(false, true, "%w", err)
}

// A cappedBuffer keeps the beginning of what is written to it.
type cappedBuffer struct {
	buf   []byte
	limit int
}

func (c *cappedBuffer) Write(p []byte) (int, error) {
	c.buf = append(c.buf, p[:min(len(p), c.limit-len(c.buf))]...)
	return len(p), nil
}
