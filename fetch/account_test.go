package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
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
