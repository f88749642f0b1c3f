package deliver

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
	"testing"
)

// merge puts the wanted records into a list.
func merge(list string, wanted ...uidRecord) (string, error) {
	l, err := readUidlist(strings.NewReader(list), wanted)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	new(places).give(l.order, wanted)
	err = l.write(bufio.NewWriter(&b), strings.NewReader(list), wanted, 1700000000)
	return b.String(), err
}

func TestUidlistMerge(t *testing.T) {
	one, two := uidRecord{name: "17.I1.h,S=1,W=2", uid: "one", num: 7}, uidRecord{name: "17.I2.h,S=1,W=2", uid: "t:w\xffo", num: 8}
	for name, tt := range map[string]struct {
		list, want string
		wanted     []uidRecord
	}{
		"none":  {"", "3 V1700000000 N3\n1 Pone O1 :17.I1.h,S=1,W=2\n2 Pt:w\xffo O2 :17.I2.h,S=1,W=2\n", []uidRecord{one, two}},
		"empty": {"3 V5 N1 Gabc\n", "3 V5 N2 Gabc\n1 Pone O1 :17.I1.h,S=1,W=2\n", []uidRecord{one}},
		"behind": {"3 V5 N10 Gabc Zx\n3 PA B O7 G1 W9 :a\n4  X:y :b c\n9 :d\n",
			"3 V5 N11 Gabc Zx\n3 PA B O7 G1 W9 :a\n4  X:y :b c\n9 :d\n10 Pone O8 :17.I1.h,S=1,W=2\n", []uidRecord{one}},
		"next is low":      {"3 V5 N2\n8 :a\n", "3 V5 N10\n8 :a\n9 Pone O1 :17.I1.h,S=1,W=2\n", []uidRecord{one}},
		"there":            {"3 V5 N2\n1 Pone O4 :17.I1.h,S=1,W=2\n", "3 V5 N3\n1 Pone O4 :17.I1.h,S=1,W=2\n2 Pt:w\xffo O6 :17.I2.h,S=1,W=2\n", []uidRecord{one, two}},
		"seen before":      {"3 V5 N2\n1 W5 :17.I1.h,S=1,W=2\n", "3 V5 N2\n1 Pone O1 W5 :17.I1.h,S=1,W=2\n", []uidRecord{one}},
		"seen, no fields":  {"3 V5 N2\n1 :17.I1.h,S=1,W=2\n", "3 V5 N2\n1 Pone O1 :17.I1.h,S=1,W=2\n", []uidRecord{one}},
		"torn":             {"3 V5 N2\n1 :a\n7 Pab", "3 V5 N9\n1 :a\n8 Pone O1 :17.I1.h,S=1,W=2\n", []uidRecord{one}},
		"torn in the UID":  {"3 V5 N2\n1 :a\n7", "3 V5 N3\n1 :a\n2 Pone O1 :17.I1.h,S=1,W=2\n", []uidRecord{one}},
		"nothing is added": {"3 V5 N2\n1 Px :17.I1.h,S=1,W=2\n", "3 V5 N2\n1 Px :17.I1.h,S=1,W=2\n", []uidRecord{one}},
	} {
		got, err := merge(tt.list, tt.wanted...)
		if err != nil || got != tt.want {
			t.Errorf("%s: %v\n%q, want\n%q", name, err, got, tt.want)
		}
		if again, err := merge(got, tt.wanted...); err != nil || again != got {
			t.Errorf("%s: again: %v\n%q", name, err, again)
		}
	}
}

