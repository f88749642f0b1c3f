package state

import (
	"encoding/hex"
	"hash/crc32"
	"math"
	"strconv"
	"time"
)

// maxLine bounds a line of the file, in octets: what is longer is no record.
const maxLine = 1 << 20

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

// A line is one line of the file, taken apart. The slices point into the line.
type line struct {
	sealed bool   // its checksum is right
	seq    uint64 // its number; 0 if it has none
	key    string // of the first field: "mailhaul-state", "uid", "note", "begin", "ended", "end"
	fields []field
}

type field struct{ key, value []byte }

// crcLen is the length of the last field, " crc=" and eight hex digits.
const crcLen = len(" crc=12345678")

// parse takes a line without its line end apart. It returns why the line is no record, "" if it
// is one. Whether the fields make sense is for the caller to find out.
func (l *line) parse(b []byte) (why string) {
	*l = line{fields: l.fields[:0]}
	if i := len(b) - crcLen; i > 0 && string(b[i:i+5]) == " crc=" {
		want, ok := parseHex32(b[i+5:])
		if !ok || crc32.ChecksumIEEE(b[:i]) != want {
			return badSum
		}
		l.sealed = true
		b = b[:i]
	}
	for rest := b; len(rest) > 0; {
		part := rest
		if i := indexByte(rest, ' '); i >= 0 {
			part, rest = rest[:i], rest[i+1:]
			if len(rest) == 0 {
				return notRecord
			}
		} else {
			rest = nil
		}
		i := indexByte(part, '=')
		if i < 0 {
			if len(l.fields) > 0 || string(part) != "end" {
				return notRecord
			}
			i = len(part)
		}
		f := field{key: part[:i]}
		if i < len(part) {
			f.value = part[i+1:]
		}
		if !validKey(f.key) {
			return notRecord
		}
		if string(f.key) == "crc" { // one that is not eight hex digits at the end
			return badSum
		}
		l.fields = append(l.fields, f)
	}
	if len(l.fields) == 0 {
		return notRecord
	}
	if last := l.fields[len(l.fields)-1]; len(l.fields) > 1 && string(last.key) == "n" {
		n, ok := parseNumber(last.value)
		if !ok || n == 0 {
			return notRecord
		}
		l.seq = uint64(n)
		l.fields = l.fields[:len(l.fields)-1]
	} else if l.sealed {
		return notRecord
	}
	switch string(l.fields[0].key) {
	case "uid":
		l.key = "uid"
	case "begin":
		l.key = "begin"
	case "ended":
		l.key = "ended"
	case "end":
		l.key = "end"
		if len(l.fields) > 1 {
			return notRecord
		}
	case "note":
		l.key = "note"
	case stateKey:
		l.key = stateKey
	case lockKey:
		l.key = lockKey
	default:
		return notRecord
	}
	return ""
}

const (
	notRecord = "it is not a record"
	badSum    = "its checksum is wrong (a line that is mended by hand must lose its crc field)"
	stateKey  = "mailhaul-state"
	lockKey   = "mailhaul-lock"
)

// validKey: a small letter, then small letters, digits and hyphens.
func validKey(k []byte) bool {
	if len(k) == 0 || k[0] < 'a' || k[0] > 'z' {
		return false
	}
	for _, c := range k[1:] {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// validRest tells whether an unknown field may be written as it is.
func validRest(f string) bool {
	i := indexByte([]byte(f), '=')
	if i < 0 || !validKey([]byte(f[:i])) || knownKey([]byte(f[:i])) {
		return false
	}
	_, ok := appendUnescaped(nil, []byte(f[i+1:]))
	return ok
}

func knownKey(k []byte) bool {
	switch string(k) {
	case "uid", "status", "time", "size", "head", "body", "copy", "absent", "attempts", "reason", "reported", "next", "refused", "quarantine", "n", "crc":
		return true
	}
	return false
}

func parseHex32(b []byte) (v uint32, ok bool) {
	for _, c := range b {
		d := hexDigit(c)
		if d > 15 {
			return 0, false
		}
		v = v<<4 | uint32(d)
	}
	return v, len(b) == 8
}

// parseNumber reads a decimal number without sign, at most math.MaxInt64.
func parseNumber(b []byte) (v int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || v > (math.MaxInt64-9)/10 {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, len(b) > 0
}
