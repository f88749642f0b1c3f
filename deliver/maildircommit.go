package deliver

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Commit makes all staged messages durable and moves them into new/, or with flags into cur/.
func (d *Maildir) Commit(ctx context.Context) ([]Receipt, error) {
	if len(d.staged) == 0 {
		return nil, nil
	}
	staged := d.staged
	d.staged = nil
	// Before a file can be seen, all of it must be on the disk.
	if err := d.sync.wait(); err != nil {
		d.unstage(staged)
		return nil, d.failed(err)
	}
	inOrder(staged)
	list, err := d.list(ctx, staged)
	if err != nil {
		d.unstage(staged)
		return nil, d.failed(err)
	}
	receipts, err := d.move(staged, list)
	if cerr := d.unlist(ctx, list, staged); err == nil {
		err = cerr
	}
	if err != nil {
		return receipts, d.failed(err)
	}
	return receipts, nil
}

// inOrder gives the times in the names to the messages in the order of their numbers, by which some
// came late, being retrieved twice: it is by the name that a reader puts new messages in order.
func inOrder(staged []maildirFile) {
	byNum := make([]int, len(staged))
	for i := range byNum {
		byNum[i] = i
	}
	slices.SortStableFunc(byNum, func(a, b int) int { return staged[a].num - staged[b].num })
	for i, at := range byNum {
		f := &staged[at]
		when, _, _ := strings.Cut(staged[i].name, "I")
		_, rest, _ := strings.Cut(f.final, "I")
		f.final = when + "I" + rest
		f.record.name = f.final
	}
}

// list takes the lock of dovecot-uidlist and puts the staged messages into it, before anybody can
// see them: a message that Dovecot sees first gets a unique-id of its own. If this program is killed
// before they are moved, the records are of files that do not exist, which Dovecot drops.
func (d *Maildir) list(ctx context.Context, staged []maildirFile) (*uidlistFile, error) {
	wanted := records(staged)
	if len(wanted) == 0 {
		return nil, nil
	}
	u, err := d.lockUidlist(ctx)
	if err != nil {
		return nil, err
	}
	if u, err = d.addSurely(ctx, u, wanted); err != nil {
		u.dot.unlock()
		return nil, err
	}
	return u, nil
}

// records are those of the staged messages, in the order of their numbers: some were retrieved twice.
func records(staged []maildirFile) (wanted []uidRecord) {
	for _, f := range staged {
		if f.record.uid != "" {
			wanted = append(wanted, f.record)
		}
	}
	slices.SortStableFunc(wanted, func(a, b uidRecord) int { return a.num - b.num })
	return wanted
}

// unlist gives the lock back. If it was lost, Dovecot may have dropped the records before it saw the
// files: they are put in again.
func (d *Maildir) unlist(ctx context.Context, u *uidlistFile, staged []maildirFile) error {
	if u == nil {
		return nil
	}
	if !u.dot.held() {
		u.dot.unlock() // closes it: it is not ours
		again, err := d.lockUidlist(ctx)
		if err != nil {
			return err
		}
		if u, err = d.addSurely(ctx, again, records(staged)); err != nil {
			u.dot.unlock()
			return err
		}
	}
	if err := u.dot.unlock(); err != nil {
		return fmt.Errorf("dovecot-uidlist.lock could not be removed: %w", err)
	}
	return nil
}

// move moves the staged messages to where they are seen, and makes that durable.
func (d *Maildir) move(staged []maildirFile, list *uidlistFile) ([]Receipt, error) {
	sub, info := "new", ""
	if d.flags != "" {
		sub, info = "cur", ":2,"+d.flags
	}
	to, err := os.Open(d.path(sub))
	if err != nil {
		d.unstage(staged)
		return nil, err
	}
	defer to.Close()
	path := func(f maildirFile) string { return d.path(sub, f.final+info) }
	moved := 0
	for _, f := range staged {
		if err = moveNew(d.path("tmp", f.name), path(f)); err != nil {
			break
		}
		moved++
		if list != nil {
			list.atWork()
		}
	}
	d.unstage(staged[moved:])
	if serr := syncOpenDir(to); serr != nil {
		// Which of them a power cut would leave, nobody knows: none has arrived. The
		// server still has them all.
		for _, f := range staged[:moved] {
			os.Remove(path(f))
		}
		return nil, serr
	}
	receipts := make([]Receipt, moved)
	for i, f := range staged[:moved] {
		receipts[i] = f.digest.receipt(f.id, path(f))
		receipts[i].Warning = f.warning
	}
	return receipts, err
}
