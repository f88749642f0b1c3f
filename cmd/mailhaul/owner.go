package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"mailhaul/deliver"
)

// setOwner reads the user that files are given to. The name is looked up in /etc/passwd alone: one
// that another directory knows (LDAP) is given as its number.
func setOwner(d *Destination, v any, _ string) error {
	id, err := asID(v, "user", func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	if err == nil {
		d.owner().UID = id
	}
	return err
}

func setGroup(d *Destination, v any, _ string) error {
	id, err := asID(v, "group", func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	if err == nil {
		d.owner().GID = id
	}
	return err
}

func (d *Destination) owner() *deliver.Owner {
	if d.Owner == nil {
		d.Owner = &deliver.Owner{UID: -1, GID: -1}
	}
	return d.Owner
}

// asID gives the number of a user or group.
func asID(v any, kind string, look func(string) (string, error)) (int, error) {
	s, err := asText(v)
	if err != nil {
		return 0, err
	}
	if os.Geteuid() != 0 {
		return 0, errors.New("only root can give files away; leave it out, or run as root")
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		number, err := look(s)
		if err != nil {
			return 0, fmt.Errorf("there is no such %s in this system's files; a number is taken as it is", kind)
		}
		if n, err = strconv.ParseUint(number, 10, 31); err != nil {
			return 0, fmt.Errorf("this system has no numbers for a %s", kind)
		}
	}
	return int(n), nil
}
