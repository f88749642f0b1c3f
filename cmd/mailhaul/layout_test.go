package main

import (
	"strings"
	"testing"
)

func TestLayout(t *testing.T) {
	for _, tt := range []struct {
		screen int
		want   string
	}{
		{60, "num=3 size=8 id=4 subject=39"},
		{41, "num=3 size=8 id=4 subject=20"},
		{40, "num=3 size=8 subject=25"},
		{35, "num=3 size=8 subject=20"},
		{34, "num=3 subject=29"},
		{20, "num=3 subject=15"},
		{4, "num=3 subject=1"}, // nothing is left to leave out
	} {
		cols := layout([]column{{name: "num", width: 3}, {name: "size", width: 8, leave: 2}, {name: "id", width: 4, leave: 1},
			{name: "subject", least: 20}}, tt.screen)
		var got []string
		for _, c := range cols {
			got = append(got, c.name+"="+string(rune('0'+c.width/10))+string(rune('0'+c.width%10)))
		}
		if s := strings.ReplaceAll(strings.Join(got, " "), "=0", "="); s != tt.want {
			t.Errorf("%d: %s, want %s", tt.screen, s, tt.want)
		}
	}
	// A flexible column takes no more than it is wide, and asks for no more.
	cols := layout([]column{{name: "num", width: 3, leave: 1}, {name: "id", width: 5, least: 12}}, 10)
	if len(cols) != 2 || cols[1].width != 5 {
		t.Errorf("%+v", cols)
	}
	line := screenLine([]column{{name: "a", width: 4, right: true}, {name: "b", width: 4}, {name: "c", width: 5}},
		map[string]string{"a": "1", "b": "日本", "c": "abcdefg"})
	if line != "   1  日本  abcd…" {
		t.Errorf("%q", line)
	}
}