// A list that is not as Dovecot writes it is not touched.
func TestUidlistBroken(t *testing.T) {
	for _, list := range []string{
		"1 5 2\n1 a\n", "3 N2\n", "3 V5\n", "3 V0 N1\n", "3 Vx N1\n", "3 V5 N0\n", "x\n", "\n", "3 V5 N2", "3",
		"3 V5 N2\n0 :a\n", "3 V5 N2\n:a\n", "3 V5 N2\n1:a\n", "3 V5 N2\n2 :a\n2 :b\n", "3 V5 N2\n2 :a\n1 :b\n",
		"3 V5 N2\n1 :a/b\n", "3 V5 N2\n1 :\n", "3 V5 N2\n1 P\n", "3 V5 N2\n1 1x :a\n", "3 V5 N2\n4294967295 :a\n",
		"3 V5 N2\n\n1 :a\n", "3 V5 N2\n1 :" + strings.Repeat("a", maxUidlistLine) + "\n", "\x00\x00\x00\n",
		"3 V5 N2\n-1 :a\n", "3 V5 N2\n99999999999 :a\n",
	} {
		if got, err := merge(list, uidRecord{name: "a", uid: "b"}); !errors.Is(err, ErrUidlist) {
			t.Errorf("%.60q: %v, %q", list, err, got)
		}
	}
	for _, list := range []string{
		"3 V5 N4294967294\n", "3 V5 N2\n1 O4294967295 :x\n",
		// Lines that may be read and would have grown past what may be.
		"3 V5" + strings.Repeat(" N9", 1363) + "\n",
		"3 V5 N2\n1 W" + strings.Repeat("5", maxUidlistLine-8) + " :a\n",
	} {
		if _, err := merge(list, uidRecord{name: "a", uid: "b"}); !errors.Is(err, ErrUidlist) {
			t.Errorf("%.60q: %v", list, err)
		}
	}
}

func TestStorableUID(t *testing.T) {
	for uid, fits := range map[string]bool{
		"a": true, ":a": true, "\xe4": true, strings.Repeat("a", 1024): true,
		"a b": false, "a\tb": false, "a\nb": false, "\x00": false, "\x7f": false, strings.Repeat("a", 1025): false,
	} {
		if why := storableUID(uid); (why == "") != fits {
			t.Errorf("%.20q: %q", uid, why)
		}
	}
}

// Whatever a list is: it is refused, or comes back with its records as they were, and can be read
// again.
func FuzzUidlist(f *testing.F) {
	f.Add("3 V1700000000 N4 G0123\n1 PoldUIDL-two O2 :1700000002.M2P1.host,S=28,W=32\n2 :b\n", "1700000003.x", "uid")
	f.Add("3 V5 N2\n1 W5 :a\n7 Pto", "a", "uid")
	f.Add("", "a", "uid")
	f.Add("3 V5"+strings.Repeat(" N9", 1363)+"\n9 :b\n", "a", "uid")
	f.Fuzz(func(t *testing.T, list, name, uid string) {
		if name == "" || len(name) > 255 || strings.ContainsAny(name, "/\n") || uid == "" || storableUID(uid) != "" {
			return
		}
		got, err := merge(list, uidRecord{name: name, uid: uid})
		if err != nil {
			return
		}
		l, err := readUidlist(strings.NewReader(got), []uidRecord{{name: name, uid: uid}})
		if err != nil || !l.there[name] {
			t.Fatalf("%q: %v\n%q", list, err, got)
		}
		for n, line := range strings.SplitAfter(list, "\n") {
			rec, err := parseRecord([]byte(strings.TrimSuffix(line, "\n")))
			if n > 0 && err == nil && strings.HasSuffix(line, "\n") && string(rec.name) != name && !strings.Contains(got, "\n"+line) {
				t.Fatalf("%q is gone from\n%q", line, got)
			}
		}
	})
}

func TestPlaces(t *testing.T) {
	var p places
	for _, step := range []struct {
		highest int64
		nums    []int
		want    []int64
	}{
		{10, []int{5, 6, 9}, []int64{11, 12, 15}},
		{15, []int{7, 10}, []int64{13, 16}}, // 7 was retrieved again
		{16, []int{2, 0, 0}, []int64{11, 17, 18}},
	} {
		var wanted []uidRecord
		for _, n := range step.nums {
			wanted = append(wanted, uidRecord{num: n})
		}
		p.give(step.highest, wanted)
		for i, w := range wanted {
			if w.order != step.want[i] {
				t.Errorf("message %d behind %d: %d, want %d", w.num, step.highest, w.order, step.want[i])
			}
		}
	}
}
