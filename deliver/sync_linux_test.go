package deliver

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

func TestReleaseAtLeast(t *testing.T) {
	for release, want := range map[string]bool{"5.8.0": true, "5.8": true, "5.8-rc1": true, "5.10.0-30-amd64": true, "6.18.44-fc": true,
		"10.0": true, "5.7.19": false, "4.18.0-553.el8": false, "5": false, "": false, "x.y": false, "5.x": false} {
		if got := releaseAtLeast(release, 5, 8); got != want {
			t.Errorf("%q: %v", release, got)
		}
	}
}

func TestSyncfsIsSure(t *testing.T) {
	for dir, sure := range map[string]bool{"/proc": false, "/sys": false, "/dev/shm": true} {
		f, err := os.Open(dir)
		if err != nil {
			continue
		}
		if got := syncfsIsSure(f); got && !sure {
			t.Errorf("%s: %v", dir, got)
		}
		f.Close()
		if syncfsIsSure(f) {
			t.Error("of a closed directory")
		}
		if err := syncfs(f); !errors.Is(err, syscall.EBADF) {
			t.Errorf("of a closed directory: %v", err)
		}
	}
}
