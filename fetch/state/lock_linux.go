package state

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// setLock takes two locks. The one that counts belongs to the open file (OFD), on the first octet:
// it excludes other processes and this one alike. The other, on the second octet, is a classic one
// and only there to be asked about: of an OFD lock the kernel does not tell whose it is. A classic
// lock is gone as soon as the process closes any descriptor of the file, which then costs the
// knowledge and not the lock.
func setLock(file *os.File) error {
	err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 0, Len: 1})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return ErrLocked
	}
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	_ = unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 1, Len: 1})
	return nil
}

// lockHolder returns the process that has the lock, 0 if unknown.
func lockHolder(file *os.File) int {
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: 1, Len: 1}
	if unix.FcntlFlock(file.Fd(), unix.F_GETLK, &l) != nil || l.Type == unix.F_UNLCK || l.Pid < 0 {
		return 0
	}
	return int(l.Pid)
}

// lockTaken tells whether the lock that counts is taken, by whomever but the file itself.
func lockTaken(file *os.File) bool {
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: 0, Len: 1}
	return unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &l) == nil && l.Type != unix.F_UNLCK
}

func (l *lock) release() { l.file.Close() }

// holdsLock tells whether opening and closing the file would break a lock of this process.
func holdsLock(string) bool { return false }

// processStart returns when a process started, the zero time if that cannot be found out.
func processStart(pid int) time.Time {
	if pid <= 0 {
		return time.Time{}
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return time.Time{}
	}
	// proc(5): the name of the program, in parentheses, may hold anything; starttime is the
	// 20th field after it, in clock ticks since boot, of which there are 100 a second.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return time.Time{}
	}
	ticks, ok := parseNumber(fields[19])
	if !ok {
		return time.Time{}
	}
	system, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	_, rest, found := bytes.Cut(system, []byte("\nbtime "))
	end := bytes.IndexByte(rest, '\n')
	if !found || end < 0 {
		return time.Time{}
	}
	boot, ok := parseNumber(rest[:end])
	if !ok {
		return time.Time{}
	}
	return time.Unix(boot+ticks/100, 0)
}
