package deliver

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// syncfsIsSure tells whether syncfs on the file system of dir reports every write that failed since
// dir was opened. The kernel does from 5.8 on (it returned 0 whatever happened before), for file
// systems that keep the error where syncfs looks for it; those named here do. That the journal
// failed, syncfs reports from 5.17 on only, but then these file systems refuse the links that
// follow. Of NFS, FUSE and overlays nothing is known, so each file is synced there.
func syncfsIsSure(dir *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil {
		return false
	}
	switch st.Type {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
	default:
		return false
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return false
	}
	return releaseAtLeast(unix.ByteSliceToString(u.Release[:]), 5, 8)
}

// releaseAtLeast compares a kernel's release, such as "5.10.0-30-amd64".
func releaseAtLeast(release string, major, minor int) bool {
	first, rest, _ := strings.Cut(release, ".")
	second := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	a, err := strconv.Atoi(first)
	if err != nil {
		return false
	}
	b, err := strconv.Atoi(second)
	return err == nil && (a > major || a == major && b >= minor)
}

func syncfs(dir *os.File) error {
	for {
		err := unix.Syncfs(int(dir.Fd()))
		if err != unix.EINTR {
			return os.NewSyscallError("syncfs", err)
		}
	}
}

// renameNoReplace is rename that fails with EEXIST where it would replace something.
func renameNoReplace(from, to string) error {
	return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
}
