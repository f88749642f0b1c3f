package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// An account is what a run needs: a maildrop on a real server, a state file and a maildir.
type account struct {
	t      testing.TB
	srv    *pop3test.Server
	dir    string // holds the state and the maildir
	opts   Options
	mbox   bool                                  // deliver to an mbox instead
	uidl   deliver.KeepUIDL                      // of the maildir or mbox
	caps   pop3.Caps                             // as known before the login
	target func(t deliver.Target) deliver.Target // around the maildir; nil for none
	events []Event                               // of the last run
}

var pipelining = pop3.Caps{"PIPELINING", "TOP", "UIDL"}

// open starts a server with the messages. Runs send ahead unless the test says otherwise.
func open(t testing.TB, cfg pop3test.Config, msgs ...pop3test.Message) *account {
	t.Helper()
	srv, err := pop3test.NewServer(cfg, msgs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return &account{t: t, srv: srv, dir: memory(t), caps: pipelining, opts: Options{Account: "work", Server: "pop.example.com", User: "user", Pipelining: true}}
}

// memory makes a directory where a sync costs nothing, if there is such a place: what is tested is
// the order of things, thousands of times, and not the disk.
func memory(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "fetch")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

var identity = state.Identity{Host: "pop.example.com", User: "user"}

func (a *account) statePath() string { return filepath.Join(a.dir, "work.uidl") }

func (a *account) maildir() string { return filepath.Join(a.dir, "Maildir") }

// login makes a session.
func (a *account) login() (*pop3.Client, error) {
	var conn net.Conn
	if a.srv.Addr == "" {
		conn = a.srv.Dial()
	} else {
		var err error
		if conn, err = net.Dial("tcp", a.srv.Addr); err != nil {
			a.t.Fatal(err)
		}
	}
	c, err := pop3.New(conn, nil)
	if err != nil {
		return nil, err
	}
	if err := c.UserPass("user", "secret"); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// run is one run from the opening of the state to its closing.
func (a *account) run() (Summary, error) { return a.runContext(context.Background()) }

func (a *account) runContext(ctx context.Context) (sum Summary, err error) {
	a.t.Helper()
	st, err := state.Open(a.statePath(), identity)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if len(st.Damage()) > 0 {
		a.t.Errorf("state: %q", st.Damage())
	}
	t := a.open()
	defer func() { err = errors.Join(err, t.Close()) }()
	if a.target != nil {
		t = a.target(t)
	}
	c, err := a.login()
	if err != nil {
		return sum, err
	}
	a.events = nil
	opts := a.opts
	opts.Caps = a.caps
	opts.Events = func(e Event) { a.events = append(a.events, e) }
	return Run(ctx, c, st, t, opts)
}

// open opens the maildir or the mbox.
func (a *account) open() (t deliver.Target) {
	a.t.Helper()
	var err error
	if a.mbox {
		t, err = deliver.NewMbox(a.mboxPath(), deliver.MboxOptions{Create: true, SpoolDir: a.dir, UIDL: a.uidl})
	} else {
		t, err = deliver.NewMaildir(a.maildir(), deliver.MaildirOptions{Create: true, UIDL: a.uidl})
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return t
}

func (a *account) mboxPath() string { return filepath.Join(a.dir, "mbox") }

// clean is a run in which nothing may go wrong.
func (a *account) clean() Summary {
	a.t.Helper()
	sum, err := a.run()
	if err != nil {
		a.t.Fatalf("%v\n%s", err, a.transcript())
	}
	a.srv.Wait()
	return sum
}

// transcript is the end of what the server heard.
func (a *account) transcript() string {
	log := a.srv.Log()
	return strings.Join(log[max(0, len(log)-60):], "\n")
}

// stored returns the messages in the maildir or mbox without their trace field, sorted, and fails
// if tmp/ is not empty. In an mbox no line of a test's message begins with "From ".
func (a *account) stored() []string {
	a.t.Helper()
	if a.mbox {
		var texts []string
		for _, entry := range strings.Split("\n"+read(a.t, a.mboxPath()), "\nFrom ")[1:] {
			_, text, _ := strings.Cut(entry, "\n")
			texts = append(texts, untraced(a.t, []byte(text)))
		}
		if n := len(texts); n > 0 {
			texts[n-1] = strings.TrimSuffix(texts[n-1], "\n") // as the split did with the others
		}
		for i := range texts {
			if a.uidl == deliver.HeaderUIDL {
				texts[i] = a.withoutXUIDL(texts[i])
			}
		}
		slices.Sort(texts)
		return texts
	}
	if left, _ := os.ReadDir(filepath.Join(a.maildir(), "tmp")); len(left) > 0 {
		a.t.Errorf("tmp/ holds %d files: %s", len(left), left[0].Name())
	}
	var texts []string
	for _, sub := range []string{"new", "cur"} {
		files, _ := os.ReadDir(filepath.Join(a.maildir(), sub))
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(a.maildir(), sub, f.Name()))
			if err != nil {
				a.t.Fatal(err)
			}
			text = []byte(untraced(a.t, text))
			if a.uidl == deliver.HeaderUIDL {
				text = []byte(a.withoutXUIDL(string(text)))
			}
			texts = append(texts, string(text))
		}
	}
	slices.Sort(texts)
	return texts
}

// withoutXUIDL takes the field for the unique-id off, and gives the message's own back its name.
func (a *account) withoutXUIDL(text string) string {
	field, rest, _ := strings.Cut(text, "\n")
	if !strings.HasPrefix(field, "X-UIDL: uid-") {
		a.t.Errorf("no unique-id: %.80q", text)
	}
	return strings.Replace(rest, "\nX-Was-X-UIDL:", "\nX-UIDL:", 1)
}

// wantListed fails if not each file of the maildir is in dovecot-uidlist once, with the unique-id of
// the message that it is.
func (a *account) wantListed() {
	a.t.Helper()
	list := read(a.t, filepath.Join(a.maildir(), "dovecot-uidlist"))
	files, _ := os.ReadDir(filepath.Join(a.maildir(), "new"))
	for _, f := range files {
		record := regexp.MustCompile(`(?m)^\d+ P(\S+) O\d+ :` + regexp.QuoteMeta(f.Name()) + "$")
		found := record.FindAllStringSubmatch(list, -1)
		text := read(a.t, filepath.Join(a.maildir(), "new", f.Name()))
		if len(found) != 1 || !strings.Contains(text, "\nSubject: "+found[0][1]+"\n") {
			a.t.Errorf("%s has the records %q in\n%s", f.Name(), found, list)
		}
	}
}

// untraced takes the trace field off.
func untraced(t testing.TB, text []byte) string {
	if !bytes.HasPrefix(text, []byte("Received: from pop.example.com by ")) {
		t.Errorf("no trace field: %.80q", text)
		return string(text)
	}
	for {
		_, rest, _ := bytes.Cut(text, []byte("\n"))
		if text = rest; !bytes.HasPrefix(text, []byte("\t")) {
			return string(text)
		}
	}
}

// want fails if the maildir does not hold exactly these messages.
func (a *account) want(msgs ...pop3test.Message) {
	a.t.Helper()
	var want []string
	for _, m := range msgs {
		want = append(want, stored(m))
	}
	slices.Sort(want)
	got := a.stored()
	if slices.Equal(got, want) {
		return
	}
	count := map[string]int{}
	for _, s := range want {
		count[s]++
	}
	for _, s := range got {
		count[s]--
	}
	for _, s := range slices.Sorted(maps.Keys(count)) {
		if n := count[s]; n != 0 {
			a.t.Errorf("%d too few of %.40q", n, s)
		}
	}
	a.t.Errorf("%d messages are stored, want %d\n%s", len(got), len(want), a.transcript())
}

// stored is a message in its stored form.
func stored(m pop3test.Message) string {
	s := strings.ReplaceAll(m.Text, "\r\n", "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s
}

// wantEmpty fails if the server has messages left.
func (a *account) wantEmpty() {
	a.t.Helper()
	if left := a.srv.UIDs(); len(left) > 0 {
		a.t.Errorf("left on the server: %q\n%s", left, a.transcript())
	}
}

// wantLeft fails if the server has not exactly these messages.
func (a *account) wantLeft(uids ...string) {
	a.t.Helper()
	if left := a.srv.UIDs(); !slices.Equal(left, uids) {
		a.t.Errorf("left on the server: %q, want %q\n%s", left, uids, a.transcript())
	}
}

// wantRecorded fails if a recorded unique-id has not the hash of its own message.
func (a *account) wantRecorded(msgs ...pop3test.Message) {
	a.t.Helper()
	for _, m := range msgs {
		for _, e := range a.entries(m.UID) {
			if e.Status != state.Failed && e.Body != bodyOf(m) {
				a.t.Errorf("%s is recorded with another message's hash", m.UID)
			}
		}
	}
}

func bodyOf(m pop3test.Message) string {
	d := deliver.NewDigester()
	d.Write([]byte(m.Text))
	return hexSum(d.Digest().Sum)
}

func headOf(m pop3test.Message) string {
	d := deliver.NewDigester()
	d.Write([]byte(m.Text))
	return hexSum(d.Digest().Head)
}

// entries returns what the state knows of a unique-id.
func (a *account) entries(uid string) []state.Entry {
	a.t.Helper()
	st, err := state.Read(a.statePath())
	if err != nil {
		a.t.Fatal(err)
	}
	return st.Lookup(uid)
}

// record writes entries into the state, as an earlier run would have.
func (a *account) record(es ...state.Entry) {
	a.t.Helper()
	st, err := state.Open(a.statePath(), identity)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := errors.Join(st.Record("", "", es...), st.Close()); err != nil {
		a.t.Fatal(err)
	}
}

// delivered is the entry of a message that an earlier run has delivered.
func delivered(m pop3test.Message, at time.Time) state.Entry {
	return state.Entry{UID: m.UID, Status: state.Delivered, Time: at, Size: int64(len(m.Text)), Head: headOf(m), Body: bodyOf(m)}
}

// reasons are the reasons of the events of a type, those that are warnings left out.
func (a *account) reasons(typ EventType) []string {
	var reasons []string
	for _, e := range a.events {
		if e.Type == typ && !e.Warning {
			reasons = append(reasons, e.Reason)
		}
	}
	return reasons
}

// commands are what the server was sent in a session, without the login.
func (a *account) commands(session int) []string {
	return slices.DeleteFunc(a.srv.Commands(session), func(c string) bool {
		return strings.HasPrefix(c, "USER ") || strings.HasPrefix(c, "PASS ")
	})
}

// mail makes a message whose text and size are its own.
func mail(uid string, octets int) pop3test.Message {
	var b strings.Builder
	fmt.Fprintf(&b, "Subject: %s\r\nMessage-ID: <%[1]s@example.org>\r\n\r\n", uid)
	for i := 0; b.Len() < octets-80; i++ {
		fmt.Fprintf(&b, "line %d of %s\r\n.\r\n", i, uid)
	}
	b.WriteString(strings.Repeat("-", max(0, octets-b.Len()-2)) + "\r\n")
	return pop3test.Message{UID: uid, Text: b.String()}
}

// mails makes n messages of different sizes.
func mails(n, octets int) []pop3test.Message {
	var msgs []pop3test.Message
	for i := range n {
		msgs = append(msgs, mail(fmt.Sprintf("uid-%d", i+1), octets+i*17))
	}
	return msgs
}

// read returns the content of a file, "" if there is none.
func read(t testing.TB, path string) string {
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(content)
}

// timeOf is a time of an entry, one second behind the one before.
func timeOf(i int) time.Time { return time.Unix(1_750_000_000+int64(i), 0) }
