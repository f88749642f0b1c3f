package main

import (
	"crypto/sha256"
	glob "path" // path.Match: names are matched, not files
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// A selection says which accounts a command is to do. The zero value means all that are not
// disabled.
type selection struct {
	names         []string        // of accounts, or patterns (path.Match); none means all
	exclude       []string        // the same; these are left out
	only          map[string]bool // nil: no further choice
	shard, shards uint64          // only what falls to number shard of so many; shards = 0: no such division
}

// excludeFlag is for the commands that take several accounts.
func excludeFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "exclude", Usage: "leave out the accounts that match `PATTERN`; may be given several times"}
}

// selected reads what the command line says about accounts.
func selected(c *cli.Context) (s selection, err error) {
	s.names, s.exclude = c.Args().Slice(), c.StringSlice("exclude")
	if c.IsSet("shard") {
		err = s.parseShard(c.String("shard"))
	}
	return s, err
}

// parseShard reads I/N.
func (s *selection) parseShard(text string) (err error) {
	number, of, ok := strings.Cut(text, "/")
	if ok {
		s.shard, err = strconv.ParseUint(number, 10, 32)
	}
	if ok && err == nil {
		s.shards, err = strconv.ParseUint(of, 10, 32)
	}
	if !ok || err != nil || s.shard >= s.shards {
		return usagef("option --shard: want I/N, with I from 0 to N-1, like \"0/4\", not %q", text)
	}
	return nil
}

// takes tells whether an account is meant, if it is not disabled.
func (s selection) takes(account string) bool {
	if len(s.names) > 0 && !slices.ContainsFunc(s.names, func(p string) bool { return matches(p, account) }) {
		return false
	}
	if slices.ContainsFunc(s.exclude, func(p string) bool { return matches(p, account) }) {
		return false
	}
	if s.only != nil && !s.only[account] {
		return false
	}
	return s.shards == 0 || shardOf(account, s.shards) == s.shard
}

// matches tells whether a name or a pattern means an account.
func matches(pattern, account string) bool {
	ok, err := glob.Match(pattern, account)
	return pattern == account || err == nil && ok
}

// shardOf gives the shard of an account among so many: the SHA-256 of its name in lower case, taken
// as a number with the first octet highest, modulo shards. It depends on nothing else, so that every
// host comes to the same result, whatever else is configured there. Users may rely on it.
func shardOf(account string, shards uint64) (rest uint64) {
	for _, b := range sha256.Sum256([]byte(strings.ToLower(account))) {
		rest = (rest<<8 | uint64(b)) % shards // fits: shards has 32 bits
	}
	return rest
}

// from gives the accounts in the configuration's order, each once. One that is disabled must be
// named, not matched. A name or pattern that fits none of the configuration is a usage error.
func (s selection) from(cfg *Config) ([]*Account, error) {
	for _, p := range slices.Concat(s.names, s.exclude) {
		if _, err := glob.Match(p, ""); err != nil && cfg.Account(p) == nil {
			return nil, usagef("%q is no pattern: * stands for any text, ? for a character, [a-c] for one of these", p)
		}
		if !slices.ContainsFunc(cfg.Accounts, func(a *Account) bool { return matches(p, a.Name) }) {
			what := "has no account"
			if strings.ContainsAny(p, "*?[") {
				what += " that matches"
			}
			return nil, unknownAccount(cfg, what, p)
		}
	}
	var accounts []*Account
	for _, a := range cfg.Accounts {
		if s.takes(a.Name) && (!a.Disabled || slices.Contains(s.names, a.Name)) {
			accounts = append(accounts, a)
		}
	}
	return accounts, nil
}

func unknownAccount(cfg *Config, what, name string) error {
	names := accountNames(cfg)
	near := nearestOf(name, names)
	if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
		near = names[i]
	}
	if near != "" {
		return usagef("%s %s %q; did you mean %q?", cfg.Path, what, name, near)
	}
	if len(names) > 0 && len(names) <= manyAccounts {
		return usagef("%s %s %q; it has %s", cfg.Path, what, name, strings.Join(names, ", "))
	}
	return usagef("%s %s %q", cfg.Path, what, name)
}

func accountNames(cfg *Config) (names []string) {
	for _, a := range cfg.Accounts {
		names = append(names, a.Name)
	}
	return names
}
