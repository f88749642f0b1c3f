package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
)

// A moment is all that is on disk at one moment of a run: what a kill would leave.
type moment struct {
	when   string
	dir    string
	staged []string // of a Commit to a maildir: files that it has moved
	before string   // of a Commit to an mbox: what was there
}

// A film is the moments of a run, seen by the target and by the server.
type film struct {
	mu      sync.Mutex
	moments []*moment
}

// A camera is around a target, and copies the disk at each of its steps.
type camera struct {
	deliver.Target
	a    *account
	film *film
}

func (c *camera) Deliver(ctx context.Context, m *deliver.Message) error {
	body := m.Body
	half := *m
	half.Body = readerFunc(func(p []byte) (int, error) {
		n, err := body.Read(p[:min(len(p), 100)])
		if n > 0 && strings.HasSuffix(m.UID, "-2") {
			c.look("in the midst of Deliver")
		}
		return n, err
	})
	err := c.Target.Deliver(ctx, &half)
	if strings.HasSuffix(m.UID, "-1") || strings.HasSuffix(m.UID, "-3") {
		c.look("behind Deliver of " + m.UID)
	}
	return err
}

func (c *camera) Commit(ctx context.Context) ([]deliver.Receipt, error) {
	c.look("in front of Commit")
	staged, _ := filepath.Glob(filepath.Join(c.a.maildir(), "tmp", "*"))
	before := read(c.a.t, c.a.mboxPath())
	got, err := c.Target.Commit(ctx)
	if len(got) > 0 {
		m := c.look("behind Commit, in front of Record")
		m.staged, m.before = staged, before
	}
	return got, err
}

func (c *camera) Drop(n int) {
	c.Target.Drop(n)
	c.look("behind Drop")
}

func (c *camera) look(when string) *moment {
	c.film.mu.Lock()
	defer c.film.mu.Unlock()
	m := &moment{when: when, dir: copied(c.a.t, c.a.dir)}
	c.film.moments = append(c.film.moments, m)
	return m
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A finderCamera is around a Finder.
type finderCamera struct {
	camera
	deliver.Finder
}

func (c *finderCamera) Deliver(ctx context.Context, m *deliver.Message) error {
	return c.camera.Deliver(ctx, m)
}
func (c *finderCamera) Commit(ctx context.Context) ([]deliver.Receipt, error) {
	return c.camera.Commit(ctx)
}
func (c *finderCamera) Drop(n int)   { c.camera.Drop(n) }
func (c *finderCamera) Close() error { return c.camera.Close() }

func (c *finderCamera) Find(b deliver.Begin) ([]deliver.Receipt, error) {
	got, err := c.Finder.Find(b)
	c.look("behind Find, in front of Record")
	return got, err
}

// restore makes dir hold what from holds. Files stay the same files: a target may know them by
// their inode.
func restore(t testing.TB, dir, from string) string {
	walk := func(root string, do func(path string) error) {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			path, _ = filepath.Rel(root, path)
			return do(path)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	walk(dir, func(path string) error {
		if _, err := os.Stat(filepath.Join(from, path)); err != nil {
			return os.Remove(filepath.Join(dir, path))
		}
		return nil
	})
	walk(from, func(path string) error {
		to := filepath.Join(dir, path)
		return errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, []byte(read(t, filepath.Join(from, path))), 0o600))
	})
	return dir
}

