package pop3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestStat(t *testing.T) {
	for _, tt := range []struct {
		reply  string
		n      int
		octets int64
	}{
		{"2 320", 2, 320},
		{"2  320 and more", 2, 320},
		{"2\t320", 2, 320},
		{"0 0", 0, 0},
		{"2", 2, -1},
		{"2 many", 2, -1},
		{"2 -5", 2, -1},
		{"2 99999999999999999999999", 2, -1},
		{fmt.Sprint(math.MaxInt, " 1"), math.MaxInt, 1},
	} {
		n, octets, err := streamClient(t, strings.NewReader("+OK "+tt.reply+"\r\n")).Stat().Wait()
		if n != tt.n || octets != tt.octets || err != nil {
			t.Errorf("%q: %d, %d, %v", tt.reply, n, octets, err)
		}
	}
	for _, reply := range []string{"", "-1 5", "+1 5", "two 5", "9223372036854775808 1", "18446744073709551616 1", "0x2 1"} {
		c := streamClient(t, strings.NewReader("+OK "+reply+"\r\n"))
		if n, _, err := c.Stat().Wait(); !errors.Is(err, ErrProtocol) || c.Err() != err {
			t.Errorf("%q: %d, %v; Err %v", reply, n, err, c.Err())
		}
	}
}

func TestList(t *testing.T) {
	l, err := streamClient(t, strings.NewReader("+OK 2 messages\r\n"+
		"1 120\r\n"+
		"2   200 octets \r\n"+
		"3\r\n"+
		"4 x\r\n"+
		"5 -1\r\n"+
		"6 18446744073709551615\r\n"+
		"7 17592186044417\r\n"+
		"8 0\r\n"+
		"0 1\r\n"+
		"-1 1\r\n"+
		"x 1\r\n"+
		"\r\n"+
		"4294967297 1\r\n"+
		"2 100\r\n"+
		"..9 1\r\n"+
		"9\t9\n10 10\r\n"+
		".\r\n")).List().Wait(2)
	if err != nil {
		t.Fatal(err)
	}
	want := []Size{{1, 120}, {2, 200}, {3, -1}, {4, -1}, {5, -1}, {6, -1}, {7, -1}, {8, 0}, {9, 9}, {10, 10}}
	if !slices.Equal(l.Messages, want) || l.Ignored != 7 {
		t.Errorf("%v, ignored %d", l.Messages, l.Ignored)
	}
}

func TestUIDL(t *testing.T) {
	long := strings.Repeat("x", maxUID)
	u, err := streamClient(t, strings.NewReader("+OK\r\n"+
		"3 a/b\r\n"+
		"1 whqtswO00WBw418f9t5JxYwZ\r\n"+
		"2   QhdPYR:00WBw1Ph7x7 \t\r\n"+
		"4 with spaces in it\r\n"+
		"5 \xe4\x00\"%41[a]..\r\n"+
		"6\r\n"+
		"7 \r\n"+
		"8 a/b\r\n"+
		"9 "+long+"\r\n"+
		"10 "+long+"x\r\n"+
		"11 a\rb\r\n"+
		"0 zero\r\n"+
		"uid\r\n"+
		"99999999999999999999 x\r\n"+
		"3 a/b\r\n"+
		".\r\n")).UIDL().Wait(2)
	if err != nil {
		t.Fatal(err)
	}
	want := []Unique{{1, "whqtswO00WBw418f9t5JxYwZ"}, {2, "QhdPYR:00WBw1Ph7x7"}, {3, "a/b"}, {4, "with spaces in it"},
		{5, "\xe4\x00\"%41[a].."}, {6, ""}, {7, ""}, {8, "a/b"}, {9, long}, {10, ""}, {11, ""}}
	if !slices.Equal(u.Messages, want) || u.Ignored != 6 {
		t.Errorf("%+v, ignored %d", u.Messages, u.Ignored)
	}
}

func TestUIDLTwice(t *testing.T) {
	for _, s := range []string{"1 a\r\n1 b\r\n", "1 a\r\n2 b\r\n1 c\r\n", "1 a\r\n1\r\n"} {
		c := streamClient(t, strings.NewReader("+OK\r\n"+s+".\r\n"))
		if _, err := c.UIDL().Wait(2); !errors.Is(err, ErrProtocol) || c.Err() != err {
			t.Errorf("%q: %v; Err %v", s, err, c.Err())
		}
	}
}

func TestUIDLOne(t *testing.T) {
	for _, tt := range []struct {
		reply string
		num   int
		uid   string
	}{
		{"2 QhdPYR:00WBw1Ph7x7", 2, "QhdPYR:00WBw1Ph7x7"},
		{"2  a b ", 2, "a b"},
		{"QhdPYR:00WBw1Ph7x7", 0, "QhdPYR:00WBw1Ph7x7"},
		{"2", 0, "2"},
		{"", 0, ""},
		{"0 a", 0, "0 a"},
		{"2 " + strings.Repeat("x", maxUID+1), 2, ""},
	} {
		num, uid, err := streamClient(t, strings.NewReader("+OK "+tt.reply+"\r\n")).UIDLOne(2).Wait()
		if num != tt.num || uid != tt.uid || err != nil {
			t.Errorf("%.40q: %d, %.40q, %v", tt.reply, num, uid, err)
		}
	}
}

