package main

import (
	"bufio"
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
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link, such as /dev/stdout, is not what is meant
	}
	f, err := replace(path, "")
	if err != nil {
		return err
	}
	if err := manifestTo(f, findings); err != nil {
		f.discard()
		return err
	}
	return f.save(0o600)
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
