package main

import (
	"slices"
	"strings"
	"testing"

	"mailhaul/cmd/mailhaul/peer"
	"mailhaul/fetch/state"
)

// What a program stores is not always what the server sends, and what is not clear is fetched.
func TestResolve(t *testing.T) {
	type words = []string
	ten := strings.Split("0123456789", "")
	for name, c := range map[string]struct {
		program       peer.Program
		stored        words
		listed        words // nil: not known
		want          words
		gone, unclear int
		mapped        int
		none          bool
	}{
		"offline":                       {program: peer.Mpop, stored: words{"a", "b"}, want: words{"a", "b"}},
		"as it is":                      {program: peer.Mpop, stored: words{"a", "b c"}, listed: words{"b c", "a", "new"}, want: words{"a", "b c"}},
		"not listed now":                {program: peer.Fdm, stored: words{"a", "b"}, listed: words{"b"}, want: words{"a", "b"}},
		"empty maildrop":                {program: peer.Fdm, stored: words{"a"}, listed: words{}, want: words{"a"}},
		"another maildrop":              {program: peer.Fdm, stored: ten, listed: words{"x"}, want: ten, none: true},
		"a short list of it":            {program: peer.Fdm, stored: words{"a"}, listed: words{"x"}, want: words{"a"}},
		"two messages, one retrieved":   {program: peer.Mpop, stored: words{"a"}, listed: words{"a", "a"}, unclear: 2},
		"two messages, both retrieved":  {program: peer.Mpop, stored: words{"a", "a"}, listed: words{"a", "a"}, want: words{"a", "a"}},
		"one of two left":               {program: peer.Mpop, stored: words{"a", "a"}, listed: words{"a"}, want: words{"a"}},
		"fetchmail cuts at a blank":     {program: peer.Fetchmail, stored: words{"a", "b"}, listed: words{"a x", "b\ty"}, want: words{"a x", "b\ty"}},
		"fetchmail, several begin so":   {program: peer.Fetchmail, stored: words{"a", "b"}, listed: words{"a x", "a y", "b"}, want: words{"b"}, unclear: 2},
		"fetchmail, all of them stored": {program: peer.Fetchmail, stored: words{"a", "a"}, listed: words{"a x", "a"}, want: words{"a x", "a"}},
		"getmail has no slash":          {program: peer.Getmail, stored: words{"a-b", "c"}, listed: words{"a/b", "c"}, want: words{"a/b", "c"}},
		"getmail, both forms":           {program: peer.Getmail, stored: words{"a-b"}, listed: words{"a/b", "a-b"}, unclear: 2},
		"getmail keeps what is gone":    {program: peer.Getmail, stored: words{"a", "b", "c"}, listed: words{"c"}, want: words{"c"}, gone: 2},
		"getmail, all gone":             {program: peer.Getmail, stored: words{"a"}, listed: words{"x"}, gone: 1},
		"getmail, empty maildrop":       {program: peer.Getmail, stored: ten, listed: words{}, gone: 10, none: true},
		"getmail offline":               {program: peer.Getmail, stored: words{"a-b-c", "d"}, want: words{"a-b-c", "d"}, mapped: 1},
	} {
		l := &seenList{program: c.program}
		for _, uid := range c.stored {
			l.ids = append(l.ids, peer.Seen{UID: uid})
		}
		got := resolve(l, c.listed)
		var uids words
		for _, s := range got.ids {
			uids = append(uids, s.UID)
		}
		if !slices.Equal(uids, c.want) || got.gone != c.gone || got.unclear != c.unclear || got.mapped != c.mapped || got.none != c.none {
			t.Errorf("%s: %q, %+v", name, uids, got)
		}
	}
}

// A list is of the accounts of its mailbox, and what could be of several is of none.
func TestMatchSeen(t *testing.T) {
	account := func(name, host, user string) *Account {
		return &Account{Name: name, User: user, Server: Server{Host: host}}
	}
	cfg := &Config{Path: "c.toml", Accounts: []*Account{
		account("a", "pop.example.com", "alice"), account("b", "pop.example.com", "alice"), account("c", "pop.example.com", "Alice"),
		account("d", "::1", "x:y"), account("e", "::1", "x/y"), account("s", "unix:/run/Pop", "alice")}}
	list := func(p peer.Program, file, host, user string) *seenList {
		return &seenList{program: p, file: file, id: state.Identity{Host: host, User: user}, ids: make([]peer.Seen, 2)}
	}
	for name, c := range map[string]struct {
		list *seenList
		only *Account
		want string // names of accounts
		left string
	}{
		"host in another case":  {list: list(peer.Mpop, "f", "POP.example.com", "alice"), want: "ab"},
		"user in another case":  {list: list(peer.Mpop, "f", "pop.example.com", "ALICE"), left: `f, user "ALICE" at "pop.example.com": 2 unique-ids of no account in c.toml; near to it: "a", user "alice" at "pop.example.com", "b", user "alice" at "pop.example.com", "c", user "Alice" at "pop.example.com", …`},
		"socket":                {list: list(peer.Mpop, "f", "unix:/run/Pop", "alice"), want: "s"},
		"unknown":               {list: list(peer.Mpop, "f", "h", "u"), left: `f, user "u" at "h": 2 unique-ids of no account in c.toml`},
		"forced":                {list: list(peer.Mpop, "f", "h", "u"), only: cfg.Accounts[2], want: "c"},
		"forced to one of two":  {list: list(peer.Mpop, "f", "pop.example.com", "alice"), only: cfg.Accounts[1], want: "b"},
		"getmail":               {list: list(peer.Getmail, "/h/oldmail-pop.example.com-995-alice", "", ""), want: "ab"},
		"getmail, one of two":   {list: list(peer.Getmail, "oldmail--1-110-x-y", "", ""), left: `oldmail--1-110-x-y: 2 unique-ids of no account in c.toml; near to it: "d", user "x:y" at "::1", "e", user "x/y" at "::1"`},
		"getmail, told which":   {list: list(peer.Getmail, "oldmail--1-110-x-y", "", ""), only: cfg.Accounts[4], want: "e"},
		"fdm":                   {list: list(peer.Fdm, "cache", "", ""), left: `cache: the file does not say of which account it is (2 unique-ids)`},
		"fdm, told whose it is": {list: list(peer.Fdm, "cache", "", ""), only: cfg.Accounts[0], want: "a"},
	} {
		all, left, err := matchSeen(cfg, c.only, []*seenList{c.list})
		if err != nil {
			t.Fatal(err)
		}
		var names, text string
		for _, o := range all {
			names += o.account.Name
		}
		for _, e := range left {
			text += e.Error()
		}
		if names != c.want || text != c.left {
			t.Errorf("%s: %q, left %q", name, names, text)
		}
	}
	// What is of other accounts is left out where one is named.
	all, left, err := matchSeen(cfg, cfg.Accounts[0], []*seenList{list(peer.Fetchmail, "f", "pop.example.com", "alice"), list(peer.Fetchmail, "f", "unix:/run/Pop", "alice")})
	if err != nil || len(left) > 0 || len(all) != 1 || all[0].account.Name != "a" {
		t.Errorf("named: %v, %v, %v", all, left, err)
	}
}
