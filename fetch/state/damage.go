package state

import (
	"bytes"
	"fmt"
	"strings"
)

// maxBad bounds what is kept of dropped lines, in octets.
const maxBad = 1 << 20

// notices collects what is wrong with a file.
type notices struct {
	header    string // why the first line is lost
	dropped   map[string][]int
	reasons   []string // the keys of dropped in order
	mended    []int
	missing   []gap
	behindEnd int // a line that follows the end mark
	unmarked  bool
	torn      bool
	lost      uint64 // records missing at the end, by the lock file's word
}

type gap struct {
	line  int
	count uint64
}

func (ld *loader) reject(text []byte, why string) { ld.rejectAt(ld.number, text, why) }

// rejectAt drops a line.
func (ld *loader) rejectAt(number int, text []byte, why string) {
	ld.explains++
	t := &ld.told
	if t.dropped == nil {
		t.dropped = map[string][]int{}
	}
	if t.dropped[why] == nil {
		t.reasons = append(t.reasons, why)
	}
	t.dropped[why] = append(t.dropped[why], number)
	ld.keep(text)
}

// keep remembers a line that was dropped for PATH.rejected.
func (ld *loader) keep(text []byte) {
	// Zeros are what a file system leaves in place of what was lost. They tell nothing.
	for _, part := range bytes.FieldsFunc(text, func(r rune) bool { return r == 0 }) {
		if len(ld.f.bad)+len(part) < maxBad {
			ld.f.bad = append(append(ld.f.bad, part...), '\n')
		}
	}
}

// sentences says it for the user.
func (t *notices) sentences(f *File, last int) []string {
	const again = "messages that it told of may be delivered again"
	var out []string
	say := func(format string, args ...any) {
		out = append(out, fmt.Sprintf("state file %q: ", f.path)+fmt.Sprintf(format, args...))
	}
	kept := ""
	if len(f.bad) > 0 && !f.readOnly {
		kept = fmt.Sprintf(" (it is kept in %q)", f.path+rejectedSuffix)
	}
	if t.header != "" {
		say("the first line was dropped, because %s; that the file is of user %q at %q is known from %q",
			t.header, f.id.User, f.id.Host, lockPath(f.path))
	}
	for _, why := range t.reasons {
		say("%s dropped, because %s%s; %s", lines(t.dropped[why], "was", "were"), why, kept, again)
	}
	for _, g := range t.missing[:min(len(t.missing), 3)] {
		say("%d %s missing before line %d; %s", g.count, records(g.count), g.line, again)
	}
	if n := len(t.missing); n > 3 {
		say("records are missing at %d more places; %s", n-3, again)
	}
	if t.behindEnd > 0 {
		say("line %d follows the end mark; what stood between may be lost, and %s", t.behindEnd, again)
	}
	if t.unmarked {
		say("the end is missing: the file was cut behind line %d, or a crash tore the last write; %s", last, again)
	} else if t.torn && len(t.reasons) == 0 {
		say("the last line has no line end")
	}
	if t.lost > 0 {
		say("the last %d %s missing: the file was cut, or is an old copy; %s", t.lost, records(t.lost), again)
	}
	if len(t.mended) > 0 {
		say("%s no checksum, as if mended by hand; taken as it stands", lines(t.mended, "has", "have"))
	}
	return out
}

func records(n uint64) string {
	if n == 1 {
		return "record is"
	}
	return "records are"
}

// lines names lines: "line 3 was", "lines 3, 5, 7 and 12 more were".
func lines(numbers []int, one, many string) string {
	if len(numbers) == 1 {
		return fmt.Sprintf("line %d %s", numbers[0], one)
	}
	var b strings.Builder
	for i, n := range numbers[:min(len(numbers), 5)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, n)
	}
	if n := len(numbers); n > 5 {
		fmt.Fprintf(&b, " and %d more", n-5)
	}
	return "lines " + b.String() + " " + many
}
