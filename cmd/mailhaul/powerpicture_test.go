//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A picture is what is on a disk: files by path, and directories with a slash behind theirs.
type picture struct {
	text map[string][]byte
	node map[string]int // the number of the file
}

func (p picture) add(path string, n *node) {
	for name, c := range n.names {
		if c.names != nil {
			p.text[path+name+"/"] = nil
			p.add(path+name+"/", c)
			continue
		}
		p.text[path+name], p.node[path+name] = c.content, c.id
	}
}

// sum tells pictures, each with some words, from one another.
func (p picture) sum(words []string) [32]byte {
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(p.text)) {
		fmt.Fprintf(h, "%q %d %d\n", path, p.node[path], len(p.text[path]))
		h.Write(p.text[path])
	}
	fmt.Fprintf(h, "%q", words)
	return [32]byte(h.Sum(nil))
}

// A pool is the files that a target may know by their inode: numbers of files by those of the inodes.
type pool map[uint64]int

// fill adds the files that are there when the last step is done.
func (p pool) fill(d *disk) error {
	for path, id := range d.after(len(d.steps), nil, nil).node {
		info, err := os.Stat(filepath.Join(d.dir, path))
		if err != nil {
			return err
		}
		p[info.Sys().(*syscall.Stat_t).Ino] = id
	}
	return nil
}

// put makes dir hold what is in a picture. What is in the pool waits in the directory aside.
func (p picture) put(dir, aside string, files pool) error {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if id, ok := files[info.Sys().(*syscall.Stat_t).Ino]; ok {
			return os.Rename(path, filepath.Join(aside, fmt.Sprint(id)))
		}
		return nil
	})
	if err = errors.Join(err, os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(p.text)) {
		to := filepath.Join(dir, path)
		if strings.HasSuffix(path, "/") {
			if err := os.Mkdir(to, 0o700); err != nil {
				return err
			}
			continue
		}
		os.Rename(filepath.Join(aside, fmt.Sprint(p.node[path])), to) // if it is there
		if err := os.WriteFile(to, p.text[path], 0o600); err != nil {
			return err
		}
	}
	return nil
}

// differs tells of what in dir is not as in a picture.
func (p picture) differs(dir string) error {
	d, err := newDisk(dir)
	if err != nil {
		return err
	}
	is := d.after(len(d.steps), nil, nil)
	for path, text := range p.text {
		if has, ok := is.text[path]; !ok || !bytes.Equal(has, text) {
			return fmt.Errorf("%s: is %q, want %q", path, has, text)
		}
	}
	for path := range is.text {
		if _, ok := p.text[path]; !ok {
			return fmt.Errorf("%s is not known", path)
		}
	}
	return nil
}
