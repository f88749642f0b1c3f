package pop3

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Silence ends after the time-out, and each octet puts it off.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		go func() {
			server.Write([]byte("+OK\r\n"))
			server.Read(make([]byte, 100))
			for _, b := range []byte("+OK\r\na\r\n") {
				time.Sleep(9 * time.Second)
				server.Write([]byte{b})
			}
		}()
		c, err := New(client, &Options{Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		begin := time.Now()
		b, err := c.Retr(1).Body()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(b)
		if string(text) != "a\r\n" || !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ErrInterrupted) {
			t.Errorf("%q, %v", text, err)
		}
		if want := "time-out: the server was silent for 10s while it owed the text of RETR"; err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		if took := time.Since(begin); took != 82*time.Second {
			t.Errorf("took %v", took)
		}
		if err := c.Quit().Wait(); err != c.Err() || err == nil {
			t.Errorf("then %v", err)
		}
	})
}

// A server that does not read is silent, too. What it has said is still heard.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		go server.Write([]byte("+OK\r\n"))
		c, err := New(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		begin := time.Now()
		err = c.Noop().Wait()
		if !errors.Is(err, os.ErrDeadlineExceeded) || c.Err() == nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != defaultTimeout+reasonWait {
			t.Errorf("took %v", took)
		}
		if !strings.Contains(err.Error(), "1m0s") || !strings.Contains(err.Error(), "NOOP") {
			t.Error(err)
		}
	})
}

// Interrupt reaches a read in progress, bounds a drip that no silence would end, and does not
// lengthen anything.
func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		done := make(chan bool)
		go func() {
			defer close(done)
			server.Write([]byte("+OK\r\n"))
			server.Read(make([]byte, 100))
			server.Write([]byte("+OK\r\n"))
			for {
				time.Sleep(time.Second)
				if _, err := server.Write([]byte("x")); err != nil {
					return
				}
			}
		}()
		c, err := New(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Retr(1).Body()
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		time.AfterFunc(10*time.Second+time.Millisecond, func() { c.Interrupt(5 * time.Second); c.Interrupt(time.Hour) })
		text, err := io.ReadAll(b)
		if len(text) != 15 || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, ErrInterrupted) {
			t.Errorf("%q, %v", text, err)
		}
		if took := time.Since(begin); took != 15*time.Second+time.Millisecond {
			t.Errorf("took %v", took)
		}
		c.Close()
		<-done
	})
}

func TestInterruptSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		go func() {
			server.Write([]byte("+OK\r\n"))
			io.Copy(io.Discard, server)
		}()
		c, err := New(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		time.AfterFunc(time.Second, func() { c.Interrupt(time.Second) })
		if err := c.Noop().Wait(); !errors.Is(err, ErrInterrupted) || time.Since(begin) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		c.Close()
	})
}

func TestInterruptAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		go server.Write([]byte("+OK\r\n"))
		c, err := New(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Interrupt(0)
		if err := c.Noop().Wait(); !errors.Is(err, ErrInterrupted) {
			t.Error(err)
		}
	})
}

// port is a connection that says which port it goes to.
type port struct {
	net.Conn
	n int
}

func (p port) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: p.n} }

func TestTimeoutHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			port int
			hint bool
		}{{995, true}, {110, false}} {
			client, server := net.Pipe()
			_, err := New(port{client, tt.port}, nil)
			if !errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(err.Error(), "port 995 usually wants TLS") != tt.hint {
				t.Errorf("port %d: %v", tt.port, err)
			}
			server.Close()
		}
		client, server := net.Pipe()
		defer server.Close()
		go server.Write([]byte("+"))
		if _, err := New(port{client, 995}, nil); !errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(err.Error(), "TLS") {
			t.Errorf("not from the beginning: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		go func() {
			server.Write([]byte("+OK\n"))
			server.Read(make([]byte, 100))
			server.Write([]byte("+OK\nTOP\n.\n"))
		}()
		c, err := New(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Capa().Wait(); !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "bare LF") {
			t.Error(err)
		}
	})
}
