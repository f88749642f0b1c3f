package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"

	"mailhaul/fetch"
)

// writeManifest writes a line for each message that is at the destination as it should be, to a
// file that is there whole or not at all, or to standard output ("-").
func writeManifest(path string, findings []fetch.Finding) error {
	if path == "-" {
		return manifestTo(os.Stdout, findings)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".mailhaul-*") // 0600
	if err != nil {
		return err
	}
	err = manifestTo(f, findings)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

func manifestTo(w io.Writer, findings []fetch.Finding) error {
	out := bufio.NewWriter(w)
	out.WriteString("uid\tsize\tsha256\tmessage-id\tpath\n")
	for _, f := range findings {
		if f.Type == fetch.Verified {
			out.WriteString(manifestRow(f))
		}
	}
	return out.Flush() // the first error that there was
}
