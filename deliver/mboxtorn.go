package deliver

import (
	"bytes"
	"regexp"
	"strings"
	"time"
)

// torn returns where the mbox is to end so that nothing is left of an entry that the run did not
// finish: its size if there is none. It is to be called only if all entries found are unrecorded.
func (s *search) torn() (int64, error) {
	end, err := s.tornStart()
	if err != nil {
		return 0, err
	}
	damaged, err := s.damaged()
	if err != nil || len(damaged) == 0 {
		return end, err
	}
	// What another program has put behind must stay, and so must all before it.
	foreign, err := s.lastForeign(damaged[0], end)
	if err != nil {
		return 0, err
	}
	for _, start := range damaged {
		if start > foreign {
			return min(start, end), nil
		}
	}
	return end, nil
}

// damaged returns where entries of the run begin that are not whole, in the order of the file. Where
// one should go on and zeros stand, a power cut has kept the file's length but not its text.
func (s *search) damaged() ([]int64, error) {
	var starts []int64
	head := make([]byte, entryStartLen)
	at := s.from
	for i := 0; i <= len(s.found); i++ {
		next := s.size
		if i < len(s.found) {
			next = s.found[i].start
		}
		if at < next {
			n, err := s.read(head, at, next)
			if err != nil {
				return nil, err
			}
			t, _, zeros := bytes.Cut(head[:n], []byte{0})
			if zeros && (len(t) == 0 || ownStart(t, s.nonce) != startForeign) {
				starts = append(starts, at)
			}
		}
		if i == len(s.found) {
			break
		}
		if s.found[i].whole {
			at = s.found[i].end
		} else {
			starts = append(starts, next)
			at = s.size // how far that one goes is not known
		}
	}
	return starts, nil
}

// tornStart returns where an entry begins of which there is so little, at the end of the mbox, that
// it has no delivery id: the beginning of a From_ line suffices if it stands directly behind an
// entry of ours or where the run began. It returns the mbox's size if there is none.
func (s *search) tornStart() (int64, error) {
	behind := s.from
	if n := len(s.found); n > 0 {
		behind = s.found[n-1].end
		if !s.found[n-1].whole {
			behind = s.found[n-1].start + 1 // only what looks like an entry
		}
	}
	first := max(s.size-entryStartLen, 0)
	p := make([]byte, s.size-first)
	if _, err := s.read(p, first, s.size); err != nil {
		return 0, err
	}
	if behind >= first && (len(s.found) == 0 || s.found[len(s.found)-1].whole) {
		at := behind - first
		// Empty lines that end what stood before are no harm.
		for n := len(unfinished(p[:at])); n > 0 && at < int64(len(p)) && p[at] == '\n'; n-- {
			at++
		}
		t := bytes.TrimRight(p[at:], "\x00")
		start := ownStart(t, s.nonce)
		if start == startWhole {
			// It looks like ours and stands where no entry of ours does: what is behind it may be anybody's.
			if foreign, err := s.lastForeign(first+at, s.size); err != nil || foreign >= 0 {
				return s.size, err
			}
		}
		if len(t) == 0 && len(p[at:]) > 0 || len(t) > 0 && start != startForeign {
			return first + at, nil
		}
	}
	// Behind something else a beginning must say more, because a text of another program may
	// have "From" behind an empty line.
	from := bytes.LastIndex(p, []byte("\nFrom ")) + 1
	if from == 0 && first > 0 || first+int64(from) < behind || !begins(p[:from], first) {
		return s.size, nil
	}
	t := bytes.TrimRight(p[from:], "\x00")
	switch ownStart(t, s.nonce) {
	case startLine:
		if !separator.Match(t) {
			return s.size, nil
		}
	case startForeign, startWhole:
		return s.size, nil
	}
	return first + int64(from), nil
}

// separator is the beginning of a From_ line as far as no sentence has it.
var separator = regexp.MustCompile(`^From [^ \n]+ (Mon|Tue|Wed|Thu|Fri|Sat|Sun) `)

