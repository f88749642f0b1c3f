package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mailhaul/deliver"
)

// A deliverKey is one key of the table deliver. One without with is a place: it says where to.
type deliverKey struct {
	name string
	set  func(d *Destination, v any, dir string) error
	with []string // the places it goes with
}

// deliverTable are the keys of the table deliver. The places come first.
var deliverTable = []deliverKey{
	{name: "maildir", set: func(d *Destination, v any, dir string) (err error) { d.Maildir, err = asPath(v, dir); return err }},
	{name: "mbox", set: func(d *Destination, v any, dir string) (err error) { d.Mbox, err = asPath(v, dir); return err }},
	{name: "command", set: func(d *Destination, v any, dir string) (err error) { d.Command, err = asCommand(v, dir); return err }},
	{name: "lmtp", set: receiver("lmtp", "none", map[string]string{"implicit": "24", "none": "24"})},
	{name: "smtp", set: receiver("smtp", "implicit", map[string]string{"implicit": "465", "starttls": "587", "none": "25"})},
	{name: "imap", set: receiver("imap", "implicit", map[string]string{"implicit": "993", "starttls": "143", "none": "143"})},
	{name: "recipient", with: []string{"lmtp", "smtp"}, set: func(d *Destination, v any, _ string) (err error) { d.Recipient, err = asAddress(v, false); return err }},
	{name: "sender", with: []string{"lmtp", "smtp"}, set: func(d *Destination, v any, _ string) (err error) { d.Sender, err = asAddress(v, true); return err }},
	{name: "lock", with: []string{"mbox"}, set: func(d *Destination, v any, _ string) (err error) { d.Lock, err = asLocks(v); return err }},
	{name: "uidl", with: []string{"maildir", "mbox"}, set: setUIDL},
	{name: "folder", with: []string{"maildir", "imap"}, set: setFolder},
	{name: "flags", with: []string{"maildir", "imap"}, set: setFlags},
	{name: "mode", with: []string{"maildir"}, set: setMode},
	{name: "owner", with: []string{"maildir"}, set: setOwner},
	{name: "group", with: []string{"maildir"}, set: setGroup},
}

// deliverKeys are the names of the keys of the table deliver.
var deliverKeys = func() (names []string) {
	for _, k := range deliverTable {
		names = append(names, k.name)
	}
	for _, k := range loginKeys {
		names = append(names, k.name)
	}
	return names
}()

// setDeliver reads one destination or an array of them.
func setDeliver(a *Account, v any, dir string) error {
	tables, ok := asTables(v)
	if !ok {
		d, err := asDestination(a, v, dir)
		if err == nil {
			a.Deliver, a.Also = d, nil
		}
		return err
	}
	var all []Destination
	for i, table := range tables {
		d, err := asDestination(a, table, dir)
		if unknown := knownKeys(table, deliverKeys); unknown != nil {
			err = unknown
		}
		if err == nil && slices.ContainsFunc(all, func(other Destination) bool { return other.String() == d.String() }) {
			// Arguments and recipients are no part of what a state is known by: a change of them would have
			// all that is kept on the server delivered again.
			err = fmt.Errorf("%s stands twice", d)
			if len(d.Command) > 0 {
				err = fmt.Errorf("%w: arguments do not tell them apart; a link to the program with another name does", err)
			}
		}
		if err != nil {
			return fmt.Errorf("destination %d: %w", i+1, err)
		}
		all = append(all, d)
	}
	if len(all) == 0 {
		return errors.New("is empty")
	}
	a.Deliver, a.Also = all[0], all[1:]
	return nil
}

// asTables gives an array of tables, in whichever way it is written.
func asTables(v any) ([]map[string]any, bool) {
	switch v := v.(type) {
	case []map[string]any:
		return v, true
	case []any:
		var tables []map[string]any
		for _, item := range v {
			table, ok := item.(map[string]any)
			if !ok {
				return nil, false
			}
			tables = append(tables, table)
		}
		return tables, true
	}
	return nil, false
}

