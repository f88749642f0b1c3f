//go:build linux

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// traced are the system calls that a program may change a disk with, or talk; for those that are not
// understood the disk that is made of them differs from the real one, or an error says so.
const traced = "open,openat,openat2,creat,write,writev,pwrite64,pwritev,pwritev2,lseek,truncate,ftruncate,fallocate,copy_file_range,sendfile,splice," +
	"fsync,fdatasync,sync,syncfs,sync_file_range,msync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,sendto,sendmsg"

// trace runs the program, under strace, and has the disk take its steps.
func (d *disk) trace(out string, argv ...string) error {
	args := append([]string{"-f", "-y", "-xx", "-s", "1000000", "-e", "signal=none", "-e", "trace=" + traced, "-o", out}, argv...)
	if text, err := exec.Command("strace", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return err
	}
	type half struct {
		text  string
		begun int
	}
	halves := make(map[string]half)
	for line := range strings.Lines(string(text)) {
		pid, call, _ := strings.Cut(strings.TrimSpace(line), " ")
		call = strings.TrimSpace(call)
		if first, ok := strings.CutSuffix(call, "<unfinished ...>"); ok {
			halves[pid] = half{strings.TrimSpace(first), len(d.steps)}
			continue
		}
		begun := len(d.steps)
		if strings.HasPrefix(call, "<... ") {
			_, rest, _ := strings.Cut(call, " resumed>")
			call, begun = halves[pid].text+rest, halves[pid].begun
		}
		if err := d.call(call, begun); err != nil {
			return fmt.Errorf("%w: %.300s", err, unhex(call))
		}
	}
	return d.after(len(d.steps), nil, nil).differs(d.dir)
}

var (
	hexed    = regexp.MustCompile(`(\\x[0-9a-f]{2})+`)
	callLine = regexp.MustCompile(`^(\w+)\((.*)\) += (-?\w+)(<.*>)?`)
)

func unhex(s string) string {
	return hexed.ReplaceAllStringFunc(s, func(h string) string {
		b, _ := hex.DecodeString(strings.ReplaceAll(h, `\x`, ""))
		return string(b)
	})
}

var errNotUnderstood = errors.New("a system call is not understood")

// call takes the steps of one system call, which began before the step with the number.
func (d *disk) call(line string, begun int) error {
	m := callLine.FindStringSubmatch(line)
	if m == nil || m[3] == "?" || strings.HasPrefix(m[3], "-") {
		return nil // the end of a process, or one that failed
	}
	name, result := m[1], m[3]
	args := strings.Split(m[2], ", ") // the octets of strings are in hex
	for i := range args {
		args[i] = unhex(args[i])
	}
	num := func(i int) int64 { n, _ := strconv.ParseInt(args[i], 0, 64); return n }
	text := func(i int) string { return strings.TrimSuffix(strings.TrimPrefix(args[i], `"`), `"`) }
	// opened is the path of a descriptor, in whose place -y puts NUMBER<PATH>.
	opened := func(s string) string {
		_, s, _ = strings.Cut(s, "<")
		return strings.TrimSuffix(s, ">")
	}
	at := func(i int) string { // two arguments: a directory and a path
		if path := text(i + 1); !filepath.IsAbs(path) {
			return filepath.Join(opened(args[i]), path)
		}
		return text(i + 1)
	}
	switch name {
	case "openat":
		d.open(at(0), args[2])
	case "lseek":
		if n := d.find(opened(args[0])); n != nil {
			n.at, _ = strconv.ParseInt(result, 0, 64)
		}
	case "write", "pwrite64":
		if strings.HasPrefix(opened(args[0]), "socket:") {
			d.do(&step{what: "says " + text(1), said: text(1)})
			return nil
		}
		n := d.find(opened(args[0]))
		if n == nil {
			return nil
		}
		written, _ := strconv.ParseInt(result, 0, 64)
		s := &step{what: fmt.Sprintf("%s %s", name, args[0]), node: n, data: []byte(text(1))[:written], size: -1}
		if name == "pwrite64" {
			s.off = num(3)
		} else {
			s.off = n.at
			n.at += written
		}
		d.do(s)
	case "ftruncate":
		if n := d.find(opened(args[0])); n != nil {
			d.do(&step{what: name + " " + args[0] + " " + args[1], node: n, size: num(1)})
		}
	case "fsync", "fdatasync":
		if n := d.find(opened(args[0])); n != nil {
			d.sync(name+" "+args[0], n, begun)
		}
	case "syncfs":
		d.sync(name, nil, begun)
	case "mkdirat":
		d.names(nil, at(0), d.newNode(true), name)
	case "unlinkat":
		d.names(nil, at(0), nil, name)
	case "renameat", "renameat2":
		added := d.names(nil, at(2), d.find(at(0)), name)
		d.names(added, at(0), nil, name)
	case "linkat":
		d.names(nil, at(2), d.find(at(0)), name)
	case "mkdir":
		d.names(nil, text(0), d.newNode(true), name)
	case "unlink", "rmdir":
		d.names(nil, text(0), nil, name)
	case "rename":
		added := d.names(nil, text(1), d.find(text(0)), name)
		d.names(added, text(0), nil, name)
	default:
		if strings.Contains(strings.Join(args, " "), d.dir) {
			return errNotUnderstood
		}
	}
	return nil
}

// open makes a file, or empties it. Where an opened file is written does not matter beside that: none
// is by two descriptors.
func (d *disk) open(path, flags string) {
	n := d.find(path)
	if n == nil && strings.Contains(flags, "O_CREAT") {
		n = d.newNode(false)
		d.names(nil, path, n, "create")
	}
	if n == nil || n.names != nil {
		return
	}
	n.at = 0
	if strings.Contains(flags, "O_TRUNC") && len(n.content) > 0 {
		d.do(&step{what: "empty " + path, node: n})
	}
	if strings.Contains(flags, "O_APPEND") {
		n.at = int64(len(n.content))
	}
}

// names changes what a path names. added is for the old name of a rename.
func (d *disk) names(added *step, path string, n *node, what string) *step {
	parent := d.find(filepath.Dir(path))
	if parent == nil {
		return nil // outside
	}
	word := "gives"
	if n == nil {
		word = "takes away"
	}
	return d.do(&step{what: what + " " + word + " " + path, node: parent, name: filepath.Base(path), child: n, added: added})
}
