package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// canAsk tells whether a person is there: both sides of a prompt are terminals.
func canAsk() bool { return isTerminal(os.Stdin) && isTerminal(os.Stderr) }

// An asker prompts for one password at a time: accounts run side by side.
type asker struct {
	turn   chan struct{} // of capacity 1: whoever has put something in may ask
	stderr *os.File
}

func newAsker(stderr *os.File) *asker { return &asker{turn: make(chan struct{}, 1), stderr: stderr} }

// ask prompts without an echo.
func (k *asker) ask(ctx context.Context, a *Account) (string, error) {
	stopped := func() (string, error) {
		return "", &SecretError{Source: "password", Temporary: true, Err: context.Cause(ctx)}
	}
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return stopped()
	}
	fd := int(os.Stdin.Fd())
	was, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	if err := withoutEcho(fd); err != nil {
		return "", err
	}
	back := afterPause(func() { _ = withoutEcho(fd) })
	defer func() {
		back()
		_ = term.Restore(fd, was)
		fmt.Fprintln(k.stderr)
	}()
	fmt.Fprintf(k.stderr, "mailhaul: password of %s at %s (account %s): ", visible(a.User), visible(a.Server.Host), visible(a.Name))
	type answer struct {
		text string
		err  error
	}
	// A read from a terminal cannot be interrupted. In a goroutine it is left behind when a
	// signal comes, and the terminal gets its echo back before the program ends.
	got := make(chan answer, 1)
	go func() {
		text, err := typedLine(os.Stdin)
		got <- answer{text, err}
	}()
	select {
	case g := <-got:
		return g.text, g.err
	case <-ctx.Done():
		return stopped()
	}
}

// typedLine reads a line from a terminal that edits it. (term.ReadPassword waits on behind Ctrl-D, and
// behind a terminal that is gone it turns in circles: it reads past the end of the input.)
func typedLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; { // one octet: what is typed ahead is for the next question
		switch _, err := r.Read(b); {
		case errors.Is(err, io.EOF) && len(line) > 0:
			return string(line), nil
		case errors.Is(err, io.EOF):
			return "", errNotTyped
		case err != nil:
			return "", err
		case b[0] == '\n':
			return string(bytes.TrimSuffix(line, []byte("\r"))), nil
		}
		line = append(line, b[0])
	}
}

var errNotTyped = errors.New("none was typed")
