package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// connect makes the session ready: logged in, and the folder there.
func (m *IMAP) connect(ctx context.Context) error {
	m.drop()
	conn, p, err := m.o.dial(ctx)
	if err != nil {
		return m.failed(err, false)
	}
	m.conn = newWatched(conn, p)
	if err := m.during(ctx, func() error { return m.open(ctx) }); err != nil {
		m.conn.Close()
		return m.failed(err, false)
	}
	return nil
}

// open begins TLS where that is a command, logs in and looks at the folder.
func (m *IMAP) open(ctx context.Context) (err error) {
	o := &imapclient.Options{TLSConfig: m.o.TLS, UnilateralDataHandler: &imapclient.UnilateralDataHandler{Fetch: m.conn.unasked}}
	if m.o.TLS != nil && m.o.StartTLS {
		if m.c, err = imapclient.NewStartTLS(m.conn, o); err != nil {
			m.c = nil
			var reply *imap.Error
			if errors.As(err, &reply) {
				err = &noTLSError{fmt.Errorf("STARTTLS was refused: %w", err)}
			}
			return err
		}
	} else {
		m.c = imapclient.New(m.conn, o)
	}
	m.conn.touch() // with m.c in place: see during
	if err := m.c.WaitGreeting(); err != nil {
		var reply *imap.Error
		if errors.As(err, &reply) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	}
	caps := m.c.Caps()
	mechanism, err := m.o.Login(ctx, func(name string) bool { return caps.Has(imap.AuthCap(name)) })
	if err != nil {
		return err
	}
	if err := m.c.Authenticate(mechanism); err != nil {
		var reply *imap.Error
		if errors.As(err, &reply) && reply.Code != imap.ResponseCodeUnavailable {
			err = fmt.Errorf("%w: %w", ErrLogin, err)
		}
		return err
	}
	return m.folder()
}

// folder learns which folder it is, and makes it if it is missing and may be made.
func (m *IMAP) folder() error {
	status := func() (*imap.StatusData, error) {
		return m.c.Status(m.o.Folder, &imap.StatusOptions{UIDNext: true, UIDValidity: true}).Wait()
	}
	got, err := status()
	var reply *imap.Error
	if errors.As(err, &reply) && reply.Type == imap.StatusResponseTypeNo && reply.Code != imap.ResponseCodeUnavailable {
		if !m.o.Create {
			return fmt.Errorf("%w: %w", ErrCreate, err)
		}
		if err := m.c.Create(m.o.Folder, nil).Wait(); err != nil {
			return fmt.Errorf("%w: %w", ErrCreate, err)
		}
		_ = m.c.Subscribe(m.o.Folder).Wait() // so that mail programs show it; the messages are there all the same
		got, err = status()
	}
	if err != nil {
		return err
	}
	if m.validity != got.UIDValidity || m.next == 0 {
		m.validity, m.next = got.UIDValidity, got.UIDNext
	}
	return nil
}

// maxSilence is how long a session may have been silent that is taken for one without being asked. Servers end
// it after half an hour (RFC 3501, section 5.4), address translators forget it earlier.
const maxSilence = time.Minute

// awake tells whether there is a session still: the messages may have taken their time to come.
func (m *IMAP) awake(ctx context.Context) bool {
	if m.c == nil {
		return false
	}
	select {
	case <-m.c.Closed():
		return false
	default:
	}
	return m.conn.idle() < maxSilence || m.during(ctx, func() error { return m.c.Noop().Wait() }) == nil
}

// during does a step, with an end to the silence of the server and to the step if ctx ends. A step that
// goes on for as long again after the connection was closed is left to itself, and the client with it: a
// parenthesis in a list of capabilities makes the library go round in circles, and nothing but the end of
// the process ends that.
func (m *IMAP) during(ctx context.Context, step func() error) error {
	conn := m.conn
	stop := conn.watch(m.o.timeout())
	defer stop()
	after := context.AfterFunc(ctx, func() { conn.Close() })
	defer after()
	result := make(chan error, 1)
	go func() { result <- step() }() // so that it can be left
	var err error
	select {
	case err = <-result:
	case <-conn.gone:
		select {
		case err = <-result:
		case <-time.After(m.o.timeout()):
			conn.stuck = true
			err = io.ErrUnexpectedEOF
		}
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case conn.late.Load():
		return fmt.Errorf("no answer within %v: %w", m.o.timeout(), os.ErrDeadlineExceeded)
	case conn.p.endless(): // the library does not always pass it on
		return errEndless
	case errors.Is(err, net.ErrClosed):
		return io.ErrUnexpectedEOF
	}
	return err
}

// A watched connection is closed when nothing comes or goes for too long while it is watched. The
// library waits for the reply to a command for ever, and lets no text take longer than five minutes, however
// large it is: its own deadlines are not heeded.
type watched struct {
	net.Conn
	p    *patient     // the same, below TLS
	last atomic.Int64 // Unix nanoseconds
	late atomic.Bool  // it was closed for its silence

	once  sync.Once
	gone  chan struct{} // closed when it is
	stuck bool          // a step did not end with it
}

func newWatched(conn net.Conn, p *patient) *watched {
	return &watched{Conn: conn, p: p, gone: make(chan struct{})}
}

// A heeded text is read from a watched connection by this program itself: it may be of any length. If it is
// cut off, the session has ended, and nothing more may be asked of what it came from: to read it to its end the
// library's Next and Close would read on, beside the library itself.
type heeded struct {
	text imap.LiteralReader
	w    *watched
	left int64
}

var errCutOff = fmt.Errorf("the session ended within a message: %w", io.ErrUnexpectedEOF)

func (w *watched) heeded(text imap.LiteralReader) *heeded { return &heeded{text, w, text.Size()} }

func (h *heeded) Read(p []byte) (int, error) {
	h.w.p.heard()
	n, err := h.text.Read(p)
	h.left -= int64(n)
	if err == io.EOF && h.left > 0 {
		err = errCutOff
	}
	return n, err
}

// unasked reads a message whose UID is none of those that were asked for. The folder's last one comes so, of
// any length, where nothing stands behind what is known (RFC 3501, section 9, seq-range).
func (w *watched) unasked(msg *imapclient.FetchMessageData) {
	for item := msg.Next(); item != nil; item = msg.Next() {
		if text, ok := item.(imapclient.FetchItemDataBodySection); ok && text.Literal != nil {
			if _, err := io.Copy(io.Discard, w.heeded(text.Literal)); err != nil {
				return
			}
		}
	}
}

// touch says that something has happened.
func (w *watched) touch() { w.last.Store(time.Now().UnixNano()) }

func (w *watched) SetDeadline(time.Time) error      { return nil }
func (w *watched) SetReadDeadline(time.Time) error  { return nil }
func (w *watched) SetWriteDeadline(time.Time) error { return nil }

// idle is for how long nothing has happened.
func (w *watched) idle() time.Duration { return time.Since(time.Unix(0, w.last.Load())) }

func (w *watched) Close() error {
	defer w.once.Do(func() { close(w.gone) })
	return w.Conn.Close()
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.touch()
	return n, err
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.touch()
	return n, err
}

// watch begins to watch, until stop is called.
func (w *watched) watch(timeout time.Duration) (stop func()) {
	w.touch()
	done := make(chan struct{})
	go func() { // everything else waits for the server
		t := time.NewTimer(timeout)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
			}
			idle := w.idle()
			if idle >= timeout {
				w.late.Store(true)
				w.Close()
				return
			}
			t.Reset(timeout - idle)
		}
	}()
	return func() { close(done) }
}
