package fetch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mailhaul/deliver"
)

// A moment is all that is on disk at one moment of a run: what a kill would leave.
type moment struct {
	when   string
	dir    string
	staged []string // of a Commit to a maildir: files that it has moved
	before string   // of a Commit to an mbox: what was there
}

// A film is the moments of a run, seen by the target and by the server.
type film struct {
	mu      sync.Mutex
	moments []*moment
}

// A camera is around a target, and copies the disk at each of its steps.
type camera struct {
	deliver.Target
	a    *account
	film *film
	name string // in front of when; "" for the destination
}

func (c *camera) Deliver(ctx context.Context, m *deliver.Message) error {
	body := m.Body
	half := *m
	half.Body = readerFunc(func(p []byte) (int, error) {
		n, err := body.Read(p[:min(len(p), 100)])
		if n > 0 && strings.HasSuffix(m.UID, "-2") {
			c.look("in the midst of Deliver")
		}
		return n, err
	})
	err := c.Target.Deliver(ctx, &half)
	if strings.HasSuffix(m.UID, "-1") || strings.HasSuffix(m.UID, "-3") {
		c.look("behind Deliver of " + m.UID)
	}
	return err
}

func (c *camera) Commit(ctx context.Context) ([]deliver.Receipt, error) {
	c.look("in front of Commit")
	staged, _ := filepath.Glob(filepath.Join(c.a.maildir(), "tmp", "*"))
	before := read(c.a.t, c.a.mboxPath())
	got, err := c.Target.Commit(ctx)
	if len(got) > 0 {
		m := c.look("behind Commit, in front of Record")
		m.staged, m.before = staged, before
	}
	return got, err
}

func (c *camera) Drop(n int) {
	c.Target.Drop(n)
	c.look("behind Drop")
}

func (c *camera) look(when string) *moment {
	c.film.mu.Lock()
	defer c.film.mu.Unlock()
	m := &moment{when: c.name + when, dir: copied(c.a.t, c.a.dir)}
	c.film.moments = append(c.film.moments, m)
	return m
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A finderCamera is around a Finder.
type finderCamera struct {
	camera
	deliver.Finder
}

func (c *finderCamera) Deliver(ctx context.Context, m *deliver.Message) error {
	return c.camera.Deliver(ctx, m)
}

func (c *finderCamera) Commit(ctx context.Context) ([]deliver.Receipt, error) {
	return c.camera.Commit(ctx)
}

func (c *finderCamera) Drop(n int) { c.camera.Drop(n) }

func (c *finderCamera) Close() error { return c.camera.Close() }

func (c *finderCamera) Find(b deliver.Begin) ([]deliver.Receipt, error) {
	got, err := c.Finder.Find(b)
	c.look("behind Find, in front of Record")
	return got, err
}

// restore makes dir hold what from holds. Files stay the same files: a target may know them by
// their inode.
func restore(t testing.TB, dir, from string) string {
	walk := func(root string, do func(path string) error) {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			path, _ = filepath.Rel(root, path)
			return do(path)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	walk(dir, func(path string) error {
		if _, err := os.Stat(filepath.Join(from, path)); err != nil {
			return os.Remove(filepath.Join(dir, path))
		}
		return nil
	})
	walk(from, func(path string) error {
		to := filepath.Join(dir, path)
		return errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, []byte(read(t, filepath.Join(from, path))), 0o600))
	})
	return dir
}

// copied copies a directory.
func copied(t testing.TB, dir string) string {
	to := memory(t)
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}
