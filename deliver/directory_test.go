package deliver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestMakeDir(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "a", "b", "c")
	for range 2 {
		if err := makeDir(dir, access{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{dir, filepath.Dir(dir)} {
		if st, err := os.Lstat(p); err != nil || st.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: %v, %v", p, st.Mode(), err)
		}
	}
	link := filepath.Join(root, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if err := makeDir(filepath.Join(link, "d"), access{}); err != nil {
		t.Error(err)
	}
	file := filepath.Join(root, "file")
	write(t, file, "in the way")
	for _, p := range []string{file, filepath.Join(file, "x")} {
		if err := makeDir(p, access{}); !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%s: %v", p, err)
		}
	}
	t.Chdir(root)
	if err := makeDir(filepath.Join("rel", "x"), access{}); err != nil {
		t.Error(err)
	}
}
