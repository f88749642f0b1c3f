package deliver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func openMaildir(t *testing.T, dir string, o MaildirOptions) *Maildir {
	t.Helper()
	d, err := NewMaildir(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// The name tells the size of the file, and its size with CRLF; readers take both as they are.
func TestMaildirNameSizes(t *testing.T) {
	d := openMaildir(t, t.TempDir(), MaildirOptions{Create: true, UIDL: HeaderUIDL})
	deliverTest(t, d, 0, 3)
	for _, r := range commitTest(t, d) {
		text, err := os.ReadFile(r.Where)
		if err != nil {
			t.Fatal(err)
		}
		lone := strings.Count(string(text), "\n") - strings.Count(string(text), "\r\n")
		if want := fmt.Sprintf(",S=%d,W=%d", len(text), len(text)+lone); !strings.HasSuffix(r.Where, want) {
			t.Errorf("%s, want %s", r.Where, want)
		}
	}
	var order []string
	for _, name := range names(t, d.path("new")) { // sorted
		order = append(order, ownName(name))
	}
	if !slices.IsSorted(order) {
		t.Errorf("by their names the messages are in the order %q", order)
	}
}

// A message that was retrieved late, because it had to be retrieved twice, keeps its place.
func TestMaildirOrder(t *testing.T) {
	d := openMaildir(t, t.TempDir(), MaildirOptions{Create: true, UIDL: DovecotUIDL})
	for _, n := range []int{3, 1, 2} {
		m, _ := testMessage(n)
		m.Num = n
		if err := d.Deliver(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range commitTest(t, d) {
		got = append(got, r.ID)
	}
	if want := []string{testID(3), testID(1), testID(2)}; !slices.Equal(got, want) {
		t.Errorf("receipts %q, want %q", got, want)
	}
	list, _ := os.ReadFile(d.path("dovecot-uidlist"))
	for i, name := range names(t, d.path("new")) { // sorted
		if ownName(name) != testID(i+1) || !strings.Contains(string(list), fmt.Sprintf("\n%d Puid%[1]d O%[1]d :%s\n", i+1, name)) {
			t.Errorf("%d is %s in\n%s", i+1, name, list)
		}
	}
}

func TestMaildirFlags(t *testing.T) {
	d := openMaildir(t, t.TempDir(), MaildirOptions{Create: true, Flags: "FS", UIDL: DovecotUIDL})
	deliverTest(t, d, 0, 2)
	checkReceipts(t, commitTest(t, d), 0, 2)
	in := names(t, d.path("cur"))
	if len(in) != 2 || !strings.HasSuffix(in[0], ":2,FS") || len(names(t, d.path("new"))) != 0 {
		t.Errorf("cur/ has %q", in)
	}
	list, err := os.ReadFile(d.path("dovecot-uidlist"))
	base := strings.TrimSuffix(in[0], ":2,FS")
	if err != nil || !strings.Contains(string(list), " :"+base+"\n") || strings.Contains(string(list), "2,FS") {
		t.Errorf("%q, %v", list, err)
	}
	got, err := openMaildir(t, d.dir, MaildirOptions{Flags: "FS"}).Find(Begin{Nonce: testNonce})
	if err != nil {
		t.Fatal(err)
	}
	checkReceipts(t, got, 0, 2)
}

func TestMaildirAccess(t *testing.T) {
	o := MaildirOptions{Create: true, Folder: true, Mode: 0o660, UIDL: DovecotUIDL}
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		uid, gid = 65534, 65533
		o.Owner = &Owner{uid, gid}
	}
	dir := filepath.Join(t.TempDir(), "a", ".Folder")
	defer syscall.Umask(syscall.Umask(0o077)) // has no part in it
	d := openMaildir(t, dir, o)
	deliverTest(t, d, 0, 1)
	r := commitTest(t, d)
	for path, mode := range map[string]fs.FileMode{
		r[0].Where: 0o660, dir + "/dovecot-uidlist": 0o660, dir + "/maildirfolder": 0o660,
		dir: 0o770 | fs.ModeDir, dir + "/..": 0o770 | fs.ModeDir, dir + "/new": 0o770 | fs.ModeDir, dir + "/cur": 0o770 | fs.ModeDir, dir + "/tmp": 0o770 | fs.ModeDir,
	} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Error(err)
			continue
		}
		st := info.Sys().(*syscall.Stat_t)
		if info.Mode() != mode || int(st.Uid) != uid || int(st.Gid) != gid {
			t.Errorf("%s: %v of %d:%d, want %v of %d:%d", path, info.Mode(), st.Uid, st.Gid, mode, uid, gid)
		}
	}
	if o.Owner == nil {
		return
	}
	// A run that was killed before it gave a directory away.
	for _, p := range []string{dir, dir + "/new"} {
		if err := os.Chown(p, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	d = openMaildir(t, dir, o)
	deliverTest(t, d, 1, 2)
	commitTest(t, d)
	for _, p := range []string{dir, dir + "/new"} {
		if info, err := os.Lstat(p); err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != uid {
			t.Errorf("%s is still root's: %v", p, err)
		}
	}
}

// A list that is there keeps its mode and its owner.
func TestUidlistKeepsAccess(t *testing.T) {
	d := openMaildir(t, t.TempDir(), MaildirOptions{Create: true, UIDL: DovecotUIDL})
	write(t, d.path("dovecot-uidlist"), "3 V5 N1\n")
	if err := os.Chmod(d.path("dovecot-uidlist"), 0o664); err != nil {
		t.Fatal(err)
	}
	uid := os.Geteuid()
	if uid == 0 {
		uid = 65534
		if err := os.Chown(d.path("dovecot-uidlist"), uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	deliverTest(t, d, 0, 1)
	commitTest(t, d)
	info, err := os.Lstat(d.path("dovecot-uidlist"))
	if err != nil || info.Mode() != 0o664 || int(info.Sys().(*syscall.Stat_t).Uid) != uid {
		t.Errorf("%v, %v", info, err)
	}
	if got := names(t, d.dir); slices.ContainsFunc(got, func(n string) bool { return strings.Contains(n, "lock") || strings.Contains(n, "mailhaul") }) {
		t.Errorf("left behind: %q", got)
	}
}

// What cannot be put into a list is not delivered: it would have another unique-id for ever.
func TestUidlistRefused(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"broken":    func(path string) error { return os.WriteFile(path, []byte("3 V5 N2\n2 :a\n1 :b\n"), 0o600) },
		"version 1": func(path string) error { return os.WriteFile(path, []byte("1 5 2\n1 a\n"), 0o600) },
		"link":      func(path string) error { return os.Symlink("/etc/passwd", path) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		d := openMaildir(t, t.TempDir(), MaildirOptions{Create: true, UIDL: DovecotUIDL})
		deliverTest(t, d, 0, 2)
		if err := make(d.path("dovecot-uidlist")); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(d.path("dovecot-uidlist"))
		got, err := d.Commit(context.Background())
		wantTargetError(t, err, d.dir, true)
		after, _ := os.ReadFile(d.path("dovecot-uidlist"))
		if len(got) != 0 || len(names(t, d.path("new"))) != 0 || len(names(t, d.path("tmp"))) != 0 || string(after) != string(before) {
			t.Errorf("%s: receipts %v, the list is %q", name, got, after)
		}
		if err := d.Check(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(d.path("dovecot-uidlist.lock")); err == nil {
			t.Errorf("%s: the lock is still there", name)
		}
	}
}

// While Dovecot has its list locked nothing is delivered.
func TestUidlistLocked(t *testing.T) {
	d := openMaildir(t, t.TempDir(), MaildirOptions{Create: true, UIDL: DovecotUIDL, Timeout: 30 * time.Millisecond})
	deliverTest(t, d, 0, 1)
	lock := d.path("dovecot-uidlist.lock")
	write(t, lock, "1:elsewhere") // as Dovecot writes it
	_, err := d.Commit(context.Background())
	var e *Error
	if !errors.As(err, &e) || !e.Temporary || !errors.Is(err, errLocked) || len(names(t, d.path("new"))) != 0 {
		t.Fatal(err)
	}
	// One that nobody has touched for longer than Dovecot itself waits is left behind.
	at := time.Now().Add(-staleUidlistLock - time.Second)
	if err := os.Chtimes(lock, at, at); err != nil {
		t.Fatal(err)
	}
	deliverTest(t, d, 1, 2)
	commitTest(t, d)
}

// A unique-id that cannot be kept does not keep its message from being delivered, and is told of.
func TestUIDLNotKept(t *testing.T) {
	for way, uid := range map[KeepUIDL]string{DovecotUIDL: "a b", HeaderUIDL: "a\x01"} {
		d := openMaildir(t, t.TempDir(), MaildirOptions{Create: true, UIDL: way})
		for n, u := range []string{uid, "fits", ""} {
			m, _ := testMessage(n)
			m.UID = u
			if err := d.Deliver(context.Background(), m); err != nil {
				t.Fatal(err)
			}
		}
		for n, r := range commitTest(t, d) {
			if (r.Warning != "") != (n == 0) {
				t.Errorf("%s: message %d: %q", way, n, r.Warning)
			}
		}
	}
}

// The lock is lost to a program that takes it for one left behind: the records are made sure of.
func TestUidlistLockLost(t *testing.T) {
	d := openMaildir(t, t.TempDir(), MaildirOptions{Create: true, UIDL: DovecotUIDL})
	deliverTest(t, d, 0, 2)
	staged := d.staged
	u, err := d.list(context.Background(), staged)
	if err != nil {
		t.Fatal(err)
	}
	lose := func() {
		t.Helper()
		if err := os.Remove(d.path("dovecot-uidlist.lock")); err != nil {
			t.Fatal(err)
		}
		// Dovecot sees no such files and drops the records; then it sees one, and gives it a UID.
		write(t, d.path("dovecot-uidlist"), "3 V5 N9 Gx\n8 W9 :"+staged[1].final+"\n")
	}
	lose()
	if err := d.unlist(context.Background(), u, staged); err != nil {
		t.Fatal(err)
	}
	want := "3 V5 N10 Gx\n8 Puid1 O2 W9 :" + staged[1].final + "\n9 Puid0 O1 :" + staged[0].final + "\n"
	if got, err := os.ReadFile(d.path("dovecot-uidlist")); err != nil || string(got) != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	// Within add: the list is not replaced without the lock.
	u, err = d.lockUidlist(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	lose()
	if err := u.add(records(staged)); !errors.Is(err, errTakenOver) {
		t.Error(err)
	}
	if u, err = d.addSurely(context.Background(), u, records(staged)); err != nil || u.dot.unlock() != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(d.path("dovecot-uidlist")); string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What HeaderUIDL has done to a message is undone when an interrupted run is looked for.
func TestMaildirFindXUIDL(t *testing.T) {
	const wire = "A: b\r\nx-uidl: other\r\n folded\r\nX-Was-X-UIDL: c\r\n\r\nX-UIDL: body\r\n"
	d := openMaildir(t, t.TempDir(), MaildirOptions{Create: true, UIDL: HeaderUIDL})
	m, _ := testMessage(1)
	m.Body = strings.NewReader(wire)
	if err := d.Deliver(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	got := commitTest(t, d)[0]
	text, err := os.ReadFile(got.Where)
	want := m.Trace + "X-UIDL: uid1\nA: b\nX-Was-x-uidl: other\n folded\nX-Was-X-Was-X-UIDL: c\n\nX-UIDL: body\n"
	if err != nil || string(text) != want {
		t.Errorf("%q, want %q, %v", text, want, err)
	}
	dg := NewDigester()
	dg.Write([]byte(wire))
	if g := dg.Digest(); g.Sum != got.Sum || g.Head != got.Head || g.Size != got.Size {
		t.Error("the receipt is not of the server's message")
	}
	found, err := d.Find(Begin{Nonce: testNonce})
	if err != nil || len(found) != 1 || found[0] != got {
		t.Errorf("found %+v, %v, want %+v", found, err, got)
	}
	for s, err := range d.Stored(func(int64) bool { return false }) {
		if err != nil || s.Sum != got.Sum || s.Head != got.Head || s.ID != m.ID {
			t.Errorf("read back %+v, %v, want %+v", s, err, got)
		}
	}
}
