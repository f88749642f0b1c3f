package state

import (
	"bytes"
	"hash/crc32"
	"math"
)

// maxLine bounds a line of the file, in octets: what is longer is no record.
const maxLine = 1 << 20

// A line is one line of the file, taken apart. The slices point into the line.
type line struct {
	sealed bool   // its checksum is right
	seq    uint64 // its number; 0 if it has none
	key    string // of the first field, one of lineKeys
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
		if i := bytes.IndexByte(rest, ' '); i >= 0 {
			part, rest = rest[:i], rest[i+1:]
			if len(rest) == 0 {
				return notRecord
			}
		} else {
			rest = nil
		}
		var f field
		if i := bytes.IndexByte(part, '='); i >= 0 {
			f = field{part[:i], part[i+1:]}
		} else if f.key = part; len(l.fields) > 0 || string(part) != "end" {
			return notRecord
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
	for _, key := range lineKeys {
		if string(l.fields[0].key) == key {
			l.key = key
		}
	}
	if l.key == "" || l.key == "end" && len(l.fields) > 1 {
		return notRecord
	}
	return ""
}

// lineKeys are the keys of the first field.
var lineKeys = [...]string{"uid", "note", "begin", "ended", "end", stateKey, lockKey}

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
	key, value, ok := bytes.Cut([]byte(f), []byte("="))
	if !ok || !validKey(key) || knownKey(key) {
		return false
	}
	_, ok = appendUnescaped(nil, value)
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
