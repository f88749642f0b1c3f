package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"mailhaul/fetch/pop3"
)

// send does a command, and shows the reply.
func (k *console) send(ctx context.Context, r request) error {
	if err := k.mayLogin(r); err != nil {
		return err
	}
	switch {
	case r.name == "PASS":
		if i := strings.IndexAny(r.line, " \t"); i >= 0 {
			mask(k.c, r.line[i+1:])
		}
	case r.name == "AUTH" && len(r.args) > 1:
		k.learn(r.args[1])
	}
	status, body, err := k.c.Do(r.line, r.multi)
	if !r.known {
		k.unsure = visible(r.name)
	} else if err == nil {
		k.unsure = ""
	}
	err = k.shown(status, body, err, r.name == "RETR" || r.name == "TOP")
	for errors.Is(err, pop3.ErrChallenge) {
		err = k.respond(ctx, status, &status)
	}
	if err == nil {
		k.mark(r)
	}
	return err
}

// shown shows a reply. err is what the command led to, and is handed on.
func (k *console) shown(status string, body *pop3.Body, err error, message bool) error {
	if errors.Is(err, pop3.ErrArgument) {
		return usagef("not sent: %v", err)
	}
	if status == "" {
		return err
	}
	if serr := k.show(status, body, message); serr != nil {
		return serr
	}
	return err
}

// respond answers a challenge of AUTH.
func (k *console) respond(ctx context.Context, challenge string, status *string) error {
	if text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.TrimPrefix(challenge, "+"))); err == nil && len(text) > 0 && k.person {
		k.note("that is %s", visible(k.c.Redact(string(text))))
	}
	line, err := within(ctx, k.in.secret, "response in base64, * cancels (not shown): ")
	if err == io.EOF { // an answer that is none, so that the session is in order
		line, err = "*", nil
	}
	if err != nil {
		return err
	}
	k.learn(line)
	*status, err = k.c.Respond(line)
	return k.shown(*status, nil, err, false)
}

// learn masks the secret in a response of SASL from now on, however the server says it: what stands
// last in PLAIN (RFC 4616, section 2), the token of XOAUTH2 and OAUTHBEARER (RFC 7628, section 3.1),
// else all of it, as in LOGIN.
func (k *console) learn(response string) {
	text, err := base64.StdEncoding.DecodeString(response)
	if err != nil {
		return
	}
	secret := string(text[bytes.LastIndexByte(text, 0)+1:])
	if _, token, ok := strings.Cut(secret, "auth=Bearer "); ok {
		secret, _, _ = strings.Cut(token, "\x01")
	}
	k.c.Mask(secret)
	mask(k.c, secret)
}

// mark keeps count of what QUIT will delete.
func (k *console) mark(r request) {
	switch r.name {
	case "DELE":
		if len(r.args) > 0 {
			if n, err := strconv.Atoi(r.args[0]); err == nil {
				k.marked[n] = true
			}
		}
	case "RSET":
		clear(k.marked)
	}
}

// stls begins TLS.
func (k *console) stls(r request) error {
	if cs, secure := k.c.TLS(); secure {
		how := "mailhaul has sent STLS before the login; with --no-login it is yours"
		switch {
		case k.a.TLS == "implicit":
			how = `tls = "implicit"`
		case k.byHand:
			how = "STLS was sent before"
		}
		return usagef("STLS was not sent: the connection has %s already (%s)", tls.VersionName(cs.Version), how)
	}
	if len(r.args) > 0 {
		return usagef("STLS was not sent: it takes no argument")
	}
	err := k.c.STLS(k.tls)
	var refused *pop3.Error
	switch {
	case err == nil:
		k.note("the connection has %s now; what was said before counts no more", strings.TrimPrefix(k.secured(), ", "))
		return k.show("+OK", nil, false) // a reply for each command
	case errors.As(err, &refused) && k.c.Err() == nil:
		return k.shown("-ERR "+refused.Text, nil, err, false)
	}
	return err
}

// quit ends the session. A person is asked first if that deletes something.
func (k *console) quit(ctx context.Context, r request) (done bool, err error) {
	if n := len(k.marked); n > 0 && k.person {
		fmt.Fprintf(os.Stderr, "%s marked by DELE, and QUIT deletes them.\n", are(n))
		answer, err := within(ctx, k.in.line, "QUIT, RSET (takes the marks back), or ENTER to go on: ")
		if err == io.EOF {
			k.newLine()
			k.leftover()
			return true, nil
		}
		if err != nil {
			return false, err
		}
		switch strings.ToUpper(strings.TrimSpace(answer)) {
		case "QUIT":
		case "RSET":
			return false, k.send(ctx, parseRequest("RSET"))
		default:
			return false, nil
		}
	} else if n > 0 {
		k.note("QUIT deletes %s marked by DELE", messages(n))
	}
	status, _, err := k.c.Do(r.line, false)
	if errors.Is(err, pop3.ErrArgument) {
		return false, k.shown(status, nil, err, false)
	}
	n := len(k.marked)
	if status != "" {
		clear(k.marked) // what becomes of them is the server's to say
	}
	var refused *pop3.Error
	if errors.As(err, &refused) && n > 0 {
		err = fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	if serr := k.shown(status, nil, nil, false); serr != nil {
		return false, serr
	}
	return true, err
}

func are(n int) string {
	if n == 1 {
		return "1 message is"
	}
	return fmt.Sprintf("%d messages are", n)
}

// show prints a reply as it comes; none of it is held. The text of a message is left as it is, and
// secrets are masked everywhere else.
func (k *console) show(status string, body *pop3.Body, message bool) error {
	var w io.Writer = k.out
	if isTerminal(os.Stdout) {
		w = &screen{w: k.out}
	}
	if _, err := io.WriteString(w, status+"\n"); err != nil {
		return err
	}
	if err := k.out.Flush(); err != nil || body == nil {
		return err
	}
	ends := &lineEnds{w: &stuffer{w: w, start: true}}
	var err error
	if message {
		err = k.copyText(ends, body)
	} else {
		err = k.copyLines(ends, body)
	}
	if err == nil {
		err = ends.finish()
	}
	if err == nil {
		_, err = io.WriteString(w, ".\n")
	}
	return errors.Join(err, k.out.Flush())
}

// copyText copies what has come, and shows it at once.
func (k *console) copyText(w io.Writer, body *pop3.Body) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if _, werr := w.Write(buf[:n]); werr != nil {
			return werr
		}
		if ferr := k.out.Flush(); ferr != nil {
			return ferr
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// copyLines copies with secrets masked, wherever a line is of a bearable length.
func (k *console) copyLines(w io.Writer, body *pop3.Body) error {
	lines := bufio.NewReaderSize(body, maxConsoleLine)
	for {
		line, err := lines.ReadSlice('\n')
		if _, werr := io.WriteString(w, k.c.Redact(string(line))); werr != nil {
			return werr
		}
		switch err {
		case nil, bufio.ErrBufferFull:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// A stuffer puts a second dot before lines that begin with one (RFC 1939, section 3), so that the
// end can be told in what is printed, too.
type stuffer struct {
	w     io.Writer
	start bool // of a line
}

func (s *stuffer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if s.start && p[0] == '.' {
			if _, err := io.WriteString(s.w, "."); err != nil {
				return 0, err
			}
		}
		i := bytes.IndexByte(p, '\n') + 1
		s.start = i > 0
		if i == 0 {
			i = len(p)
		}
		if _, err := s.w.Write(p[:i]); err != nil {
			return 0, err
		}
		p = p[i:]
	}
	return n, nil
}
