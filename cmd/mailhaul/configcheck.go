package main

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// A builder makes an Account of its own table and the inherited one.
type builder struct {
	*loader
	f         *configFile
	at        toml.Key // accounts.NAME or defaults
	own       map[string]any
	inherited map[string]any
	dir       string   // what relative paths of inherited are relative to
	base      string   // … and those of own
	also      []string // keys of the table that are not the account's
	a         *Account
}

func (l *loader) builder(f *configFile, at toml.Key, own map[string]any) *builder {
	return &builder{loader: l, f: f, at: at, own: own, base: filepath.Dir(f.path), a: &Account{
		Name: at[len(at)-1], file: f.path, line: f.line(at),
		TLS: "implicit", Auth: "auto", Timeout: time.Minute, ConnectTimeout: 30 * time.Second, QuarantineAfter: 5,
	}}
}

func (b *builder) key(name string) toml.Key { return append(slices.Clone(b.at), name) }

// setAll sets what the own table says, and reports what is wrong with it.
func (b *builder) setAll() {
	b.names()
	for _, k := range accountKeys {
		if v, ok := b.own[k.name]; ok {
			if err := k.set(b.a, v, b.base); err != nil {
				b.report(b.f, b.key(k.name), "%v", err)
			}
		}
	}
}

// names reports keys that do not exist, deliver's among them.
func (b *builder) names() {
	known := append(keyNames(), b.also...)
	for _, key := range b.f.under(b.at) {
		if !slices.Contains(known, key[len(b.at)]) {
			b.unknown(b.f, key, known)
		}
	}
	for _, key := range b.f.under(b.key("deliver")) {
		if !slices.Contains(deliverKeys, key[len(key)-1]) {
			b.unknown(b.f, key, deliverKeys)
		}
	}
	for _, key := range b.f.under(b.key("oauth2")) {
		if !slices.Contains(oauthKeys, key[len(key)-1]) {
			b.unknown(b.f, key, oauthKeys)
		}
	}
}

// oneSecret reports a second secret of the own table, and tells whether there is one at all.
func (b *builder) oneSecret() bool {
	first := ""
	for _, k := range accountKeys {
		v, ok := b.own[k.name]
		if !k.secret || !ok || v == false {
			continue
		}
		if first != "" {
			b.report(b.f, b.key(k.name), "a second secret beside %s; an account has one", first)
			continue
		}
		first = k.name
	}
	return first != ""
}

// account sets the own keys and those inherited that fit, and checks the whole.
func (b *builder) account(needsSecret func(string) bool) *Account {
	before := len(b.problems)
	ownSecret := b.oneSecret()
	b.names()
	for _, k := range accountKeys {
		v, own := b.own[k.name]
		dir := b.base
		if !own {
			var ok bool
			if v, ok = b.inherited[k.name]; !ok || k.secret && ownSecret {
				continue
			}
			dir = b.dir
		}
		was := *b.a
		why := ""
		if err := k.set(b.a, v, dir); err != nil {
			why = err.Error()
		} else if k.fits != nil && v != false {
			why = k.fits(b.a)
		}
		if why == "" {
			continue
		}
		*b.a = was
		if own { // what is inherited and does not fit is ignored; what is wrong with it was reported once
			b.report(b.f, b.key(k.name), "%s", why)
		}
	}
	b.whole(needsSecret, len(b.problems) == before)
	return b.a
}

// whole checks what is about no single key.
func (b *builder) whole(needsSecret func(string) bool, fine bool) {
	a := b.a
	has := func(name string) bool {
		_, own := b.own[name]
		_, inherited := b.inherited[name]
		return own || inherited
	}
	for _, name := range []string{"server", "user", "deliver"} {
		if !has(name) {
			b.report(b.f, b.at, "%s is missing", name)
		}
	}
	if a.Secret.Kind == "" && a.Auth != "external" && fine && !a.Disabled && needsSecret != nil && needsSecret(a.Name) {
		b.report(b.f, b.at, "no secret: one of %s is missing (without any, a terminal is asked)", strings.Join(secretNames(), ", "))
	}
	switch {
	case !fine || a.Server.Addr == "":
	case a.TLS == "none" && !a.Private() && !a.Cleartext:
		b.report(b.f, b.key("tls"), `"none" sends the password in clear over the network; use "implicit" or "starttls", or allow it with cleartext = true`)
	case a.TLS != "none" && a.Server.Network == "unix" && a.TLSServerName == "" && !a.TLSInsecure:
		b.report(b.f, b.at, `TLS over a unix socket needs tls_server_name; or set tls = "none"`)
	}
	for _, d := range append([]Destination{a.Deliver}, a.Also...) {
		if err := d.templates(a); fine && err != nil {
			b.report(b.f, b.key("deliver"), "%v", err)
		}
	}
	if a.Server.Addr != "" {
		a.Server.setPort(a.TLS)
	}
}

func secretNames() []string {
	var names []string
	for _, k := range accountKeys {
		if k.secret {
			names = append(names, k.name)
		}
	}
	return names
}

// synonyms are names that other programs give to our keys.
var synonyms = map[string]string{
	"host": "server", "hostname": "server", "poll": "server", "port": "server",
	"username": "user", "login": "user", "pass": "password", "passwd": "password", "passwordeval": "password_command",
	"ssl": "tls", "starttls": "tls", "mda": "deliver", "maildir": "deliver", "mbox": "deliver", "command": "deliver",
	"tls_trust_file": "tls_ca", "tls_fingerprint": "tls_pin", "killsize": "max_size",
}

// nearest gives the known key that was probably meant, or "".
func nearest(name string, known []string) string {
	lower := strings.ReplaceAll(strings.ToLower(name), "-", "_")
	if s := synonyms[lower]; slices.Contains(known, s) && !slices.Contains(known, lower) {
		return s
	}
	return nearestOf(lower, known)
}

// nearestValue gives the value that was probably meant, or "". STLS is what POP3 calls it, and a number
// is no mistyped one.
func nearestValue(text string, known []string) string {
	lower := strings.ToLower(text)
	if s := map[string]string{"stls": "starttls", "ssl": "implicit"}[lower]; slices.Contains(known, s) {
		return s
	}
	if strings.Trim(lower, ".0123456789") == "" {
		return ""
	}
	return nearestOf(lower, known)
}

// nearestOf gives the known word that is the fewest typing mistakes away, or "" if all are far.
func nearestOf(name string, known []string) string {
	best, least := "", len(name)/3+2
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the edits between two names (Levenshtein), a swap of neighbours counting as one.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		two, one, row := rows[(i-1)%3], rows[i%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}