// endless repeats itself up to so many times.
type endless struct {
	b    []byte
	n    int
	rest []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		if e.n == 0 {
			return 0, io.EOF
		}
		e.n--
		e.rest = e.b
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// An endless listing ends, with an error, after what RFC and STAT make believable.
func TestListingBounds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		line  string
		n     int
		max   int
		ok    bool
		error string
	}{
		{"lines", "1 1\r\n", maxLines, 0, true, ""},
		{"too many lines", "1 1\r\n", maxLines + 1, 0, false, "300000 lines"},
		{"STAT's word", "1 1\r\n", maxLines + 1, maxLines + 1, true, ""},
		{"STAT's word is believed so far", "1 1\r\n", maxLinesStat + 1, math.MaxInt, false, "400000 lines"},
		{"negative", "1 1\r\n", 1, math.MinInt, true, ""},
		{"octets", "1 " + strings.Repeat("1", 4000) + "\r\n", 5000, 0, false, "octets"},
		{"line", "1 " + strings.Repeat("1", maxListingLine-4) + "\r\n", 1, 0, true, ""},
		{"long line", "1 " + strings.Repeat("1", maxListingLine-3) + "\r\n", 1, 0, false, "4096 octets"},
		{"no line end", "1", 1 << 20, 0, false, "4096 octets"},
	} {
		reply := io.MultiReader(strings.NewReader("+OK\r\n"), &endless{b: []byte(tt.line), n: tt.n}, strings.NewReader(".\r\n"))
		c := streamClient(t, reply)
		_, err := c.List().Wait(tt.max)
		if tt.ok && err != nil || !tt.ok && (!errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), tt.error) || c.Err() != err) {
			t.Errorf("%s: %v; Err %v", tt.name, err, c.Err())
		}
	}
}

func uidlReply(n int) []byte {
	b := []byte("+OK\r\n")
	for i := range n {
		b = fmt.Appendf(b, "%d %08x.V%020d.example\r\n", i+1, i*7919, i)
	}
	return append(b, ".\r\n"...)
}

// 50,000 messages cost a few megabytes, and not an allocation each.
func TestUIDLMemory(t *testing.T) {
	reply := uidlReply(50_000)
	var u *UIDListing
	src := bytes.NewReader(nil)
	c := streamClient(t, src)
	allocs := testing.AllocsPerRun(1, func() {
		src.Reset(reply)
		u, _ = c.UIDL().Wait(50_000)
	})
	if len(u.Messages) != 50_000 || u.Messages[49_999].UID != "179998c1.V00000000000000049999.example" {
		t.Fatalf("%d messages, %v", len(u.Messages), u.Messages[len(u.Messages)-1])
	}
	if allocs > 100 {
		t.Errorf("%v allocations", allocs)
	}
	var before, after runtime.MemStats
	u = nil
	runtime.GC()
	runtime.ReadMemStats(&before)
	src.Reset(reply)
	u, _ = c.UIDL().Wait(50_000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 4<<20 {
		t.Errorf("%d octets kept", kept)
	}
	if total := after.TotalAlloc - before.TotalAlloc; total > 6<<20 {
		t.Errorf("%d octets allocated", total)
	}
	runtime.KeepAlive(u)
}

func FuzzListings(f *testing.F) {
	for _, s := range []string{"1 120\r\n2 200\r\n.\r\n", "1 whqtswO00WBw418f9t5JxYwZ\r\n2 QhdPYR:00WBw1Ph7x7\r\n.\r\n",
		"2 b\r\n1 a\r\n1 a\r\n.\r\n", "0 x\r\n\n1\r2 3\r\n.\r\n", "..1 2\r\n.\r\n"} {
		f.Add([]byte(s), 2)
	}
	f.Fuzz(func(t *testing.T, wire []byte, max int) {
		reply := append([]byte("+OK\r\n"), wire...)
		text, whole := unstuff(wire)
		c := streamClient(t, bytes.NewReader(reply))
		if l, err := c.List().Wait(max); err == nil {
			if !whole || len(l.Messages)+l.Ignored != bytes.Count(text, []byte("\n")) {
				t.Fatalf("%q: %v, whole %v", wire, l, whole)
			}
			for i, m := range l.Messages {
				if m.Num <= 0 || i > 0 && m.Num <= l.Messages[i-1].Num || m.Octets < -1 || m.Octets > maxOctets {
					t.Fatalf("%q: %v", wire, l)
				}
			}
		} else if c.Err() == nil {
			t.Fatalf("%q: %v is not sticky", wire, err)
		}
		c = streamClient(t, bytes.NewReader(reply))
		if u, err := c.UIDL().Wait(max); err == nil {
			if !whole || len(u.Messages) > bytes.Count(text, []byte("\n")) {
				t.Fatalf("%q: %v, whole %v", wire, u, whole)
			}
			for i, m := range u.Messages {
				if m.Num <= 0 || i > 0 && m.Num <= u.Messages[i-1].Num || len(m.UID) > maxUID || !bytes.Contains(text, []byte(m.UID)) {
					t.Fatalf("%q: %v", wire, u)
				}
			}
		} else if c.Err() == nil {
			t.Fatalf("%q: %v is not sticky", wire, err)
		}
	})
}

func BenchmarkUIDL(b *testing.B) {
	reply := uidlReply(50_000)
	src := bytes.NewReader(nil)
	c := streamClient(b, src)
	b.SetBytes(int64(len(reply)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(reply)
		if u, err := c.UIDL().Wait(50_000); err != nil || len(u.Messages) != 50_000 {
			b.Fatal(err)
		}
	}
}
