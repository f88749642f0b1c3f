package fetch

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
)

// A post is a target that cannot be asked: each Commit gives one message to a receiver, which here
// appends to a directory.
type post struct {
	dir     string
	staged  []letter
	fail    func(uid string) error // nil for none
	commit  func(uid string)       // called when the receiver has its message
	inDoubt []string
}

type letter struct {
	m    deliver.Message
	text []byte
}

func (p *post) Deliver(ctx context.Context, m *deliver.Message) error {
	var text bytes.Buffer
	if _, err := text.ReadFrom(m.Body); err != nil {
		return &deliver.Error{Target: "post", Err: err, Message: true}
	}
	p.staged = append(p.staged, letter{*m, text.Bytes()})
	return nil
}

func (p *post) Drop(n int) { p.staged = p.staged[:len(p.staged)-n] }

func (p *post) Commit(ctx context.Context) ([]deliver.Receipt, error) {
	if len(p.staged) == 0 {
		return nil, nil
	}
	l := p.staged[0]
	p.staged = p.staged[1:]
	if p.fail != nil {
		if err := p.fail(l.m.UID); err != nil {
			if de, ok := err.(*deliver.Error); ok && !de.Message {
				p.staged = nil
			}
			return nil, err
		}
	}
	if l.m.InDoubt {
		p.inDoubt = append(p.inDoubt, l.m.UID)
	}
	for n := 0; ; n++ { // a receiver takes what it is given, twice if need be
		f, err := os.OpenFile(filepath.Join(p.dir, fmt.Sprintf("%s.%d", l.m.UID, n)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if os.IsExist(err) {
			continue
		}
		f.Write(l.text)
		f.Close()
		break
	}
	d := deliver.NewDigester()
	d.Write(l.text)
	digest := d.Digest()
	if p.commit != nil {
		p.commit(l.m.UID)
	}
	return []deliver.Receipt{{ID: l.m.ID, Where: "post", Size: digest.Size, Head: digest.Head, Sum: digest.Sum}}, nil
}

func (p *post) Close() error { p.staged = nil; return nil }

// taken tells how often the receiver was given each message.
func (p *post) taken(msgs []pop3test.Message) (counts []int) {
	for _, m := range msgs {
		files, _ := filepath.Glob(filepath.Join(p.dir, m.UID+".*"))
		for _, f := range files {
			if text, _ := os.ReadFile(f); string(text) != m.Text {
				return nil
			}
		}
		counts = append(counts, len(files))
	}
	return counts
}

// mailTo lets runs deliver to a post in the account's directory.
func (a *account) mailTo(p *post) {
	p.dir = filepath.Join(a.dir, "post")
	os.Mkdir(p.dir, 0o700)
	a.target = func(deliver.Target) deliver.Target { return p }
}
