package deliver

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Hint tells where the next message will go: device, inode and end of the mbox, with a hash of what
// stands before the end, as one word. It is of the mbox as the last Commit or Find of m left it,
// without asking the disk; before those, of what is there, and "" if nothing is.
func (m *Mbox) Hint() (string, error) {
	if m.hint != "" {
		return m.hint, nil
	}
	var hint string
	err := patiently(context.Background(), m.name(), m.timeout, func() (err error) {
		hint, err = m.peek()
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		if m.create {
			return "", nil
		}
	}
	if err != nil {
		return "", m.failed(err)
	}
	return hint, nil
}

// peek makes a hint of the mbox without its lock. If another program is appending, it points into
// that one's message or does not fit later; Find can do with both.
func (m *Mbox) peek() (string, error) {
	leave, ok := enterPath(m.path)
	if !ok {
		return "", errLocked
	}
	defer leave()
	info, err := os.Lstat(m.path)
	if err == nil {
		err = checkFile(info)
	}
	if err != nil {
		return "", err
	}
	f, info, err := openStored(m.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	tail, err := readTail(f, info.Size())
	if err != nil && err != io.EOF {
		return "", err
	}
	return makeHint(info, info.Size(), tail), nil
}

// makeHint makes the word that describes an mbox with this tail before its end.
func makeHint(info fs.FileInfo, end int64, tail []byte) string {
	sum := tailSum(tail)
	dev, ino := fileNumber(info)
	return fmt.Sprintf("1-%x-%x-%d-%s", dev, ino, end, hex.EncodeToString(sum[:16]))
}

// fileNumber is what tells the file from one that has replaced it.
func fileNumber(info fs.FileInfo) (dev, ino uint64) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	return uint64(st.Dev), uint64(st.Ino)
}

// resume tells where in the mbox the hint points, if it still fits: if it is the same file, and what
// stood before that end still does. The device is for the reader of a state file alone: its number
// may be another one after the system was started anew, when this is needed most.
func (l *lockedMbox) resume(hint string) (end int64, fits bool, err error) {
	var (
		dev, ino uint64
		sum      string
	)
	n, _ := fmt.Sscanf(strings.ReplaceAll(hint, "-", " "), "1 %x %x %d %s", &dev, &ino, &end, &sum)
	if _, here := fileNumber(l.info); n != 4 || ino != here || end < 0 || end > l.size {
		return 0, false, nil
	}
	tail, err := readTail(l.f, end)
	if err != nil {
		return 0, false, err
	}
	if !strings.HasSuffix(makeHint(l.info, end, tail), "-"+sum) {
		return 0, false, nil
	}
	return end, true, nil
}
