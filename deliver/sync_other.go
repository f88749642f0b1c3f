//go:build !linux

package deliver

import (
	"os"
	"syscall"
)

// syncfsIsSure: only Linux has a syncfs that reports what failed.
func syncfsIsSure(*os.File) bool { return false }

func syncfs(*os.File) error { return syscall.ENOSYS }

func renameNoReplace(string, string) error { return syscall.ENOSYS }
