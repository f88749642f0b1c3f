package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// findPasses bounds how often a maildir is read that others change all the time. What is not found
// then is delivered again: rather a copy too many.
const findPasses = 20

// maxTraceField is within which length of a stored message its trace field ends: a few names.
const maxTraceField = 8 << 10

// Hint returns "": a maildir is found by its names.
func (d *Maildir) Hint() (string, error) { return "", nil }

// Find returns a receipt for each message of the run with begin.Nonce that is in new/ or cur/,
// and makes it durable there. What that run left in tmp/ is removed. In a maildir that is still
// to be made, nothing is found.
func (d *Maildir) Find(begin Begin) ([]Receipt, error) {
	if len(begin.Nonce) != nonceLen || !isHex([]byte(begin.Nonce)) {
		return nil, d.failed(fmt.Errorf("%q is no nonce", begin.Nonce))
	}
	if err := d.look(); err != nil {
		return nil, d.failed(err)
	}
	receipts, err := d.find(begin)
	if err != nil {
		return nil, d.failed(err)
	}
	return receipts, nil
}

func (d *Maildir) find(begin Begin) ([]Receipt, error) {
	nonce := begin.Nonce
	found := make(map[string]Receipt)
	var s syncer
	defer s.abandon()
	var before *scan
	for pass := 0; pass < findPasses; pass++ {
		now, err := d.scan(nonce)
		if err != nil {
			return nil, err
		}
		moved := false
		for id, path := range now.paths {
			if _, ok := found[id]; ok {
				continue
			}
			g, err := readStored(path, id, d.uidl == HeaderUIDL, &s)
			if errors.Is(err, fs.ErrNotExist) {
				moved = true // by a reader, since; the next pass finds it elsewhere
				continue
			}
			if errors.Is(err, errIrregular) {
				continue // somebody else's, who took the name
			}
			if err != nil {
				return nil, err
			}
			found[id] = g.receipt(id, path)
		}
		if !moved && before != nil && now.same(before) {
			break
		}
		before = now
	}
	// The directories after the files, both of them: what is in new/ now may be in cur/ by then.
	if err := s.wait(); err != nil {
		return nil, err
	}
	for _, sub := range []string{"new", "cur"} {
		if err := SyncDir(d.path(sub)); err != nil && !(d.create && errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
	}
	if d.create && len(found) > 0 {
		// The killed run may have made the maildir and not have come to the sync.
		if err := syncParents(d.path("new")); err != nil {
			return nil, err
		}
	}
	if err := d.relist(found, begin.UID); err != nil {
		return nil, err
	}
	d.removeLeft(nonce)
	receipts := make([]Receipt, 0, len(found))
	for _, id := range slices.Sorted(maps.Keys(found)) {
		receipts = append(receipts, found[id])
	}
	return receipts, nil
}

// A scan is what one reading of new/ and cur/ has shown.
type scan struct {
	paths   map[string]string // by id
	changed [4]time.Time      // new/ and cur/, before and after
}

// scan reads new/, then cur/: readers move messages in this direction, so that one that is moved
// meanwhile is seen twice and not missed.
func (d *Maildir) scan(nonce string) (*scan, error) {
	s := &scan{paths: make(map[string]string)}
	for i, sub := range []string{"new", "cur"} {
		dir := d.path(sub)
		s.changed[i] = modTime(dir)
		names, err := readNames(dir)
		if err != nil && !(d.create && errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
		for _, name := range names {
			if id := nameID(name, nonce); id != "" {
				s.paths[id] = filepath.Join(dir, name)
			}
		}
	}
	s.changed[2], s.changed[3] = modTime(d.path("new")), modTime(d.path("cur"))
	return s, nil
}

// same tells whether nothing has changed since before was read. The clock of a file system may
// be coarse: the names count as well.
func (s *scan) same(before *scan) bool {
	return s.changed == before.changed && s.changed[0].Equal(s.changed[2]) && s.changed[1].Equal(s.changed[3]) &&
		maps.Equal(s.paths, before.paths)
}

func modTime(dir string) time.Time {
	st, err := os.Stat(dir)
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

// readStored computes the digest of a stored message as it was at the server, without its trace field
// and, with xuidl, without what HeaderUIDL has done to it, and hands the file to s to be synced. That
// it was not open since it was written does no harm: Commit synced it through the descriptor that
// wrote it, before it came to where it was found. What s still syncs is the entry, and what a reader
// may have done to the file.
func readStored(path, id string, xuidl bool, s *syncer) (g Digest, err error) {
	f, _, err := openStored(path)
	if err != nil {
		return g, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	first, n, _, err := readFirst(f, id)
	if err != nil {
		return g, err
	}
	var h hasher
	h.reset()
	r := original(&h, first[n:], xuidl)
	if _, err := io.Copy(r, f); err != nil {
		return g, err
	}
	r.finish()
	return h.digest(), s.add(f)
}

// relist makes sure that the found messages are in dovecot-uidlist. They are, unless the lock was
// lost in the run that was interrupted, or that run was told nothing of the list.
func (d *Maildir) relist(found map[string]Receipt, uid func(id string) string) error {
	if d.uidl != DovecotUIDL || uid == nil {
		return nil
	}
	var wanted []uidRecord
	for _, id := range slices.Sorted(maps.Keys(found)) {
		u := uid(id)
		if u == "" || storableUID(u) != "" {
			continue
		}
		name, _, _ := strings.Cut(filepath.Base(found[id].Where), ":")
		wanted = append(wanted, uidRecord{name: name, uid: u})
	}
	if len(wanted) == 0 {
		return nil
	}
	u, err := d.lockUidlist(context.Background())
	if err != nil {
		return err
	}
	u, err = d.addSurely(context.Background(), u, wanted)
	return errors.Join(err, u.dot.unlock())
}

// removeLeft removes what the run with this nonce has left in tmp/. What cannot be removed now is
// stale in time.
func (d *Maildir) removeLeft(nonce string) {
	names, err := readNames(d.path("tmp"))
	if err != nil {
		return
	}
	for _, name := range names {
		if id := ownName(name); id != "" && id[:nonceLen] == nonce {
			os.Remove(d.path("tmp", name))
		}
	}
}
