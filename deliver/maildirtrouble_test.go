package deliver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// wantTargetError checks that err is about the maildir as a whole, and whether it says that it
// cannot be used.
func wantTargetError(t *testing.T, err error, dir string, create bool) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Message || e.Target != "maildir "+dir || errors.Is(err, ErrCreate) != create {
		t.Errorf("%#v: %v; want one of %s, ErrCreate %v", e, err, dir, create)
	}
}

func TestMaildirWrongType(t *testing.T) {
	for _, at := range []string{"a", "a/Mail", "a/Mail/tmp", "a/Mail/new", "a/Mail/cur"} {
		for _, create := range []bool{false, true} {
			root := t.TempDir()
			dir := filepath.Join(root, "a", "Mail")
			path := filepath.Join(root, at)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, path, "in the way")
			_, err := NewMaildir(dir, MaildirOptions{Create: create})
			wantTargetError(t, err, dir, true)
		}
	}
	_, err := NewMaildir("", MaildirOptions{Create: true})
	if !errors.Is(err, ErrCreate) {
		t.Errorf("no name: %v", err)
	}
	root := t.TempDir()
	dir := filepath.Join(root, "Mail")
	if err := os.Symlink(filepath.Join(root, "nowhere"), dir); err != nil {
		t.Fatal(err)
	}
	m, _ := testMessage(1)
	wantTargetError(t, newTestMaildir(t, dir, true).Deliver(context.Background(), m), dir, true)
	if err := errors.Join(os.Remove(dir), os.Mkdir(dir, 0o700), os.Symlink(filepath.Join(root, "nowhere"), filepath.Join(dir, "new"))); err != nil {
		t.Fatal(err)
	}
	wantTargetError(t, newTestMaildir(t, dir, true).Deliver(context.Background(), m), dir, true)
}

func TestMaildirMissing(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "Mail")
	_, err := NewMaildir(dir, MaildirOptions{})
	wantTargetError(t, err, dir, true)
	// The mount point of a disk that is not mounted.
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = NewMaildir(dir, MaildirOptions{})
	wantTargetError(t, err, dir, true)
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("made %q", got)
	}
	// It goes away later.
	d := newTestMaildir(t, dir, true)
	deliverTest(t, d, 0, 1)
	commitTest(t, d)
	d = newTestMaildir(t, dir, false)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	m, _ := testMessage(1)
	wantTargetError(t, d.Deliver(context.Background(), m), dir, true)
	if got := names(t, root); len(got) != 0 {
		t.Errorf("made %q", got)
	}
}

// A name that something has is an error. What is durable all the same has its receipt.
func TestMaildirNameTaken(t *testing.T) {
	dir := t.TempDir()
	d := newTestMaildir(t, dir, true)
	deliverTest(t, d, 0, 4)
	taken := d.path("new", d.staged[2].final)
	write(t, taken, "somebody's")
	got, err := d.Commit(context.Background())
	wantTargetError(t, err, dir, false)
	if !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	checkReceipts(t, got, 0, 2)
	if text, err := os.ReadFile(taken); err != nil || string(text) != "somebody's" {
		t.Errorf("replaced: %q, %v", text, err)
	}
	if left := names(t, dir, "tmp"); len(left) != 0 || len(d.staged) != 0 {
		t.Errorf("in tmp/: %q, %d staged", left, len(d.staged))
	}
	if got := commitTest(t, d); got != nil {
		t.Errorf("committed %v", got)
	}
	deliverTest(t, d, 4, 5)
	checkReceipts(t, commitTest(t, d), 4, 5)
}

// new/ is gone, or another program has removed a file from tmp/: nothing is told of as delivered.
func TestMaildirCommitFails(t *testing.T) {
	for name, harm := range map[string]func(d *Maildir) error{
		"new": func(d *Maildir) error { return os.Remove(d.path("new")) },
		"tmp": func(d *Maildir) error { return os.Remove(d.path("tmp", d.staged[0].name)) },
	} {
		dir := t.TempDir()
		d := newTestMaildir(t, dir, true)
		deliverTest(t, d, 0, 3)
		if err := harm(d); err != nil {
			t.Fatal(err)
		}
		got, err := d.Commit(context.Background())
		wantTargetError(t, err, dir, true)
		if len(got) != 0 || len(names(t, dir, "tmp")) != 0 {
			t.Errorf("%s: receipts %v; in tmp/: %q", name, got, names(t, dir, "tmp"))
		}
	}
}

