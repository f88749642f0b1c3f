package deliver

import (
	"os/exec"
	"sync"
	"syscall"
)

// Groups are the process groups of the commands that run now, for a program that is about to die: they are
// no part of its own group, and would outlive it. Its methods may be called at the same time. nil is
// nobody's.
type Groups struct {
	mu      sync.Mutex
	running map[*exec.Cmd]bool
}

// End asks all of them to end. The caller must end the program next: until then no command is started, and
// none is heard of any more, so that its death is not taken for an answer.
func (g *Groups) End() {
	g.mu.Lock() // and never unlocked
	for cmd := range g.running {
		// Not SIGKILL: it may hold a lock, and lose its mail with it.
		_ = signalGroup(cmd.Process, syscall.SIGTERM)
	}
}

// start starts cmd.
func (g *Groups) start(cmd *exec.Cmd) error {
	if g == nil {
		return cmd.Start()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	if g.running == nil {
		g.running = map[*exec.Cmd]bool{}
	}
	g.running[cmd] = true
	return nil
}

// wait waits for cmd to end.
func (g *Groups) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	if g != nil {
		g.mu.Lock()
		delete(g.running, cmd)
		g.mu.Unlock()
	}
	return err
}