// copied copies a directory.
func copied(t testing.TB, dir string) string {
	to := memory(t)
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestKilled kills a run at every step (see the package comment), and the run behind it again at
// every one of its steps. The third must end with each message once.
func TestKilled(t *testing.T) {
	t.Run("maildir", func(t *testing.T) { testKilled(t, false) })
	t.Run("mbox", func(t *testing.T) { testKilled(t, true) })
}

func testKilled(t *testing.T, mbox bool) {
	msgs := mails(5, 300)
	msgs[3].UID = msgs[1].UID // and not the same text
	twin := msgs[4]
	msgs = append(msgs, twin)
	known := msgs[:2] // recorded before, as "delivered"; the server has them still
	photograph := func(dir string, listed []pop3test.Message) []*moment {
		var cam *camera
		var quits atomic.Int32
		var film film
		a := open(t, pop3test.Config{Reply: func(s *pop3test.Session, command string) (string, bool) {
			switch command {
			case "TOP 1 0", "DELE 1", "QUIT":
				cam.look("in front of " + command)
			}
			if command == "QUIT" {
				quits.Add(1)
				return "", true // lost
			}
			return "", false
		}}, listed...)
		a.dir, a.mbox = dir, mbox
		a.target = func(t deliver.Target) deliver.Target {
			cam = &camera{Target: t, a: a, film: &film}
			return &finderCamera{*cam, t.(deliver.Finder)}
		}
		a.run()
		if quits.Load() == 0 {
			t.Fatalf("the run came to no end:\n%s", a.transcript())
		}
		a.srv.Wait()
		return film.moments
	}
	start := memory(t)
	first := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "QUIT", Do: pop3test.Cut, Skip: true}}}, known...)
	first.dir, first.mbox = start, mbox
	first.run()
	work := copied(t, start)
	finish := func(when string, m *moment) {
		a := open(t, pop3test.Config{}, msgs...)
		a.dir, a.mbox = restore(t, work, m.dir), mbox
		a.clean()
		a.want(msgs...)
		a.wantEmpty()
		if t.Failed() {
			t.Fatalf("killed %s %s", when, m.when)
		}
	}
	once := photograph(work, msgs)
	kinds := map[string]int{}
	for i := range once {
		kinds[once[i].when]++
		for _, m := range variants(t, once[i]) {
			twice := photograph(restore(t, work, m.dir), msgs)
			for j := range twice {
				for _, m2 := range variants(t, twice[j]) {
					kinds[m2.when]++
					finish(m.when+", then", m2)
				}
			}
			finish("", m)
		}
	}
	for _, when := range []string{"in the midst of Deliver", "in front of Commit", "behind Commit, in front of Record", "behind Find, in front of Record", "in front of QUIT"} {
		if kinds[when] == 0 {
			t.Errorf("never killed %s: %v", when, kinds)
		}
	}
}

// variants are a moment and what else the disk may hold at it: a part of what a Commit moves, and a
// state whose last writes were not synced.
func variants(t testing.TB, m *moment) []*moment {
	all := []*moment{m}
	if len(m.staged) > 0 {
		part := copied(t, m.dir)
		for _, f := range m.staged[len(m.staged)/2:] {
			name := filepath.Base(f)
			if err := os.Rename(filepath.Join(part, "Maildir", "new", name), filepath.Join(part, "Maildir", "tmp", name)); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, &moment{when: "within Commit", dir: part})
	}
	if after := read(t, filepath.Join(m.dir, "mbox")); m.staged == nil && strings.HasPrefix(m.when, "behind Commit") {
		for i := range 6 { // the append is torn, or holds zeros
			part := copied(t, m.dir)
			torn := after[:len(m.before)+(len(after)-len(m.before))*i/6]
			if i == 5 {
				torn += strings.Repeat("\x00", len(after)-len(torn))
			}
			if err := os.WriteFile(filepath.Join(part, "mbox"), []byte(torn), 0o600); err != nil {
				t.Fatal(err)
			}
			all = append(all, &moment{when: "within Commit", dir: part})
		}
	}
	state := read(t, filepath.Join(m.dir, "work.uidl"))
	if end := strings.LastIndex(state, "\nended="); end > strings.LastIndex(state, "\nbegin=") {
		lost := copied(t, m.dir)
		state = state[:end+1]
		if err := os.WriteFile(filepath.Join(lost, "work.uidl"), []byte(state), 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, &moment{when: m.when + ", End not synced", dir: lost})
	}
	return all
}

// A post is a target that cannot be asked: each Commit gives one message to a receiver, which here
// appends to a directory.
type post struct {
	dir     string
	staged  []letter
	fail    func(uid string) error // nil for none
	commit  func(uid string)       // called when the receiver has its message
	inDoubt []string
}

type letter struct {
	m    deliver.Message
	text []byte
}

func (p *post) Deliver(ctx context.Context, m *deliver.Message) error {
	var text bytes.Buffer
	if _, err := text.ReadFrom(m.Body); err != nil {
		return &deliver.Error{Target: "post", Err: err, Message: true}
	}
	p.staged = append(p.staged, letter{*m, text.Bytes()})
	return nil
}

func (p *post) Drop(n int) { p.staged = p.staged[:len(p.staged)-n] }

