package state

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEscape(t *testing.T) {
	for _, c := range []struct{ plain, escaped string }{
		{"", ""},
		{"whqtswO00WBw418f9t5JxYwZ", "whqtswO00WBw418f9t5JxYwZ"}, // RFC 1939, section 7
		{"a b", "a%20b"},
		{"100%", "100%25"},
		{"~!=", "~!="},
		{"\x00\r\n\x1b\x7f\x80\xff", "%00%0D%0A%1B%7F%80%FF"},
		{"é", "%C3%A9"},
	} {
		if got := Escape(c.plain); got != c.escaped {
			t.Errorf("Escape(%q) = %q, want %q", c.plain, got, c.escaped)
		}
		if got, err := Unescape(c.escaped); got != c.plain || err != nil {
			t.Errorf("Unescape(%q) = %q, %v", c.escaped, got, err)
		}
	}
	if got, err := Unescape("%c3%a9"); got != "é" || err != nil {
		t.Errorf("small hex digits: %q, %v", got, err)
	}
	for _, bad := range []string{"%", "%4", "a%4", "%4G", "%G4", "a b", "a\n", "\x80", "100%"} {
		if got, err := Unescape(bad); err == nil {
			t.Errorf("Unescape(%q) = %q, no error", bad, got)
		}
	}
}

func TestFileName(t *testing.T) {
	for account, want := range map[string]string{
		"work":              "work.uidl",
		"alice@example.com": "alice@example.com.uidl",
		"":                  "%.uidl",
		"%":                 "%25.uidl",
		".":                 "%2E.uidl",
		"..":                "%2E..uidl",
		"../../etc/passwd":  "%2E.%2F..%2Fetc%2Fpasswd.uidl",
		"a b":               "a%20b.uidl",
		"a%20b":             "a%2520b.uidl",
		"é~":                "%C3%A9%7E.uidl",
		"new\nline":         "new%0Aline.uidl",
	} {
		if got := FileName(account); got != want {
			t.Errorf("FileName(%q) = %q, want %q", account, got, want)
		}
	}
	long := strings.Repeat("é", 300)
	a, b := FileName(long+"a"), FileName(long+"b")
	if a == b || len(a)+len(".rejected") > 255 || !strings.HasSuffix(a, ".uidl") {
		t.Errorf("long names: %q, %q", a, b)
	}
}

// Neither state files nor what stands beside them may ever be shared.
func TestFileNameInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a.%~]{0,4}(\.uidl|\.lock|\.new)?`), rapid.StringN(150, 400, -1))
		a, b := name.Draw(t, "a"), name.Draw(t, "b")
		if a == b {
			return
		}
		files := map[string]bool{}
		for _, account := range []string{a, b} {
			file := FileName(account)
			if strings.ContainsAny(file, "/\x00") || file[0] == '.' || len(file) > 240 {
				t.Fatalf("%q: bad name %q", account, file)
			}
			for _, n := range []string{file, lockPath(file), file + newSuffix, file + rejectedSuffix} {
				if files[n] {
					t.Fatalf("%q and %q share %q", a, b, n)
				}
				files[n] = true
			}
		}
	})
}
