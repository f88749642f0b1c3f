package deliver

import (
	"os"

	"golang.org/x/sys/unix"
)

// openUnnamed makes a file that never has a name, so that a kill leaves none. Not every file system
// can; why it could not is told by the attempt to make one with a name.
func openUnnamed(dir string) (*os.File, bool) {
	// O_EXCL: no name can be given to it later.
	f, err := os.OpenFile(dir, os.O_RDWR|os.O_EXCL|unix.O_TMPFILE, 0o600)
	return f, err == nil
}
