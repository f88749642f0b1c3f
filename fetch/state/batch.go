package state

import (
	"encoding/hex"
	"hash/crc32"
	"strconv"
	"time"
)

// A batch is lines about to be written, numbered from seq+1 on and sealed with a checksum.
type batch struct {
	buf []byte
	seq uint64 // number of the last line

	longest int // octets of the longest line
}

// seal ends the line that began at start.
func (b *batch) seal(start int) {
	b.seq++
	b.buf = append(b.buf, " n="...)
	b.buf = strconv.AppendUint(b.buf, b.seq, 10)
	sum := crc32.ChecksumIEEE(b.buf[start:])
	b.buf = append(b.buf, " crc="...)
	b.buf = hex.AppendEncode(b.buf, []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	b.buf = append(b.buf, '\n')
	b.longest = max(b.longest, len(b.buf)-start)
}

func (b *batch) text(key, value string) {
	b.buf = append(b.buf, key...)
	b.buf = appendEscaped(b.buf, value)
}

func (b *batch) number(key string, value int64) {
	b.buf = append(b.buf, key...)
	b.buf = strconv.AppendInt(b.buf, value, 10)
}

func (b *batch) moment(key string, seconds int64) {
	if seconds == never {
		return
	}
	b.buf = append(b.buf, key...)
	b.buf = time.Unix(seconds, 0).UTC().AppendFormat(b.buf, time.RFC3339)
}

func (b *batch) hash(key, octets string) {
	if octets == "" {
		return
	}
	b.buf = append(b.buf, key...)
	b.buf = hex.AppendEncode(b.buf, []byte(octets))
}

func (b *batch) identity(key string, id Identity) {
	start := len(b.buf)
	b.buf = append(b.buf, key...)
	b.text(" host=", id.Host)
	b.text(" user=", id.User)
	b.seal(start)
}

func (b *batch) entry(s *slot) {
	start := len(b.buf)
	b.text("uid=", s.uid())
	b.buf = append(append(b.buf, " status="...), statusNames[s.status]...)
	b.moment(" time=", s.time)
	if s.size > 0 {
		b.number(" size=", s.size)
	}
	b.hash(" head=", s.head())
	b.hash(" body=", s.body())
	if m := s.more; m != nil {
		if m.copy > 1 {
			b.number(" copy=", int64(m.copy))
		}
		b.moment(" absent=", m.absent)
		if m.attempts > 0 {
			b.number(" attempts=", int64(m.attempts))
		}
		if m.reason != "" {
			b.text(" reason=", m.reason)
		}
		b.moment(" reported=", m.reported)
		b.moment(" next=", m.next)
		if m.refused > 0 {
			b.number(" refused=", int64(m.refused))
		}
		if m.aside != "" {
			b.text(" quarantine=", m.aside)
		}
		for _, field := range m.rest {
			b.buf = append(append(b.buf, ' '), field...)
		}
	}
	b.seal(start)
}

func (b *batch) forgotten(uid string, copy int) {
	start := len(b.buf)
	b.text("uid=", uid)
	b.buf = append(b.buf, " status=forgotten"...)
	if copy > 0 {
		b.number(" copy=", int64(copy))
	}
	b.seal(start)
}

func (b *batch) note(name string, n note) {
	start := len(b.buf)
	b.text("note=", name)
	b.text(" value=", n.value)
	b.moment(" time=", n.time)
	b.seal(start)
}

// ended closes a Begin for good. The end mark behind it does not, since the next line takes its
// place: what is then cut off would leave the Begin open again.
func (b *batch) ended(nonce string) {
	start := len(b.buf)
	b.text("ended=", nonce)
	b.seal(start)
}

// mark ends the file: with the open Begin, or with the end mark if there is none.
func (b *batch) mark(open *Begin) {
	start := len(b.buf)
	if open == nil {
		b.buf = append(b.buf, "end"...)
	} else {
		b.text("begin=", open.Nonce)
		b.moment(" time=", open.Time.Unix())
		b.text(" hint=", open.Hint)
		b.text(" next=", open.Next)
	}
	b.seal(start)
}
