package pop3

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestLost(t *testing.T) {
	for _, s := range []string{"close", "S= \"+O\"\nclose", "S= \"+OK\"\nclose", "S= \"+OK\\r\"\nclose"} {
		c := converse(t, nil, "S: +OK\nC: NOOP\n"+s)
		err := c.Noop().Wait()
		if !errors.Is(err, io.ErrUnexpectedEOF) || c.Err() != err {
			t.Errorf("%q: %v; Err %v", s, err, c.Err())
		}
		if err := c.Quit().Wait(); err != c.Err() {
			t.Errorf("%q: QUIT: %v", s, err)
		}
	}
}

// A write that fails still yields what the server has said, and nothing of it is a success.
func TestFailedWrite(t *testing.T) {
	for _, tt := range []struct {
		said, code string
	}{
		{"-ERR [IN-USE] autologout\r\n", "IN-USE"},
		{"-ERR autologout\r\n", ""}, // no refusal of QUIT
		{"+OK bye\r\n", ""},
		{"", ""},
	} {
		broken := &stream{Reader: &parts{[]io.Reader{strings.NewReader("+OK\r\n"), strings.NewReader(tt.said)}}}
		c, err := New(&failWriter{broken}, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Quit().Wait()
		var lost *LostError
		var e *Error
		if !errors.As(err, &lost) || !errors.Is(err, io.ErrUnexpectedEOF) || c.Err() != err {
			t.Errorf("%q: %v; Err %v", tt.said, err, c.Err())
		}
		if errors.As(err, &e) != (tt.code != "") || e != nil && e.Code != tt.code {
			t.Errorf("%q: %v", tt.said, e)
		}
	}
}

type failWriter struct{ *stream }

func (failWriter) Write(p []byte) (int, error) { return 0, errors.New("broken pipe") }

// Of a write that fails half-way, the commands that went out whole are still answered.
func TestPartialWrite(t *testing.T) {
	s := &stream{Reader: &parts{[]io.Reader{strings.NewReader("+OK\r\n"), strings.NewReader("+OK\r\na\r\n.\r\n+OK\r\n")}}}
	c, err := New(&halfWriter{s, len("RETR 1\r\nDELE 1\r")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	retr, dele := c.Retr(1), c.Dele(1)
	b, err := retr.Body()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(b); string(text) != "a\r\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if err := dele.Wait(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a +OK to half a DELE: %v", err)
	}
	if err := c.Quit().Wait(); err == nil || s.written != 0 {
		t.Errorf("then %v", err)
	}
}

type halfWriter struct {
	*stream
	n int
}

func (w halfWriter) Write(p []byte) (int, error) { return w.n, errors.New("broken pipe") }
