package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// Hint tells which folder it is, and from which UID on the next messages stand.
func (m *IMAP) Hint() (string, error) {
	if m.validity == 0 {
		if err := m.connect(context.Background()); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("imap %d %d", m.validity, m.next), nil
}

// Find looks for the messages of an interrupted run. What an IMAP server shows it has.
func (m *IMAP) Find(begin Begin) ([]Receipt, error) {
	if len(begin.Nonce) != nonceLen || !isHex([]byte(begin.Nonce)) {
		return nil, m.failed(fmt.Errorf("%q is no nonce", begin.Nonce), false)
	}
	ctx := context.Background()
	if m.c == nil {
		if err := m.connect(ctx); err != nil {
			return nil, err
		}
	}
	var receipts []Receipt
	err := m.during(ctx, func() (err error) {
		receipts, err = m.find(begin)
		return err
	})
	if err != nil {
		return nil, m.failed(err, false)
	}
	return receipts, nil
}

func (m *IMAP) find(begin Begin) ([]Receipt, error) {
	box, err := m.c.Select(m.o.Folder, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return nil, err
	}
	defer func() { _ = m.c.Unselect().Wait() }() // APPEND needs no selected folder
	if box.NumMessages == 0 {
		return nil, nil
	}
	uids, err := m.candidates(begin)
	if err != nil || len(uids) == 0 {
		return nil, err
	}
	cmd := m.c.Fetch(uids, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
	var receipts []Receipt
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		r, err := m.receipt(msg, begin.Nonce)
		if err != nil {
			return nil, err
		}
		if r.ID != "" {
			receipts = append(receipts, r)
		}
	}
	return receipts, cmd.Close()
}

// candidates gives the messages that may be of that run: those from the hint on, whatever their
// headers look like to the server. In another folder, or one that was made anew, the server has to
// search all of it; where it refuses to, the beginning of each message is looked at, or the doubt
// would never end.
func (m *IMAP) candidates(begin Begin) (imap.UIDSet, error) {
	var validity uint32
	var from imap.UID
	if n, _ := fmt.Sscanf(begin.Hint, "imap %d %d", &validity, &from); n == 2 && validity == m.validity && from > 0 {
		return imap.UIDSet{{Start: from, Stop: 0}}, nil
	}
	found, err := m.c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Received", Value: "POP3 id " + begin.Nonce}}}, nil).Wait()
	var reply *imap.Error
	if errors.As(err, &reply) && reply.Type != imap.StatusResponseTypeBye {
		return m.sieve(begin.Nonce)
	}
	if err != nil {
		return nil, err
	}
	uids, _ := found.All.(imap.UIDSet) // as the server has put it: told one by one they may be more than the memory holds
	return uids, nil
}

// traceLine is within which length of a message its delivery id stands: behind two names of hosts.
const traceLine = 2 << 10

// sieve gives those of all messages of the folder that seem to be of the run with this nonce.
func (m *IMAP) sieve(nonce string) (uids imap.UIDSet, err error) {
	first := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: traceLine}}
	cmd := m.c.Fetch(imap.UIDSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{first}})
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		var uid imap.UID
		ours := false
		for item := msg.Next(); item != nil; item = msg.Next() {
			switch item := item.(type) {
			case imapclient.FetchItemDataUID:
				uid = item.UID
			case imapclient.FetchItemDataBodySection:
				if item.Literal == nil {
					continue
				}
				text, err := io.ReadAll(io.LimitReader(m.conn.heeded(item.Literal), traceLine))
				if err != nil {
					return nil, err
				}
				ours = bytes.Contains(text, []byte(" with POP3 id "+nonce))
			}
		}
		if ours && uid != 0 {
			uids.AddNum(uid)
		}
	}
	return uids, cmd.Close()
}

// receipt reads one message. Its ID is "" if it is not of that run: the server's search is only a
// sieve.
func (m *IMAP) receipt(msg *imapclient.FetchMessageData, nonce string) (r Receipt, err error) {
	var uid imap.UID
	for item := msg.Next(); item != nil; item = msg.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			uid = item.UID
		case imapclient.FetchItemDataBodySection:
			if item.Literal == nil {
				continue
			}
			var d Digest
			if r.ID, d, err = readTraced(m.conn.heeded(item.Literal), nonce); err != nil {
				return r, err
			}
			r.Size, r.Head, r.Sum = d.Size, d.Head, d.Sum
		}
	}
	r.Where = fmt.Sprintf("%s, UID %d", m.name, uid)
	return r, nil
}

// readTraced reads a message as on the wire, and returns the delivery id of its trace field and the
// Digest of what stands behind that.
func readTraced(r io.Reader, nonce string) (string, Digest, error) {
	first := make([]byte, maxTraceField)
	n, err := io.ReadFull(r, first)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", Digest{}, err
	}
	first = first[:n]
	length, id := ownTrace(bytes.ReplaceAll(first, []byte("\r\n"), []byte("\n")), nonce)
	if id == "" {
		_, err := io.Copy(io.Discard, r)
		return "", Digest{}, err
	}
	// An octet more for each line of the field that ends with CRLF, as all should (RFC 3501, section 2.2).
	rest := first
	for length > 0 {
		i := bytes.IndexByte(rest, '\n') + 1
		length -= len(bytes.TrimSuffix(rest[:i-1], []byte{'\r'})) + 1
		rest = rest[i:]
	}
	d := NewDigester()
	d.Write(rest)
	if _, err := io.Copy(d, r); err != nil {
		return "", Digest{}, err
	}
	return id, d.Digest(), nil
}

// A dateField finds the time of a message in its stored form that is written to it: that of its
// Date field, else that of the topmost Received field below ours.
type dateField struct {
	header   headerFields
	date     time.Time
	received time.Time
	fields   int
}

func (d *dateField) Write(p []byte) (int, error) {
	d.header.write(p, d.take)
	return len(p), nil
}

func (d *dateField) take(name, value []byte) {
	d.fields++
	switch {
	case bytes.EqualFold(name, []byte("Date")) && d.date.IsZero():
		d.date = plausible(string(value))
	case bytes.EqualFold(name, []byte("Received")) && d.received.IsZero() && d.fields > 1:
		if i := bytes.LastIndexByte(value, ';'); i >= 0 {
			d.received = plausible(string(value[i+1:]))
		}
	}
}

// plausible reads a date, and takes none from before mail had one, nor from the future.
func plausible(text string) time.Time {
	t, err := mail.ParseDate(text)
	if err != nil || t.Year() < 1980 || time.Until(t) > 24*time.Hour {
		return time.Time{}
	}
	return t
}

// value ends the header and returns the time, zero if there is none.
func (d *dateField) value() time.Time {
	d.header.finish(d.take)
	if !d.date.IsZero() {
		return d.date
	}
	return d.received
}
