package deliver

import (
	"errors"
	"os"
	"sync"
)

const (
	// syncWorkers is how many files are synced, and open, at once. File systems let those share
	// one commit of their journal that wait for it together; beyond this more gain nothing.
	syncWorkers = 16
	// syncFew is up to how many files are synced one by one where syncfs could do it: that one
	// writes out what all other programs have written, too.
	syncFew = 8
)

// A syncer makes the files of one batch durable: each by fsync, or many together by syncfs (on
// a local disk less than half the time of 1000 fsyncs at their best). The kernel tells of a failed
// write only through descriptors that were open when it failed, so each file is synced through
// that by which it was written, and syncfs goes through one that was opened before the first file
// of the batch was.
type syncer struct {
	fs   *os.File   // for syncfs; nil where that is not sure to tell of errors
	few  []*os.File // with fs: the files of a batch that is small so far
	many bool       // with fs: there were more, and they are closed

	// Without fs, each file is synced in the background at once, while the next message comes
	// over the network. A place in slots is taken by each such goroutine.
	slots chan struct{}
	wg    sync.WaitGroup
	mu    sync.Mutex
	err   error // the first of a background sync or close
}

// begin starts a batch of files in dir. Without it each file is synced by itself.
func (s *syncer) begin(dir string) error {
	if s.fs != nil {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	if !syncfsIsSure(f) {
		return f.Close()
	}
	s.fs = f
	return nil
}

// add takes over a file that is written. An error is of this file alone.
func (s *syncer) add(f *os.File) error {
	switch {
	case s.fs == nil:
		s.background(f)
	case s.many:
		return f.Close()
	case len(s.few) < syncFew:
		s.few = append(s.few, f)
	default:
		s.many = true
		err := f.Close()
		for _, f := range s.few {
			if cerr := f.Close(); cerr != nil {
				s.fail(cerr) // of another file: the batch's
			}
		}
		s.few = nil
		return err
	}
	return nil
}

func (s *syncer) background(f *os.File) {
	if s.slots == nil {
		s.slots = make(chan struct{}, syncWorkers)
	}
	s.slots <- struct{}{}
	s.wg.Go(func() {
		s.fail(errors.Join(f.Sync(), f.Close()))
		<-s.slots
	})
}

func (s *syncer) fail(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// wait ends the batch. If it returns nil, all files of it are durable.
func (s *syncer) wait() error {
	if s.many {
		s.fail(syncfs(s.fs))
	}
	for _, f := range s.few {
		s.background(f)
	}
	return s.end()
}

// abandon ends the batch without syncing what is not synced yet.
func (s *syncer) abandon() {
	for _, f := range s.few {
		f.Close()
	}
	s.end()
}

func (s *syncer) end() error {
	s.wg.Wait()
	err := s.err
	if s.fs != nil {
		s.fs.Close()
	}
	s.fs, s.few, s.many, s.err = nil, nil, false, nil
	return err
}