func (p *post) Commit(ctx context.Context) ([]deliver.Receipt, error) {
	if len(p.staged) == 0 {
		return nil, nil
	}
	l := p.staged[0]
	p.staged = p.staged[1:]
	if p.fail != nil {
		if err := p.fail(l.m.UID); err != nil {
			if de, ok := err.(*deliver.Error); ok && !de.Message {
				p.staged = nil
			}
			return nil, err
		}
	}
	if l.m.InDoubt {
		p.inDoubt = append(p.inDoubt, l.m.UID)
	}
	for n := 0; ; n++ { // a receiver takes what it is given, twice if need be
		f, err := os.OpenFile(filepath.Join(p.dir, fmt.Sprintf("%s.%d", l.m.UID, n)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if os.IsExist(err) {
			continue
		}
		f.Write(l.text)
		f.Close()
		break
	}
	d := deliver.NewDigester()
	d.Write(l.text)
	digest := d.Digest()
	if p.commit != nil {
		p.commit(l.m.UID)
	}
	return []deliver.Receipt{{ID: l.m.ID, Where: "post", Size: digest.Size, Head: digest.Head, Sum: digest.Sum}}, nil
}

func (p *post) Close() error { p.staged = nil; return nil }

// taken tells how often the receiver was given each message.
func (p *post) taken(msgs []pop3test.Message) (counts []int) {
	for _, m := range msgs {
		files, _ := filepath.Glob(filepath.Join(p.dir, m.UID+".*"))
		for _, f := range files {
			if text, _ := os.ReadFile(f); string(text) != m.Text {
				return nil
			}
		}
		counts = append(counts, len(files))
	}
	return counts
}

// mailTo lets runs deliver to a post in the account's directory.
func (a *account) mailTo(p *post) {
	p.dir = filepath.Join(a.dir, "post")
	os.Mkdir(p.dir, 0o700)
	a.target = func(deliver.Target) deliver.Target { return p }
}

// TestKilledCommand kills a run that delivers to a receiver which cannot be asked. No message may be
// missing, at most one come twice, and that one must be told of.
func TestKilledCommand(t *testing.T) {
	msgs := mails(5, 300)
	var first film
	a := open(t, pop3test.Config{}, msgs...)
	p := &post{}
	a.mailTo(p)
	var cam *camera
	p.commit = func(uid string) {
		cam.look("the receiver has " + uid)
	}
	a.target = func(deliver.Target) deliver.Target {
		cam = &camera{Target: p, a: a, film: &first}
		return cam
	}
	a.clean()
	if len(first.moments) < 15 {
		t.Fatalf("%d moments", len(first.moments))
	}
	doubts := 0
	for _, m := range first.moments {
		// New mail in front of what is in doubt, and a run that is killed before it gets there.
		for _, listed := range [][]pop3test.Message{msgs, append([]pop3test.Message{mail("new", 200)}, msgs...)} {
			again := open(t, pop3test.Config{}, listed...)
			again.dir = copied(t, m.dir)
			killed := &post{}
			again.mailTo(killed)
			var second film
			again.target = func(deliver.Target) deliver.Target {
				return &camera{Target: killed, a: again, film: &second}
			}
			again.srv.Inject(pop3test.Fault{On: "RETR *", Nth: 1, Do: pop3test.Cut})
			again.run() // breaks, and records that
			dirs := []string{again.dir}
			for _, m := range second.moments[:min(len(second.moments), 2)] {
				dirs = append(dirs, m.dir)
			}
			for _, dir := range dirs {
				last := open(t, pop3test.Config{}, listed...)
				last.dir = dir
				p := &post{}
				last.mailTo(p)
				last.clean()
				last.wantEmpty()
				counts := p.taken(listed)
				twice := ""
				for i, n := range counts {
					switch {
					case n == 1:
					case n == 2 && twice == "":
						twice = listed[i].UID
						if !slices.Contains(p.inDoubt, twice) {
							t.Errorf("killed when %s: %s came twice and was not told of as in doubt", m.when, twice)
						}
					default:
						t.Errorf("killed when %s: given %v", m.when, counts)
					}
				}
				if len(counts) == 0 || len(p.inDoubt) > 1 {
					t.Errorf("killed when %s: given %v, in doubt %q", m.when, counts, p.inDoubt)
				}
				var told []string
				for _, e := range last.events {
					if e.InDoubt {
						told = append(told, e.UID)
					}
				}
				if !slices.Equal(told, p.inDoubt) {
					t.Errorf("killed when %s: told %q of %q", m.when, told, p.inDoubt)
				}
				if twice != "" {
					doubts++
				}
			}
		}
	}
	if doubts == 0 {
		t.Error("nothing ever came twice: not killed where it matters")
	}
}