// fullSeparator is a From_ line that is one wherever it stands, because a field follows it.
var fullSeparator = regexp.MustCompile(`^From [^\n]*\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +[A-Za-z0-9]+ +[A-Za-z0-9]+ +[0-9][^\n]*\n[!-9;-~]+[ \t]*:`)

// lastForeign returns where in (from, to) an entry of another program begins, the last such, or -1.
// A program that did not close the torn line before it has its From_ line in the middle of one.
// Each octet is looked at a bounded number of times: the text may be made to have millions of "From ".
func (s *search) lastForeign(from, to int64) (int64, error) {
	last := int64(-1)
	for pos := from + 1; pos < to; {
		first := max(pos-quoteNear, 0)
		n, err := s.read(s.buf, first, to)
		if err != nil {
			return 0, err
		}
		p := s.buf[:n]
		// What is judged has all that belongs to it in p, or the end of the file behind it.
		limit := n
		if first+int64(n) < to {
			limit -= entryStartLen
		}
		for i := int(pos - first); i < limit; {
			j := bytes.Index(p[i:], []byte(fromText))
			if j < 0 || i+j >= limit {
				break
			}
			at := i + j
			if s.foreignAt(p, at) {
				last = first + int64(at)
			}
			i = at + len(fromText)
		}
		pos = first + int64(limit)
	}
	return last, nil
}

// quoteNear is how much of a text is looked at for each "From " in it.
const quoteNear = 1 << 10

// foreignAt tells whether the "From " at an offset of p begins an entry that is not of the run.
func (s *search) foreignAt(p []byte, at int) bool {
	text := p[at:min(len(p), at+entryStartLen)]
	all := p[max(at-quoteNear, 0):at]
	before := bytes.TrimRight(all, ">")
	quoted := len(before) < len(all)
	// One in the middle of a line, or that looks quoted, is text of ours unless all of it tells
	// that a program wrote it there without a look at what stood before.
	if quoted || len(before) > 0 && before[len(before)-1] != '\n' {
		// No separator has a second "From ": what begins there is judged by itself.
		rest, _, _ := bytes.Cut(text[len(fromText):min(len(text), quoteNear)], []byte(fromText))
		if !fullSeparator.Match(text[:len(fromText)+len(rest)]) {
			return false
		}
	}
	// Zeros where one of the run has begun are what a power cut has made of the rest: nobody else has
	// written them.
	t, _, zeros := bytes.Cut(text, []byte{0})
	return ownStart(text, s.nonce) != startWhole && (!zeros || ownStart(t, s.nonce) == startForeign)
}

// A beginning is how much of the beginning of an entry of a run there is.
type beginning int

const (
	startForeign beginning = iota // it is none
	startLine                     // it ends in the From_ line, or before
	startField                    // it ends in the trace field, before the nonce is complete
	startWhole                    // the nonce is there
)

// ownStart compares text with what every entry of the run begins with:
//
//	From SENDER DATE
//	Received: from HOST by HOST with POP3 id NONCE
func ownStart(text []byte, nonce string) beginning {
	line, rest, ended := bytes.Cut(text, []byte("\n"))
	if !ended {
		if n := min(len(line), len(fromText)); string(line[:n]) != fromText[:n] || bytes.IndexByte(line, 0) >= 0 || len(line) > 2*maxAddress {
			return startForeign
		}
		return startLine
	}
	fields := strings.SplitN(string(line), " ", 3)
	if len(fields) != 3 || fields[0]+" " != fromText {
		return startForeign
	}
	if _, err := time.Parse(time.ANSIC, fields[2]); err != nil {
		return startForeign
	}
	for _, word := range []string{"Received: from ", "", " by ", "", " with POP3 id " + nonce} {
		if word == "" {
			n := bytes.IndexAny(rest, " \n\x00")
			if n < 0 {
				return startField
			}
			rest = rest[n:]
			continue
		}
		n := min(len(rest), len(word))
		if string(rest[:n]) != word[:n] {
			return startForeign
		}
		if n < len(word) {
			return startField
		}
		rest = rest[n:]
	}
	return startWhole
}
