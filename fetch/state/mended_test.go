package state

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestMendedByHand(t *testing.T) {
	origin := tempPath(t)
	whole := string(sample(t, origin))
	mtime := start.Add(time.Hour)
	for name, c := range map[string]struct {
		edit   func(string) string
		damage string // "" for none
		uid    string
		want   *Entry // nil: not there
	}{
		"edited, checksum left": {
			func(s string) string { return strings.Replace(s, "size=1234", "size=1235", 1) },
			"line 3 was dropped, because its checksum is wrong", "uid-0-0-0", nil},
		"edited, checksum taken off": {
			func(s string) string {
				before, after, _ := strings.Cut(s, "size=1234")
				i := strings.Index(after, " crc=")
				return before + "size=1235" + after[:i] + after[i+crcLen:]
			},
			"line 3 has no checksum", "uid-0-0-0", func() *Entry { e := full("uid-0-0-0"); e.Size = 1235; return &e }()},
		"edited, number taken off too": {
			func(s string) string { return s[:strings.Index(s, " n=3")] + s[strings.Index(s, "\nuid=uid-0-0-1"):] },
			"line 3 has no checksum", "uid-0-0-0", ptr(full("uid-0-0-0"))},
		"added at the end": {
			func(s string) string { return s + "uid=typed status=seen\n" },
			"has no checksum", "typed", &Entry{UID: "typed", Copy: 1, Status: Seen, Time: mtime}},
		"added in the middle": {
			func(s string) string {
				return strings.Replace(s, "\nuid=uid-1-0-0", "\nuid=typed status=delivered time=2026-03-01T13:00:00+01:00 size=7\nuid=uid-1-0-0", 1)
			},
			"has no checksum", "typed", &Entry{UID: "typed", Copy: 1, Status: Delivered, Time: start, Size: 7}},
		"forgotten by hand": {
			func(s string) string { return s + "uid=uid-0-0-0 status=forgotten\n" },
			"has no checksum", "uid-0-0-0", nil},
		"added at the end, unfinished": {
			func(s string) string { return s + "uid=typed status=seen" },
			"was not written to its end", "typed", nil},
		"added in one place, deleted in another": {
			func(s string) string {
				s = strings.Replace(s, "\nuid=uid-0-0-1", "\nuid=typed status=seen\nuid=uid-0-0-1", 1)
				return s[:strings.Index(s, "uid=uid-1-0-0")] + s[strings.Index(s, "uid=uid-1-0-1"):]
			},
			"1 record is missing before line ", "typed", &Entry{UID: "typed", Copy: 1, Status: Seen, Time: mtime}},
		"unknown status": {
			func(s string) string { return s + "uid=typed status=read\n" }, "was dropped", "typed", nil},
		"field twice": {
			func(s string) string { return s + "uid=typed status=seen status=seen\n" }, "was dropped", "typed", nil},
		"a time that is none": {
			func(s string) string { return s + "uid=typed status=failed next=tomorrow\n" }, "was dropped", "typed", nil},
		"refused no time at all": {
			func(s string) string { return s + "uid=typed status=failed refused=0\n" }, "was dropped", "typed", nil},
		"put into a quarantine by hand": {
			func(s string) string {
				return s + "uid=typed status=delivered quarantine=/q%20r\nuid=other status=failed next=2026-03-01T12:00:00Z refused=3\n"
			},
			"have no checksum", "typed", &Entry{UID: "typed", Copy: 1, Status: Delivered, Time: mtime, Quarantine: "/q r"}},
		"two spaces": {
			func(s string) string { return s + "uid=typed  status=seen\n" }, "was dropped", "typed", nil},
		"an end mark typed": {
			func(s string) string { return strings.Replace(s, "\nend n=", "\nend\nend n=", 1) }, "was dropped", "", nil},
		"line deleted": {
			func(s string) string {
				return s[:strings.Index(s, "uid=uid-0-0-0")] + s[strings.Index(s, "uid=uid-0-0-1"):]
			},
			"1 record is missing before line 3", "uid-0-0-0", nil},
		"comments and empty lines": {
			func(s string) string {
				return "# mine\n\n" + strings.Replace(s, "\nuid=", "\n# next\nuid=", 3) + "\n# end" + strings.Repeat(" of it", 200) + "\n"
			},
			"", "uid-0-0-0", ptr(full("uid-0-0-0"))},
		"CRLF": {
			func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }, "", "uid-0-0-0", ptr(full("uid-0-0-0"))},
		"last line end taken off": {
			func(s string) string { return strings.TrimSuffix(s, "\n") }, "has no line end", "uid-0-0-0", ptr(full("uid-0-0-0"))},
		"all of it written by hand": {
			func(string) string {
				return "mailhaul-state=1 host=POP.example.com user=alice@example.com\nuid=typed status=seen"
			},
			"lines 1, 2 have no checksum", "typed", &Entry{UID: "typed", Copy: 1, Status: Seen, Time: mtime}},
		"first line without its checksum": {
			func(s string) string { return s[:strings.Index(s, " n=1")] + s[strings.IndexByte(s, '\n'):] },
			"line 1 has no checksum", "uid-0-0-0", ptr(full("uid-0-0-0"))},
	} {
		t.Run(name, func(t *testing.T) {
			path := put(t, []byte(c.edit(whole)), "")
			check(t, os.Chtimes(path, mtime, mtime))
			f := mustOpen(t, path)
			d := strings.Join(f.Damage(), "\n")
			if c.damage == "" && d != "" || !strings.Contains(d, c.damage) || d != "" && !strings.Contains(d, path) {
				t.Errorf("damage %q, want %q", d, c.damage)
			}
			if got := f.Lookup(c.uid); c.want == nil && got != nil || c.want != nil && !reflect.DeepEqual(got, []Entry{*c.want}) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if b, open := f.Interrupted(); open {
				t.Errorf("interrupted: %+v", b)
			}
			check(t, f.Record("", "", full("next"))) // over whatever stands at the end
			mended(t, f)
		})
	}
}

// The beginning of one of our lines, written over the longer rest of an end mark, may look like a
// line by hand. It was never recorded.
func TestTornLineLooksMended(t *testing.T) {
	whole := sample(t, tempPath(t))
	end := bytes.LastIndex(whole, []byte("\nend n=")) + 1
	f := mustOpen(t, put(t, append(bytes.Clone(whole[:end]), "uid=typed status=seen\n"...), ""))
	if f.Lookup("typed") != nil || len(f.Damage()) != 2 {
		t.Errorf("%+v; damage %q", f.Lookup("typed"), f.Damage())
	}
	mended(t, f)
}
