package deliver

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"sync"
)

// A Digest is of a message in its stored form: CRLF as LF, and a last line end added where it was
// missing (nothing is added to an empty message). It can be computed from the server's text and
// from the stored copy alike.
type Digest struct {
	Size int64    // octets
	Head [32]byte // SHA-256 of all up to the first empty line, without it; of all if there is none
	Sum  [32]byte // SHA-256 of all
}

// receipt makes the Receipt of a message with this digest.
func (g Digest) receipt(id, where string) Receipt {
	return Receipt{ID: id, Where: where, Size: g.Size, Head: g.Head, Sum: g.Sum}
}

// A Digester computes the Digest of what is written to it: a message as on the wire. It is for one
// goroutine.
type Digester struct {
	eol eol
	sum hasher
	buf []byte
}

// NewDigester returns a Digester ready for a message.
func NewDigester() *Digester {
	d := &Digester{buf: make([]byte, 0, 8<<10)}
	d.Reset()
	return d
}

// Reset makes d ready for another message.
func (d *Digester) Reset() {
	d.eol = eol{}
	d.sum.reset()
}

// Write takes the next octets of the message, cut anywhere. It never fails.
func (d *Digester) Write(wire []byte) (int, error) {
	n := len(wire)
	for len(wire) > 0 {
		// One octet of room is for a CR that was held back.
		part := wire[:min(len(wire), cap(d.buf)-1)]
		wire = wire[len(part):]
		d.sum.Write(d.eol.convert(d.buf[:0], part))
	}
	return n, nil
}

// Digest ends the message and returns its Digest. Nothing may be written behind it before Reset.
func (d *Digester) Digest() Digest {
	d.sum.Write(d.eol.end(d.buf[:0]))
	return d.sum.digest()
}

// An eol turns CRLF into LF in text that comes in pieces. Only the pair is a line end (RFC 5322,
// section 2.3, forbids a lone CR, and mail has it): of CR CR LF the first CR stays, as do lone CR
// and NUL, since what came must be what is stored.
type eol struct {
	cr   bool // a CR ended the last piece; the next octet tells what it is
	some bool // there was text
	lf   bool // it ended in LF so far
}

// convert appends the stored form of wire, the next piece, to dst and returns it: at most one
// octet more than wire has. dst may be the space before wire in the same array, if it is one octet
// longer: no octet is overwritten before it is read.
func (e *eol) convert(dst, wire []byte) []byte {
	if len(wire) == 0 {
		return dst
	}
	n := len(dst)
	if e.cr && wire[0] != '\n' {
		dst = append(dst, '\r')
	}
	e.cr = false
	for len(wire) > 0 {
		i := bytes.IndexByte(wire, '\r')
		if i < 0 {
			dst = append(dst, wire...)
			break
		}
		if i+1 == len(wire) {
			dst = append(dst, wire[:i]...)
			e.cr = true
			break
		}
		if wire[i+1] != '\n' {
			i++ // this CR is text; what follows may be another
			dst = append(dst, wire[:i]...)
			wire = wire[i:]
			continue
		}
		// In place, the LF is written where a CR was, or before: it is read already.
		dst = append(dst, wire[:i]...)
		dst = append(dst, '\n')
		wire = wire[i+2:]
	}
	if len(dst) > n {
		e.some, e.lf = true, dst[len(dst)-1] == '\n'
	}
	return dst
}

// end appends what the stored form still lacks at the end of the message.
func (e *eol) end(dst []byte) []byte {
	if e.cr {
		dst = append(dst, '\r')
		e.cr, e.some, e.lf = false, true, false
	}
	if e.some && !e.lf {
		dst = append(dst, '\n')
		e.lf = true
	}
	return dst
}

// A hasher computes the Digest of a message that is in its stored form already. Its line ends are
// not touched: CR LF in it was CR CR LF on the wire.
type hasher struct {
	h    hash.Hash
	d    Digest
	head bool // the header has ended, and d.Head is set
	bol  bool // at the beginning of a line
}

func (h *hasher) reset() {
	if h.h == nil {
		h.h = sha256.New()
	}
	h.h.Reset()
	h.d, h.head, h.bol = Digest{}, false, true
}

// Write takes the next octets, cut anywhere. It never fails.
func (h *hasher) Write(p []byte) (int, error) {
	n := len(p)
	if n == 0 {
		return 0, nil
	}
	h.d.Size += int64(n)
	if !h.head {
		end := -1 // where the empty line begins
		if h.bol && p[0] == '\n' {
			end = 0
		} else if i := bytes.Index(p, []byte("\n\n")); i >= 0 {
			end = i + 1
		}
		h.bol = p[n-1] == '\n'
		if end >= 0 {
			// The header is a prefix of the message: one hash does for both.
			h.h.Write(p[:end])
			h.h.Sum(h.d.Head[:0])
			h.head = true
			p = p[end:]
		}
	}
	h.h.Write(p)
	return n, nil
}

func (h *hasher) digest() Digest {
	h.h.Sum(h.d.Sum[:0])
	if !h.head {
		h.d.Head = h.d.Sum
	}
	return h.d
}

// A readError is an error of the text that was to be stored, not of where it was to go. A target
// returns what is inside as it is: the failure is not the target's.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// storeBuffer is in which pieces a message is stored: one write for most.
const storeBuffer = 64 << 10

// A storage is what store needs; it is used again for the next message.
type storage struct {
	sum hasher
	buf [storeBuffer + 4]byte
}

var storages = sync.Pool{New: func() any { return new(storage) }}

// store reads body, a message as on the wire, to its end, and writes its stored form to dst. An
// error of body is a *readError; any other is of dst.
func store(dst io.Writer, body io.Reader) (Digest, error) {
	s := storages.Get().(*storage)
	defer storages.Put(s)
	s.sum.reset()
	var e eol
	for {
		// The text is converted in place, one octet towards the front: see convert.
		n, err := fill(s.buf[1:1+storeBuffer], body)
		out := e.convert(s.buf[:0], s.buf[1:1+n])
		if err == io.EOF {
			out = e.end(out)
		} else if err != nil {
			return Digest{}, &readError{err}
		}
		if len(out) > 0 {
			if _, err := dst.Write(out); err != nil {
				return Digest{}, err
			}
			s.sum.Write(out)
		}
		if err == io.EOF {
			return s.sum.digest(), nil
		}
	}
}

// fill reads until buf is full. The error is that of r, io.EOF too.
func fill(buf []byte, r io.Reader) (n int, err error) {
	for idle := 0; n < len(buf); {
		var m int
		m, err = r.Read(buf[n:])
		n += m
		if err != nil {
			return n, err
		}
		if m > 0 {
			idle = 0
		} else if idle++; idle == 100 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}
