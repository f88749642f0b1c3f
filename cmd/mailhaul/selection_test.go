package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func namesFrom(t *testing.T, s selection, cfg *Config) string {
	t.Helper()
	accounts, err := s.from(cfg)
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, a := range accounts {
		names = append(names, a.Name)
	}
	return strings.Join(names, " ")
}

func TestSelection(t *testing.T) {
	cfg := &Config{Path: "c.toml", Accounts: []*Account{{Name: "sales-us"}, {Name: "sales-eu"}, {Name: "work"}, {Name: "sales-old", Disabled: true}, {Name: "a[b"}, {Name: "deep/er"}}}
	for _, tt := range []struct{ names, exclude, want string }{
		{"", "", "sales-us sales-eu work a[b deep/er"},
		{"work sales-us work", "", "sales-us work"},
		{"sales-*", "", "sales-us sales-eu"},
		{"sales-old", "", "sales-old"},
		{"sales-* sales-old", "", "sales-us sales-eu sales-old"},
		{"sales-*", "*-us", "sales-eu"},
		{"", "sales-* w?rk", "a[b deep/er"},
		{"sales-[et]*", "", "sales-eu"},
		{"*", "", "sales-us sales-eu work a[b"},
		{"*/*", "", "deep/er"},
		{"a[b", "", "a[b"},
		{"work", "work", ""},
		{"wrok", "", `c.toml has no account "wrok"; did you mean "work"?`},
		{"WORK", "", `c.toml has no account "WORK"; did you mean "work"?`},
		{"sale-*s", "", `c.toml has no account that matches "sale-*s"; did you mean "sales-us"?`},
		{"xyz*", "", `c.toml has no account that matches "xyz*"; it has sales-us, sales-eu, work, sales-old, a[b, deep/er`},
		{"", "wrk", `c.toml has no account "wrk"; did you mean "work"?`},
		{"WORK*", "", `c.toml has no account that matches "WORK*"; it has sales-us, sales-eu, work, sales-old, a[b, deep/er`},
		{"[", "", `"[" is no pattern: * stands for any text, ? for a character, [a-c] for one of these`},
	} {
		if got := namesFrom(t, selection{names: strings.Fields(tt.names), exclude: strings.Fields(tt.exclude)}, cfg); got != tt.want {
			t.Errorf("%q without %q: %s, want %s", tt.names, tt.exclude, got, tt.want)
		}
	}
}

// TestShardOf pins the numbers: another host, and another version, must come to the same. They were
// made with another program's SHA-256 and big integers.
func TestShardOf(t *testing.T) {
	for name, want := range map[string][4]uint64{"work": {0, 2, 6, 574}, "Sales-North": {1, 1, 1, 409}, "sales-north": {1, 1, 1, 409}, "ünï": {0, 0, 1, 720}, "ÜNÏ": {0, 0, 1, 720}} {
		for i, n := range []uint64{2, 4, 7, 1000} {
			if got := shardOf(name, n); got != want[i] {
				t.Errorf("%s of %d: %d, want %d", name, n, got, want[i])
			}
		}
	}
}

// TestShards: together they have every account once, in whatever order and with whatever else is
// configured, and none is much larger than the others.
func TestShards(t *testing.T) {
	cfg := &Config{}
	for i := range 2000 {
		cfg.Accounts = append(cfg.Accounts, &Account{Name: fmt.Sprint("account-", i)})
	}
	other := &Config{Accounts: slices.Clone(cfg.Accounts[:1000])}
	slices.Reverse(other.Accounts)
	for _, n := range []uint64{1, 2, 3, 8} {
		seen := map[string]uint64{}
		for i := range n {
			s := selection{shard: i, shards: n}
			names := strings.Fields(namesFrom(t, s, cfg))
			if even := 2000 / int(n); len(names) < even*8/10 || len(names) > even*12/10 {
				t.Errorf("%d/%d: %d accounts", i, n, len(names))
			}
			for _, name := range names {
				if was, ok := seen[name]; ok {
					t.Errorf("%s is in shard %d and %d of %d", name, was, i, n)
				}
				seen[name] = i
			}
			for name := range strings.FieldsSeq(namesFrom(t, s, other)) {
				if at, ok := seen[name]; !ok || at != i {
					t.Errorf("%s is in another shard of %d when other accounts are there", name, n)
				}
			}
		}
		if len(seen) != 2000 {
			t.Errorf("%d shards have %d accounts", n, len(seen))
		}
	}
}

func TestParseShard(t *testing.T) {
	for _, text := range []string{"", "1", "/", "1/", "/2", "2/2", "0/0", "-1/2", "+1/2", " 0/2", "0/2/3", "a/b", "0/99999999999"} {
		if err := new(selection).parseShard(text); exitStatus(err) != exUsage {
			t.Errorf("%q: %v", text, err)
		}
	}
	s := selection{}
	if err := s.parseShard("15/16"); err != nil || s.shard != 15 || s.shards != 16 {
		t.Errorf("%v, %+v", err, s)
	}
}
