package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mailhaul/cmd/mailhaul/peer"
	"mailhaul/fetch/state"
)

// A seenList is what one file of another program says of one mailbox.
type seenList struct {
	program peer.Program
	file    string
	id      state.Identity // zero if the file does not say
	ids     []peer.Seen
}

// String says what list it is.
func (l *seenList) String() string {
	if l.id == (state.Identity{}) {
		return visible(l.file)
	}
	return fmt.Sprintf("%s, user %q at %q", visible(l.file), l.id.User, l.id.Host)
}

// seenFiles gives the files where a program keeps its lists if it is not told otherwise.
func seenFiles(p peer.Program) ([]string, error) {
	home, err := homeDir()
	if err != nil {
		return nil, err
	}
	var patterns []string
	switch p {
	case peer.Fetchmail:
		dir := home
		for _, name := range []string{"HOME_ETC", "FETCHMAILHOME"} { // the last that is set counts
			if d := os.Getenv(name); d != "" {
				dir = d
			}
		}
		patterns = []string{filepath.Join(dir, ".fetchids")}
	case peer.Mpop:
		patterns = []string{filepath.Join(home, ".mpop_uidls", "*")}
	case peer.Getmail:
		patterns = []string{filepath.Join(home, ".getmail", "oldmail-*"),
			filepath.Join(xdgDir("XDG_CONFIG_HOME", ".config"), "getmail", "oldmail-*"),
			filepath.Join(xdgDir("XDG_DATA_HOME", ".local/share"), "getmail", "oldmail-*")}
	default:
		return nil, usagef("%s keeps its list where its configuration says: name the file", p)
	}
	var files []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, usagef("there is no list of %s at %s: name the file", p, strings.Join(patterns, " nor at "))
	}
	return files, nil
}

// A seenError says that a file is no list of that program.
type seenError struct {
	program peer.Program
	err     error
}

func (e *seenError) Error() string {
	return fmt.Sprintf("not a list of seen unique-ids of %s: %v", e.program, e.err)
}
func (e *seenError) Unwrap() error { return e.err }

// shownFile is how messages name a file of the command line, of which "-" is standard input.
func shownFile(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// readSeen reads all files before anything is done with one. Each mailbox of a file is a list.
func readSeen(ctx context.Context, p peer.Program, files []string) ([]*seenList, error) {
	var lists []*seenList
	for _, name := range files {
		of := map[state.Identity]*seenList{}
		err := readSeenFile(ctx, p, name, func(s peer.Seen) {
			id := state.Identity{Host: s.Host, User: s.User}
			l := of[id]
			if l == nil {
				l = &seenList{program: p, file: shownFile(name), id: id}
				of[id] = l
				lists = append(lists, l)
			}
			s.Host, s.User = "", "" // of each line another string
			l.ids = append(l.ids, s)
		})
		if err != nil {
			return nil, err
		}
	}
	return lists, nil
}

func readSeenFile(ctx context.Context, p peer.Program, name string, each func(peer.Seen)) error {
	f, err := openInput(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close()
	for s, err := range peer.ReadSeen(p, shownFile(name), f) {
		if errors.Is(err, errStopped) {
			return err
		}
		if err != nil {
			return &seenError{p, err}
		}
		each(s)
	}
	return nil
}

// of tells whether the list is of the account's mailbox. That of a getmail file is told by its name.
func (l *seenList) of(a *Account) bool {
	if l.id != (state.Identity{}) {
		return l.id.Equal(a.identity())
	}
	return l.program == peer.Getmail && peer.GetmailFile(l.file, a.Server.Host, a.User)
}

// near tells whether an account has something in common with a list that is not its own.
func (l *seenList) near(a *Account) bool {
	if l.id == (state.Identity{}) {
		return l.program == peer.Getmail && strings.Contains(strings.ToLower(filepath.Base(l.file)), a.Server.Host)
	}
	return strings.EqualFold(l.id.Host, a.Server.Host) || strings.EqualFold(l.id.User, a.User)
}

// mostNear is how many accounts a message names that come near to a list.
const mostNear = 3

// An unmatchedError says that a list belongs to no account of the configuration.
type unmatchedError struct {
	list   *seenList
	config string
	near   []*Account
}

func (e *unmatchedError) Error() string {
	ids := counted(len(e.list.ids), "unique-id")
	text := fmt.Sprintf("%s: %s of no account in %s", e.list, ids, e.config)
	if e.list.id == (state.Identity{}) && e.list.program == peer.Fdm {
		text = fmt.Sprintf("%s: the file does not say of which account it is (%s)", e.list, ids)
	}
	for i, a := range e.near {
		sep := "; near to it: "
		if i > 0 {
			sep = ", "
		}
		if i == mostNear {
			return text + ", …"
		}
		text += fmt.Sprintf("%s%q, user %q at %q", sep, a.Name, a.User, a.Server.Host)
	}
	return text
}
