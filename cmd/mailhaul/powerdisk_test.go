//go:build linux

package main

import (
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A node is a file or a directory of a disk.
type node struct {
	id      int
	names   map[string]*node // of a directory; nil for a file
	content []byte           // of a file
	at      int64            // where the next write goes
}

// A step is one thing that the program did: a change of the disk, a sync, or talk with the server.
type step struct {
	what string
	node *node // that is changed; nil for what changes nothing

	name    string // of a directory: what it names from now on, nil for nothing
	child   *node
	added   *step // of a name that a rename takes away: the step that gives the new one
	data    []byte
	off     int64
	size    int64 // of a file that is cut or extended; -1 for a write
	durable int   // the number of the step behind which it is; math.MaxInt for never

	said string // to the server
}

// A disk is what a program has made of a directory, step by step. What of it a power cut leaves
// is this. A change of a file is durable when a sync of the file has begun behind it and has
// ended, one of a directory when a sync of the directory has; syncfs syncs all. Of the other changes
// each one may have come to the disk or not, in whatever order: a write in part, or as zeros. A rename
// takes the old name away only when it has given the new one.
type disk struct {
	dir   string
	root  *node
	nodes []*node // by number
	steps []*step
}

// newDisk takes what is there as durable.
func newDisk(dir string) (*disk, error) {
	d := &disk{dir: dir}
	d.root = d.newNode(true)
	return d, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		n := d.newNode(e.IsDir())
		if !e.IsDir() {
			if n.content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		parent, name := d.find(filepath.Dir(path)), filepath.Base(path)
		s := &step{what: "before", node: parent, name: name, child: n}
		s.apply(parent, n, whole, nil)
		d.steps = append(d.steps, s)
		if !e.IsDir() {
			d.steps = append(d.steps, &step{what: "before", node: n, data: n.content, size: -1})
		}
		return nil
	})
}

func (d *disk) newNode(dir bool) *node {
	n := &node{id: len(d.nodes)}
	if dir {
		n.names = make(map[string]*node)
	}
	d.nodes = append(d.nodes, n)
	return n
}

// find gives what has a path now; nil for nothing, and for what is outside.
func (d *disk) find(path string) *node {
	rel, err := filepath.Rel(d.dir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return nil
	}
	n := d.root
	for name := range strings.SplitSeq(rel, "/") {
		if name != "." && n != nil {
			n = n.names[name]
		}
	}
	return n
}

// do takes a step.
func (d *disk) do(s *step) *step {
	s.durable = math.MaxInt
	if s.node != nil {
		s.apply(s.node, s.child, whole, nil)
	}
	d.steps = append(d.steps, s)
	return s
}

// sync makes durable what was done to n, or to all for nil, before the step with the number begun.
func (d *disk) sync(what string, n *node, begun int) {
	d.do(&step{what: what})
	for _, s := range d.steps[:begun] {
		if n == nil || s.node == n {
			s.durable = min(s.durable, len(d.steps))
		}
	}
}

// kill takes all steps behind the first n back. What was not durable then is on the disk all the same,
// and still not durable.
func (d *disk) kill(n int) {
	d.steps = d.steps[:n]
	for _, x := range d.nodes {
		x.content = nil
		clear(x.names)
	}
	for _, s := range d.steps {
		if s.durable > n {
			s.durable = math.MaxInt
		}
		if s.node != nil {
			s.apply(s.node, s.child, whole, nil)
		}
	}
}

// A fate is what a power cut has made of a change that was not synced.
type fate int

const (
	whole fate = iota
	lost
	torn  // a beginning of a write
	zeros // the length of a write
	holes // some blocks of a write
)

func (f fate) String() string { return [...]string{"whole", "lost", "torn", "zeros", "holes"}[f] }

const block = 512

// apply does a step to a node, which may be a copy.
func (s *step) apply(n, child *node, f fate, r *rand.Rand) {
	switch {
	case f == lost:
	case n.names != nil && s.child == nil:
		delete(n.names, s.name)
	case n.names != nil:
		n.names[s.name] = child
	case s.size >= 0:
		if grow := s.size - int64(len(n.content)); grow > 0 {
			n.content = append(slices.Clone(n.content), make([]byte, grow)...)
		}
		n.content = slices.Clone(n.content[:s.size])
	default:
		old, data := n.content, s.data
		if f == torn && len(data) > 0 {
			data = data[:r.IntN(len(data))]
		}
		size := max(len(old), int(s.off)+len(data))
		n.content = make([]byte, size)
		copy(n.content, old)
		for at := 0; at < len(data); {
			// Blocks are those of the file.
			end := min(len(data), at+block-(int(s.off)+at)%block)
			if f == whole || f == torn || f == holes && r.IntN(2) == 0 {
				copy(n.content[int(s.off)+at:], data[at:end])
			}
			at = end
		}
	}
}

// after gives what is on the disk when the power goes behind the first n steps. fates tells of each
// change that was not durable then; without it nothing is lost.
func (d *disk) after(n int, r *rand.Rand, fates func(*step) fate) picture {
	copies := make([]*node, len(d.nodes))
	for i, n := range d.nodes {
		copies[i] = &node{id: n.id}
		if n.names != nil {
			copies[i].names = make(map[string]*node)
		}
	}
	lostSteps := make(map[*step]bool)
	for _, s := range d.steps[:n] {
		if s.node == nil {
			continue
		}
		f := whole
		if s.durable > n && fates != nil {
			f = fates(s)
		}
		if s.added != nil && lostSteps[s.added] {
			f = lost
		}
		if f == lost {
			lostSteps[s] = true
		}
		var child *node
		if s.child != nil {
			child = copies[s.child.id]
		}
		s.apply(copies[s.node.id], child, f, r)
	}
	p := picture{make(map[string][]byte), make(map[string]int)}
	p.add("", copies[d.root.id])
	return p
}

// pending gives the changes that are not durable behind the first n steps.
func (d *disk) pending(n int) (steps []*step) {
	for _, s := range d.steps[:n] {
		if s.node != nil && s.durable > n {
			steps = append(steps, s)
		}
	}
	return steps
}