// A sync that failed: no message of the batch arrives.
func TestMaildirSyncFails(t *testing.T) {
	dir := t.TempDir()
	d := newTestMaildir(t, dir, true)
	deliverTest(t, d, 0, 3)
	d.sync.fail(syscall.EIO)
	got, err := d.Commit(context.Background())
	wantTargetError(t, err, dir, false)
	if !errors.Is(err, syscall.EIO) || len(got) != 0 || len(names(t, dir, "tmp")) != 0 || len(names(t, dir, "new")) != 0 {
		t.Errorf("receipts %v, %v", got, err)
	}
	deliverTest(t, d, 0, 3)
	checkReceipts(t, commitTest(t, d), 0, 3)
}

// A full disk is the destination's trouble, and the messages before it are delivered.
func TestMaildirWriteFails(t *testing.T) {
	d := newTestMaildir(t, t.TempDir(), true)
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	m, _ := testMessage(1)
	if err := d.write(f, m, &maildirFile{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("trace field: %v", err)
	}
	m, _ = testMessage(1)
	m.Trace = ""
	err = d.write(f, m, &maildirFile{})
	wantTargetError(t, d.failed(err), d.dir, false)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("text: %v", err)
	}
}

func TestMaildirCheck(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "a", "Mail")
	d := newTestMaildir(t, dir, true)
	if err := d.Check(); err != nil {
		t.Error(err)
	}
	if got := names(t, root); len(got) != 0 {
		t.Errorf("Check has made %q", got)
	}
	deliverTest(t, d, 0, 1)
	d.Close()
	for _, create := range []bool{false, true} {
		d := newTestMaildir(t, dir, create)
		if err := d.Check(); err != nil {
			t.Error(err)
		}
		if err := os.Remove(d.path("new")); err != nil {
			t.Fatal(err)
		}
		err := d.Check()
		if create {
			if err != nil {
				t.Error(err)
			}
		} else {
			wantTargetError(t, err, dir, true)
		}
		write(t, d.path("new"), "in the way")
		wantTargetError(t, d.Check(), dir, true)
		if err := errors.Join(os.Remove(d.path("new")), os.Mkdir(d.path("new"), 0o700)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMaildirNotWritable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write anywhere")
	}
	root := t.TempDir()
	dir := filepath.Join(root, "Mail")
	m, _ := testMessage(1)
	chmod := func(path string, mode fs.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	chmod(root, 0o500)
	d := newTestMaildir(t, dir, true)
	wantTargetError(t, d.Check(), dir, true)
	wantTargetError(t, d.Deliver(context.Background(), m), dir, true)
	chmod(root, 0o700)
	deliverTest(t, d, 0, 1)
	commitTest(t, d)

	d = newTestMaildir(t, dir, false)
	chmod(d.path("tmp"), 0o500)
	wantTargetError(t, d.Check(), dir, true)
	wantTargetError(t, d.Deliver(context.Background(), m), dir, true)
	chmod(d.path("tmp"), 0o700)

	chmod(d.path("new"), 0o500)
	wantTargetError(t, d.Check(), dir, true)
	deliverTest(t, d, 1, 3)
	got, err := d.Commit(context.Background())
	wantTargetError(t, err, dir, true)
	if len(got) != 0 || len(names(t, dir, "tmp")) != 0 {
		t.Errorf("receipts %v", got)
	}
	chmod(d.path("new"), 0o700)

	chmod(dir, 0)
	_, err = NewMaildir(dir, MaildirOptions{Create: true})
	wantTargetError(t, err, dir, true)
	chmod(dir, 0o700)
	// The path to it may be passed but not read, as /home often is.
	chmod(root, 0o300)
	d = newTestMaildir(t, filepath.Join(root, "Other"), true)
	deliverTest(t, d, 0, 1)
	commitTest(t, d)
	chmod(root, 0o700)
}

func TestClassify(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENOTDIR, syscall.EISDIR,
		syscall.ENOENT, syscall.ELOOP, syscall.ENAMETOOLONG} {
		err := classify("mbox /m", &fs.PathError{Op: "open", Path: "/m", Err: errno})
		if !errors.Is(err, ErrCreate) || !errors.Is(err, errno) || err.Target != "mbox /m" {
			t.Errorf("%v: %v", errno, err)
		}
		if again := classify("other", err); again != err || strings.Count(err.Error(), ErrCreate.Error()) != 1 {
			t.Errorf("classified twice: %v", again)
		}
	}
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EEXIST, syscall.EFBIG} {
		if err := classify("mbox /m", errno); errors.Is(err, ErrCreate) || !errors.Is(err, errno) {
			t.Errorf("%v: %v", errno, err)
		}
	}
}
