package main

import (
	"fmt"
	"os"
	"syscall"
)

// isJournal tells whether f is connected to systemd's journal: $JOURNAL_STREAM then has its
// device and inode (systemd.exec(5)).
func isJournal(f *os.File) bool {
	stream := os.Getenv("JOURNAL_STREAM")
	if stream == "" {
		return false
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return false
	}
	return stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
