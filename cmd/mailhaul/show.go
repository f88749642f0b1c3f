package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"mailhaul/fetch/pop3"
)

func (m *program) showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "print a message",
		ArgsUsage: "ACCOUNT ID",
		Description: `Prints a message as a maildir would have it, with the line ends of Unix. ID is the unique-id as
list prints it, its beginning if that is enough, or the number. On a terminal control
characters are shown escaped; for a pipe the message is as it is.

   mailhaul show work 12 | less
   mailhaul show work 0000012a4c1d9f | formail -X Subject:
   mailhaul show --lines 0 work 12               the header alone`,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "lines", DefaultText: "all", Usage: "only the header and `N` lines of the body"},
		},
		Action: m.show,
	}
}

// show prints one message. It changes nothing, neither on the server nor here.
func (m *program) show(c *cli.Context) error {
	lines := c.Int("lines")
	if c.IsSet("lines") && lines < 0 {
		return usagef("option --lines: want a whole number from 0 on, not %d", lines)
	}
	cfg, a, ids, err := m.accountArgument(c, 2, 2)
	if err != nil {
		return err
	}
	st, err := m.knownState(a, statePath(cfg, a.Name))
	if err != nil {
		return err
	}
	err = m.visit(c.Context, cfg, a, st, func(c2 *pop3.Client, d *maildrop) error {
		mail, err := d.pick(ids[0])
		if err != nil {
			d.leave(c2)
			return err
		}
		var cmd *pop3.TextCmd
		if c.IsSet("lines") {
			cmd = c2.Top(mail.num, lines)
		} else {
			cmd = c2.Retr(mail.num)
		}
		body, err := cmd.Body()
		if err != nil {
			if c2.Err() == nil {
				d.leave(c2)
			}
			return err
		}
		if err := printMessage(body); err != nil {
			return err
		}
		d.leave(c2)
		return nil
	})
	return m.about(a, err)
}

// printMessage copies a message to standard output as it arrives. What came before an error has
// been printed by then.
func printMessage(text io.Reader) error {
	out := stdout()
	w := &lineEnds{w: out}
	if isTerminal(os.Stdout) {
		w.w = &screen{w: out}
	}
	// Large chunks: a message may have any size, and none is held.
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, text, make([]byte, 32<<10))
	if err == nil {
		err = w.finish()
	}
	return errors.Join(err, out.Flush())
}

// A lineEnds turns CRLF into LF and nothing else, as in a maildir.
type lineEnds struct {
	w  io.Writer
	cr bool // the last octet was a CR and is still to be written, unless LF follows
}

var carriageReturn = []byte{'\r'}

func (l *lineEnds) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if l.cr && p[0] != '\n' {
			if _, err := l.w.Write(carriageReturn); err != nil {
				return 0, err
			}
		}
		l.cr = false
		i := bytes.IndexByte(p, '\r')
		if i < 0 {
			i = len(p)
		}
		if _, err := l.w.Write(p[:i]); err != nil {
			return 0, err
		}
		if i < len(p) {
			l.cr = true
			i++
		}
		p = p[i:]
	}
	return n, nil
}

// finish writes a CR at the end.
func (l *lineEnds) finish() error {
	if !l.cr {
		return nil
	}
	l.cr = false
	_, err := l.w.Write(carriageReturn)
	return err
}

// A screen shows text on a terminal: control characters, which could do anything there, are
// escaped, all but tab and line feed.
type screen struct {
	w    *bufio.Writer
	rest []byte // the beginning of a character whose end has not come
}

func (s *screen) Write(p []byte) (int, error) {
	text := append(s.rest, p...)
	s.rest = nil
	for len(text) > 0 {
		if text[0] == '\n' || text[0] == '\t' {
			s.w.WriteByte(text[0])
			text = text[1:]
			continue
		}
		if !utf8.FullRune(text) {
			s.rest = bytes.Clone(text)
			break
		}
		_, n := utf8.DecodeRune(text)
		s.w.WriteString(safeLine(string(text[:n])))
		text = text[n:]
	}
	_, err := s.w.Write(nil) // a bufio.Writer keeps its first error
	return len(p), err
}
