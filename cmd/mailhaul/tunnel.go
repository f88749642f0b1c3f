package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// A tunnel is a command whose standard input and output are the connection to the server. It is a
// net.Conn, by pipes and not by a socket: bash, which ssh may run at the other end, takes a
// socket for the sign of a remote shell daemon.
type tunnel struct {
	name  string
	r, w  *os.File
	cmd   *exec.Cmd
	group bool          // it has a process group of its own
	ended chan struct{} // closed when it has been waited for
	once  sync.Once
	alone bool // it had ended before it was told to, once Close has returned
}

// patience is how long a command may take to end once its input has, and again once it was told to.
const patience = time.Second

// startTunnel starts the command, without a shell. What it complains about goes to stderr.
func startTunnel(argv []string, stderr *os.File) (*tunnel, error) {
	stdin, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	r, stdout, err := os.Pipe()
	if err != nil {
		w.Close()
		return nil, err
	}
	defer stdout.Close()
	t := &tunnel{name: filepath.Base(argv[0]), r: r, w: w, cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{})}
	t.cmd.Stdin, t.cmd.Stdout, t.cmd.Stderr = stdin, stdout, stderr
	// At a terminal it stays in our group: a background group may not ask for a passphrase.
	if t.group = !canAsk(); t.group {
		t.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	if err := t.cmd.Start(); err != nil {
		r.Close()
		w.Close()
		return nil, err
	}
	go func() { // it ends when it likes, and Close waits for it only so long
		_ = t.cmd.Wait()
		close(t.ended)
	}()
	return t, nil
}

func (t *tunnel) Read(p []byte) (int, error)  { return t.r.Read(p) }
func (t *tunnel) Write(p []byte) (int, error) { return t.w.Write(p) }

// Close ends the input of the command, and kills what is left of it and of its children.
func (t *tunnel) Close() error {
	t.once.Do(func() {
		t.r.Close()
		t.w.Close()
		if t.endsWithin(patience) {
			t.alone = true
		} else {
			t.signal(syscall.SIGTERM)
			t.endsWithin(patience)
		}
		t.signal(syscall.SIGKILL)
		<-t.ended
	})
	return nil
}

func (t *tunnel) endsWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-t.ended:
		return true
	case <-timer.C:
		return false
	}
}

func (t *tunnel) signal(s syscall.Signal) {
	if t.group {
		_ = syscall.Kill(-t.cmd.Process.Pid, s)
		return
	}
	_ = t.cmd.Process.Signal(s) // does nothing once it was waited for
}

// explain adds to an error of the session how the command ended, if it did so by itself and not
// well. The tunnel is closed.
func (t *tunnel) explain(err error) error {
	t.Close()
	e := &wayError{Way: fmt.Sprintf("tunnel %q", t.name), Err: err}
	if state := t.cmd.ProcessState; t.alone && !state.Success() && errors.Is(err, io.ErrUnexpectedEOF) {
		e.Err = fmt.Errorf("%w (it ended: %v)", err, state)
	}
	return e
}

func (t *tunnel) SetReadDeadline(d time.Time) error  { return t.r.SetReadDeadline(d) }
func (t *tunnel) SetWriteDeadline(d time.Time) error { return t.w.SetWriteDeadline(d) }

func (t *tunnel) SetDeadline(d time.Time) error {
	return errors.Join(t.r.SetReadDeadline(d), t.w.SetWriteDeadline(d))
}

func (t *tunnel) LocalAddr() net.Addr  { return tunnelAddr(t.name) }
func (t *tunnel) RemoteAddr() net.Addr { return tunnelAddr(t.name) }

// A tunnelAddr is the name of a tunnel's command.
type tunnelAddr string

func (a tunnelAddr) Network() string { return "tunnel" }
func (a tunnelAddr) String() string  { return string(a) }
