package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// metricsWait is how long to wait for another run to be done with the file: it holds it for the
// time of one small write.
const metricsWait = 10 * time.Second

// maxMetrics bounds what is read of an earlier file: ten thousand accounts take 8 MB.
const maxMetrics = 256 << 20

// A metricsError says that the metrics are not in their file. The mail is where it belongs.
type metricsError struct{ err error }

func (e *metricsError) Error() string {
	return fmt.Sprintf("the metrics are not written (the mail is not concerned): %v", e.err)
}
func (e *metricsError) Unwrap() error { return e.err }

// writeMetrics brings a file up to date. Whoever reads it sees the whole of the old or the new one,
// and of two runs at once neither loses the other's accounts.
func writeMetrics(ctx context.Context, path string, cfg *Config, outcomes []outcome) (err error) {
	defer func() {
		if err != nil {
			err = &metricsError{err}
		}
	}()
	dir, name := filepath.Split(path)
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return fmt.Errorf("%s: there is no folder %s", path, filepath.Dir(path)) // the lock file would be named
	}
	unlock, err := lockFile(ctx, filepath.Join(dir, "."+name+".lock"), metricsWait)
	if err != nil {
		return err
	}
	defer unlock()
	all, err := readMetrics(path)
	if err != nil {
		return err
	}
	merge(all, cfg, outcomes)
	f, err := replace(path, filepath.Join(dir, "."+name+".tmp")) // the collector reads .prom alone
	if err != nil {
		return err
	}
	if _, err := f.WriteString(exposition(all)); err != nil {
		f.discard()
		return err
	}
	return f.save(0o644) // the collector is another user
}

// readMetrics reads what an earlier run has written. A file that has anything else in it is an
// error: it would be lost, and is perhaps a mistyped name.
func readMetrics(path string) (map[string]samples, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return map[string]samples{}, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxMetrics))
	if err != nil {
		return nil, err
	}
	all, line := parseMetrics(string(b))
	if line > 0 {
		return nil, fmt.Errorf("%s:%d: not a line of mailhaul's metrics: the file is left as it is; name another, or remove it", path, line)
	}
	return all, nil
}

// parseMetrics reads the lines that exposition writes, and gives the number of the first other one.
// What only a later version knows is no offence, and dropped.
func parseMetrics(text string) (all map[string]samples, line int) {
	all = map[string]samples{}
	n := 0
	for l := range strings.Lines(text) {
		n++
		l = strings.TrimSuffix(l, "\n")
		if comment, ok := strings.CutPrefix(l, "# "); ok {
			if _, rest, ok := strings.Cut(comment, " "); !ok || !strings.HasPrefix(rest, metricPrefix) {
				return nil, n
			}
			continue
		}
		name, rest, ok := strings.Cut(l, `{account="`)
		if !ok || !strings.HasPrefix(name, metricPrefix) {
			return nil, n
		}
		account, rest, ok := cutLabel(rest)
		value, err := strconv.ParseFloat(strings.TrimPrefix(rest, "} "), 64)
		if !ok || err != nil || !strings.HasPrefix(rest, "} ") {
			return nil, n
		}
		if all[account] == nil {
			all[account] = samples{}
		}
		all[account][name] = value
	}
	return all, 0
}

// cutLabel reads an escaped value up to its quote.
func cutLabel(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c != '\\':
			b.WriteByte(c)
		default:
			if i++; i == len(s) {
				return "", "", false
			}
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case '\\', '"':
				b.WriteByte(s[i])
			default:
				return "", "", false
			}
		}
	}
	return "", "", false
}
