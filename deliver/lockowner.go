package deliver

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// An owner is the process that a dot lock belongs to, as the lock file tells:
//
//	PID:HOST boot=… start=… space=…
//
// The process number stands first, where liblockfile looks for it.
type owner struct {
	pid  int
	host string
	boot string // names the time since the system was started; "" unknown
	// start is when the process was started, in a unit that this system alone knows; "" unknown.
	// A process number is used again, a number with a start is not.
	start string
	space string // names the set of process numbers: containers have their own; "" unknown
}

type fate int

const (
	ownerUnknown fate = iota
	ownerAlive
	ownerDead
)

// thisProcess is the owner of the locks made here.
func thisProcess() owner {
	host, _ := os.Hostname()
	pid := os.Getpid()
	return owner{pid, word(host), word(bootID()), word(processStart(pid)), word(processSpace())}
}

// word makes s one word of the lock file's line.
func word(s string) string {
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c >= 0x7f {
			return '_'
		}
		return c
	}, s)
}

func (o owner) String() string {
	return fmt.Sprintf("%d:%s boot=%s start=%s space=%s\n", o.pid, o.host, o.boot, o.start, o.space)
}

// forDovecot is String with an end, in C, behind the host. Dovecot compares all that stands behind the
// colon with its own host's name, and then takes a lock over as soon as its owner is dead. Otherwise a
// kill would have users wait for two minutes.
func (o owner) forDovecot() string { return strings.Replace(o.String(), " ", "\x00 ", 1) }

// parseOwner reads the line of a lock file. Those of other programs are not understood.
func parseOwner(line string) (owner, bool) {
	fields := strings.Split(line, " ")
	if len(fields) != 4 {
		return owner{}, false
	}
	pid, host, ok := strings.Cut(fields[0], ":")
	o := owner{host: host}
	n, err := strconv.ParseInt(pid, 10, 32)
	if !ok || err != nil || n <= 0 {
		return owner{}, false
	}
	o.pid = int(n)
	for i, f := range []struct {
		name string
		to   *string
	}{{"boot=", &o.boot}, {"start=", &o.start}, {"space=", &o.space}} {
		if *f.to, ok = strings.CutPrefix(fields[1+i], f.name); !ok {
			return owner{}, false
		}
	}
	return o, true
}

// fate tells what is known here of the owner of a lock. Unknown is one on another host, and one of
// another container, whose processes cannot be seen.
func (o owner) fate(here owner) fate {
	if o.host == "" || o.host != here.host {
		return ownerUnknown
	}
	if o.boot != here.boot {
		// Many hosts bear the name localhost: this may be another one, not another boot.
		if o.boot == "" || here.boot == "" || strings.HasPrefix(o.host, "localhost") {
			return ownerUnknown
		}
		return ownerDead
	}
	if o.space != here.space {
		return ownerUnknown
	}
	if err := syscall.Kill(o.pid, 0); err == syscall.ESRCH {
		return ownerDead
	}
	switch start := word(processStart(o.pid)); {
	case start == "" || o.start == "":
		return ownerUnknown
	case start != o.start:
		return ownerDead
	}
	return ownerAlive
}