// asDestination reads one table.
func asDestination(a *Account, v any, dir string) (Destination, error) {
	const how = `want a table like { maildir = "~/Mail" }, { mbox = "/var/mail/alice" } or { command = ["/usr/bin/maildrop"] }, or one with lmtp, smtp or imap`
	table, ok := v.(map[string]any)
	if !ok {
		return Destination{}, fmt.Errorf("%s, not %s", how, typeName(v))
	}
	var d Destination
	place, misplaced := "", ""
	for _, k := range deliverTable {
		v, ok := table[k.name]
		if !ok {
			continue
		}
		if err := k.set(&d, v, dir); err != nil {
			return d, fmt.Errorf("%s: %w", k.name, err)
		}
		switch {
		case k.with == nil && place != "":
			return d, errors.New(how)
		case k.with == nil:
			place = k.name
		case misplaced == "" && !slices.Contains(k.with, place):
			misplaced = fmt.Sprintf("%s goes with %s alone", k.name, strings.Join(k.with, " and "))
		}
	}
	switch {
	case place == "":
		return d, errors.New(how)
	case misplaced != "":
		return d, errors.New(misplaced)
	}
	err := d.reach(a, table, dir)
	return d, err
}

func asLocks(v any) ([]string, error) {
	locks, err := asTexts(v)
	for i, l := range locks {
		if err == nil && (l != "dotlock" && l != "fcntl" || slices.Contains(locks[:i], l)) {
			err = errors.New(`want "dotlock", "fcntl" or both`)
		}
	}
	return locks, err
}

// asAddress reads an address of the envelope. What is none would be the null sender or, as the recipient,
// refuse each message; with a placeholder only the message tells.
func asAddress(v any, null bool) (string, error) {
	s, _ := v.(string)
	switch {
	case null && s == "<>", strings.Contains(s, "%"):
	case s == "" || strings.ContainsAny(s, "<> \t"):
		how := "want an address without brackets"
		if null {
			how += `, or "<>" for the null one`
		}
		return "", errors.New(how)
	}
	return asLine(v)
}

func setUIDL(d *Destination, v any, _ string) error {
	s, err := asText(v)
	if err != nil {
		return err
	}
	switch d.UIDL = deliver.KeepUIDL(s); {
	case d.UIDL == deliver.DovecotUIDL && d.Mbox != "":
		return errors.New(`"dovecot" goes with maildir alone; an mbox takes "header"`)
	case d.UIDL == deliver.DovecotUIDL || d.UIDL == deliver.HeaderUIDL:
		return nil
	}
	return errors.New(`want "dovecot" or "header"`)
}

func setFolder(d *Destination, v any, _ string) error {
	s, err := asLine(v)
	if err != nil {
		return err
	}
	if d.Receiver != nil {
		d.Mailbox = s
		return nil
	}
	name, err := deliver.FolderName(s)
	if err == nil && name != "" {
		d.Maildir, d.Folder = filepath.Join(d.Maildir, name), true
	}
	return err
}

// setFlags reads the letters that maildir knows: https://cr.yp.to/proto/maildir.html.
func setFlags(d *Destination, v any, _ string) error {
	s, err := asText(v)
	if err != nil {
		return err
	}
	letters := []byte(s)
	slices.Sort(letters)
	if strings.Trim(s, "DFPRST") != "" || len(slices.Compact(slices.Clone(letters))) != len(letters) {
		return errors.New("want letters of DFPRST, each once: draft, flagged, passed, replied, seen, trashed")
	}
	d.Flags = string(letters)
	return nil
}

func setMode(d *Destination, v any, _ string) error {
	const how = `want a mode of a file in octal digits and quotes, like "0660"`
	s, err := asText(v)
	if err != nil {
		return fmt.Errorf("%s: %w", how, err)
	}
	mode, err := strconv.ParseUint(s, 8, 32)
	switch {
	case err != nil || len(s) < 3 || len(s) > 4 || mode > 0o777:
		return errors.New(how)
	case mode&0o600 != 0o600:
		return errors.New("the owner must be able to read and write")
	case mode&0o111 != 0:
		return errors.New("mail is not executed; directories get what they need")
	}
	d.Mode = fs.FileMode(mode)
	return nil
}
