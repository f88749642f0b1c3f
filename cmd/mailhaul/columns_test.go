package main

import "testing"

func TestFit(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"},
		{"日本", 4, "日本"}, {"日本語", 4, "日…"}, {"日本語", 5, "日本…"},
		{"e\u0301e\u0301", 2, "e\u0301e\u0301"}, {"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
	} {
		if got := fit(c.text, c.n); got != c.want {
			t.Errorf("fit(%q, %d) = %q", c.text, c.n, got)
		}
	}
	if got := pad("日本", 6) + "|"; got != "日本  |" {
		t.Errorf("%q", got)
	}
	if got := pad("toolong", 3); got != "toolong" {
		t.Errorf("%q", got)
	}
}
