package main

import (
	"context"
	"io"
	"os"
)

// openInput opens a file of the command line, of which "-" is standard input. A read of a pipe or a
// terminal cannot be interrupted: when a signal comes it is left behind, and the reader has ended.
func openInput(ctx context.Context, name string) (io.ReadCloser, error) {
	f, named := os.Stdin, name != "-"
	if named {
		var err error
		if f, err = os.Open(name); err != nil {
			return nil, err
		}
	}
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { w.CloseWithError(stopped(ctx)) })
	go func() {
		_, err := io.Copy(w, f)
		if named {
			f.Close()
		}
		w.CloseWithError(err)
	}()
	return r, nil
}
