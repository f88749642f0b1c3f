package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// maxConsoleLine bounds a line from a pipe: commands have 255 octets at most (RFC 2449, section 4),
// but responses of AUTH may have a token in them.
const maxConsoleLine = 64 << 10

// maxEdited is the length at which golang.org/x/term drops what more is typed, without a word.
const maxEdited = 4096

var errLongLine error = &usageError{text: "the line is too long, and was not sent"}

// A keyboard is where the lines of the console come from. io.EOF is their end.
type keyboard interface {
	// line reads a command.
	line(prompt string) (string, error)
	// secret reads a line that is neither shown nor remembered.
	secret(prompt string) (string, error)
}

// within reads from the keyboard until ctx ends. A read cannot be interrupted: in a goroutine it is
// left behind when a signal comes, and the program ends soon.
func within(ctx context.Context, read func(string) (string, error), prompt string) (string, error) {
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := read(prompt)
		got <- answer{line, err}
	}()
	select {
	case g := <-got:
		return g.line, g.err
	case <-ctx.Done():
		return "", stopped(ctx)
	}
}

// A pipe is a keyboard that nobody sits at: a command a line, no prompts.
type pipe struct{ in *bufio.Reader }

func newPipe(f *os.File) *pipe { return &pipe{bufio.NewReaderSize(f, maxConsoleLine)} }

func (p *pipe) line(string) (string, error) {
	b, err := p.in.ReadSlice('\n')
	line := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", errLongLine
	case err == io.EOF && line != "":
		return line, nil // a last line without its end
	}
	return line, err
}

func (p *pipe) secret(prompt string) (string, error) { return p.line(prompt) }

// An editor is a keyboard with a person at it: lines can be edited, and are remembered.
type editor struct {
	term  *term.Terminal
	keys  *keys
	width func() (columns, lines int) // of the window as it is now; 0 if that cannot be told
}

// newEditor takes over the terminal in. give gives it back. out is where prompts and what is typed
// are shown; nil is nowhere.
func newEditor(in, out *os.File) (e *editor, give func(), err error) {
	fd := int(in.Fd())
	was, err := term.GetState(fd)
	if err != nil {
		return nil, nil, err
	}
	if err := byKey(fd); err != nil {
		return nil, nil, err
	}
	e = edit(in, io.Discard)
	if out != nil {
		e = edit(in, out)
		e.term.SetBracketedPasteMode(false) // what is pasted so would be shown, after PASS, too
		e.width = func() (int, int) {
			columns, lines, _ := term.GetSize(int(out.Fd()))
			return columns, lines
		}
	}
	back := afterPause(func() {
		_ = byKey(fd)
		_, _ = e.term.Write(nil) // shows the line again
	})
	return e, func() { back(); _ = term.Restore(fd, was) }, nil
}

// afterPause calls again whenever the program goes on after Ctrl-Z: the shell has made the terminal
// its own meanwhile, and it would echo passwords. The function returned ends that.
func afterPause(again func()) (stop func()) {
	ch := make(chan os.Signal, 1)
	done, ended := make(chan struct{}), make(chan struct{})
	signal.Notify(ch, syscall.SIGCONT)
	go func() { // the signal comes while a read waits
		defer close(ended)
		for {
			select {
			case <-ch:
				again()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(ch)
		close(done)
		<-ended // what is restored afterwards stays
	}
}

// edit makes an editor of a terminal that gives each key at once and echoes none.
func edit(in io.Reader, out io.Writer) *editor {
	e := &editor{keys: &keys{in: in}, width: func() (int, int) { return 0, 0 }}
	e.term = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{e.keys, out}, "")
	e.term.History = &history{}
	e.term.AutoCompleteCallback = e.key
	return e
}

func (e *editor) line(prompt string) (string, error) {
	if columns, lines := e.width(); columns > 0 && lines > 0 {
		_ = e.term.SetSize(columns, lines)
	}
	e.term.SetPrompt(prompt)
	e.keys.hide = ""
	line, err := e.term.ReadLine()
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	what := e.keys.hide
	if err == nil && what != "" {
		var rest string
		rest, err = e.secret(what + " (not shown): ")
		line += rest
	}
	if err == nil && len(line) >= maxEdited {
		return "", errLongLine
	}
	return line, err
}

func (e *editor) secret(prompt string) (string, error) {
	line, err := e.term.ReadPassword(prompt)
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	if err == nil && len(line) >= maxEdited {
		return "", errLongLine
	}
	return line, err
}

// key sees each key before it has its effect. The blank before a secret ends the line, and what
// follows is read without an echo.
func (e *editor) key(line string, pos int, key rune) (string, int, bool) {
	switch key {
	case '\t':
		begun, several := completeVerb(line[:pos])
		if len(several) > 0 {
			fmt.Fprintf(e.term, "%s\n", strings.Join(several, "  "))
		}
		return begun + line[pos:], len(begun), true
	case ' ':
		if what, hidden := hiddenAfter(line); hidden && pos == len(line) {
			e.keys.hide, e.keys.end = what, true
			return line + " ", pos + 1, true
		}
	}
	return "", 0, false
}

// keys hands the editor one octet at a time, so that a key can decide what becomes of the next.
type keys struct {
	in   io.Reader
	hide string // what the secret is called that follows the line; "" if none does
	end  bool   // the line is to end here for it
}

func (k *keys) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if k.end {
		k.end = false
		p[0] = '\r'
		return 1, nil
	}
	return k.in.Read(p[:1])
}

// A history remembers lines for the arrow keys, never a secret, and for this session only.
type history struct{ lines []string } // the oldest first

const maxHistory = 500

func (h *history) Add(line string) {
	if strings.TrimSpace(line) == "" || hasSecret(line) || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	h.lines = slices.Delete(h.lines, 0, max(len(h.lines)-maxHistory, 0))
}

func (h *history) Len() int { return len(h.lines) }

func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }
