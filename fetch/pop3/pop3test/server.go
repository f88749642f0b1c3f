package pop3test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
)

// A Server is a POP3 server. All methods may be called at any time from any goroutine.
type Server struct {
	Addr string // host:port of the listener; "" with Config.Memory

	cfg Config
	tls *tls.Config
	ca  authority

	listener net.Listener
	wg       sync.WaitGroup // the accepting goroutine and one per connection

	mu       sync.Mutex
	changed  *sync.Cond // a command was logged, or a session has ended
	closed   bool
	drops    map[string]*maildrop
	serial   int // of the last message that was added
	sessions []*Session
	active   int // sessions that have not ended
	log      []entry
	early    int64
	faults   []*armed
}

// An entry is a line of the log.
type entry struct {
	session int
	command string
}

// NewServer starts a server. The messages belong to the account Config.User. The caller must
// call Close.
func NewServer(cfg Config, msgs ...Message) (*Server, error) {
	if cfg.User == "" {
		cfg.User = "user"
	}
	if cfg.Password == "" {
		cfg.Password = "secret"
	}
	s := &Server{cfg: cfg, drops: make(map[string]*maildrop)}
	s.changed = sync.NewCond(&s.mu)
	var err error
	if s.faults, err = arm(cfg.Faults); err != nil {
		return nil, err
	}
	if cfg.TLS != NoTLS {
		if s.ca, s.tls, err = newAuthority(&cfg); err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
	}
	for name, u := range cfg.Users {
		s.drops[name] = &maildrop{password: u.Password}
		s.AddTo(name, u.Messages...)
	}
	s.drops[cfg.User] = &maildrop{password: cfg.Password}
	s.Add(msgs...)
	if cfg.Memory {
		return s, nil
	}
	s.listener = cfg.Listener
	if s.listener == nil {
		if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
	}
	s.Addr = s.listener.Addr().String()
	s.wg.Go(s.accept)
	return s, nil
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.start(conn)
	}
}

// start serves one connection in a goroutine of its own.
func (s *Server) start(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return
	}
	x := newSession(s, len(s.sessions)+1, conn)
	s.sessions = append(s.sessions, x)
	s.active++
	s.wg.Go(x.serve)
}

// Dial connects to the server in memory. The connection behaves as one of TCP does: writes
// return at once (up to 256 KiB unread), the other side's close is an end of stream.
func (s *Server) Dial() net.Conn {
	client, server := pipe(s.cfg.Latency)
	s.start(server)
	return client
}

// Close ends all connections and returns when all goroutines of the server have.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	if s.listener != nil {
		s.listener.Close()
	}
	for _, x := range s.sessions {
		x.wire.Close()
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	s.wg.Wait()
}

// Wait returns when all sessions have ended that had begun before: their deletions are then
// done or never will be.
func (s *Server) Wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.active > 0 {
		s.changed.Wait()
	}
}

// Await returns when n commands that match pattern (see Fault.On) have been received, in
// whatever session.
func (s *Server) Await(ctx context.Context, pattern string, n int) error {
	if _, err := match(pattern, ""); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for seen, i := 0, 0; ; s.changed.Wait() {
		for ; i < len(s.log); i++ {
			if ok, _ := match(pattern, s.log[i].command); ok {
				seen++
			}
		}
		switch {
		case seen >= n:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case s.closed:
			return errors.New("server closed")
		}
	}
}

// Log returns the lines received, each as it came, behind the number of its session:
// "1 USER user". The lines of an AUTH exchange are among them.
func (s *Server) Log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := make([]string, len(s.log))
	for i, e := range s.log {
		lines[i] = fmt.Sprintf("%d %s", e.session, e.command)
	}
	return lines
}

// Commands returns the lines received in a session, or in all of them if it is 0.
func (s *Server) Commands(session int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, e := range s.log {
		if session == 0 || session == e.session {
			lines = append(lines, e.command)
		}
	}
	return lines
}

// Sessions is the number of sessions so far.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Session returns a session by its number, which counts from 1, or nil.
func (s *Server) Session(num int) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if num < 1 || num > len(s.sessions) {
		return nil
	}
	return s.sessions[num-1]
}

// Octets is how many octets of POP3 have been written, in all sessions.
func (s *Server) Octets() int64 {
	var n int64
	for i := 1; s.Session(i) != nil; i++ {
		n += s.Session(i).Octets()
	}
	return n
}

// Waits is how often the client had to wait for the server, in all sessions: see
// Session.Waits.
func (s *Server) Waits() int {
	n := 0
	for i := 1; s.Session(i) != nil; i++ {
		n += s.Session(i).Waits()
	}
	return n
}

// Early is how many octets were thrown away because they came before the reply to the
// command before (see Config.Early), or in the clear behind STLS.
func (s *Server) Early() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.early
}
