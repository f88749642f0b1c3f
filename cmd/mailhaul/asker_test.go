package main

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

func TestTypedLine(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		in   io.Reader
		want string
		err  error
	}{
		{"line", strings.NewReader("secret\n"), "secret", nil},
		{"with a return", strings.NewReader("a b\rc\r\n"), "a b\rc", nil},
		{"any octets", strings.NewReader("\xe4\t\x1b[A\n"), "\xe4\t\x1b[A", nil},
		{"nothing", strings.NewReader("\n"), "", nil},
		{"no line end", strings.NewReader("secret"), "secret", nil},
		{"end", strings.NewReader(""), "", errNotTyped},
		{"terminal gone", iotest.ErrReader(syscall.EIO), "", syscall.EIO},
		{"gone within the line", io.MultiReader(strings.NewReader("sec"), iotest.ErrReader(broken)), "", broken},
	} {
		if got, err := typedLine(c.in); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	// What is typed ahead is for the next question.
	r := strings.NewReader("one\ntwo\n")
	first, _ := typedLine(r)
	if second, err := typedLine(r); first != "one" || second != "two" || err != nil {
		t.Errorf("%q, %q, %v", first, second, err)
	}
}
