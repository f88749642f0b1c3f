package peer

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// deliver makes a destination of an action.
func (f *fdmFile) deliver(a *fdmAccount, action fdmAction) {
	const guess = "; the maildir here is a guess"
	if action.more || action.arg.unclear || action.arg.command != "" {
		a.disable(action.line, "action", "not carried over: it does more than one thing, or it is not known what"+guess)
		return
	}
	switch action.kind {
	case "maildir", "mbox":
		p, ok := f.tags(a, action.arg.text, "~")
		if !ok || strings.Contains(strings.TrimPrefix(p, "~"), "~") {
			a.disable(action.line, "action "+action.kind, "not carried over: it depends on the message where it goes"+guess)
			return
		}
		a.draft.deliver(action.line, action.kind, "action "+action.kind, p)
		if locks := f.locks(); action.kind == "mbox" && locks != nil && a.Get("deliver") != nil {
			a.set("deliver", append(a.Get("deliver").(Table), Setting{Key: "lock", Value: locks}))
		}
	case "pipe":
		command, ok := f.tags(a, action.arg.text, f.site.Home)
		if !ok {
			a.disable(action.line, "action pipe", "not carried over: there is something of the message in the command"+guess)
			return
		}
		a.deliverTo(action.line, "action pipe", command)
	default:
		a.disable(action.line, "action", "not carried over: mailhaul has no destination like it"+guess)
	}
}

// locks are those of fdm that mailhaul has.
func (f *fdmFile) locks() []string {
	s, ok := f.sets["lock-types"]
	if !ok {
		s = f.sets["lock-type"]
	}
	var locks []string
	for _, l := range []string{"dotlock", "fcntl"} {
		if slices.Contains(s.words, l) {
			locks = append(locks, l)
		}
	}
	return locks
}

// options are those that are set for all accounts.
func (f *fdmFile) options(a *fdmAccount) {
	if s, ok := f.sets["timeout"]; ok {
		if n := fdmNumber(s.words, fdmTimes); n > 0 {
			a.set("timeout", seconds(n))
		} else {
			a.note(s.line, "set timeout", "not carried over: it is not understood")
		}
	}
	if s, ok := f.sets["maximum-size"]; ok {
		if n := fdmNumber(s.words, fdmSizes); n > 0 {
			a.set("max_size", n)
		} else {
			a.note(s.line, "set maximum-size", "not carried over: it is not understood")
		}
	}
	if _, ok := f.sets["no-received"]; ok {
		a.set("received", false, "As set no-received does. Without a Received field an interrupted run can deliver to an mbox twice.")
	}
	if s, ok := f.sets["proxy"]; ok {
		f.proxy(a, s)
	}
}

var fdmTimes = map[string]int64{"": 1, "second": 1, "seconds": 1, "minute": 60, "minutes": 60, "hour": 3600, "hours": 3600, "day": 86400, "days": 86400}

var fdmSizes = map[string]int64{"": 1, "B": 1, "b": 1, "byte": 1, "bytes": 1,
	"K": 1 << 10, "k": 1 << 10, "KB": 1 << 10, "kb": 1 << 10, "kilobyte": 1 << 10, "kilobytes": 1 << 10,
	"M": 1 << 20, "m": 1 << 20, "MB": 1 << 20, "mb": 1 << 20, "megabyte": 1 << 20, "megabytes": 1 << 20,
	"G": 1 << 30, "g": 1 << 30, "GB": 1 << 30, "gb": 1 << 30, "gigabyte": 1 << 30, "gigabytes": 1 << 30}

// fdmNumber reads a number with its unit, 0 if it is none.
func fdmNumber(words []string, units map[string]int64) int64 {
	if len(words) == 0 || len(words) > 2 {
		return 0
	}
	unit, ok := units[strings.Join(words[1:], "")]
	n, err := strconv.ParseInt(words[0], 10, 31)
	if !ok || err != nil {
		return 0
	}
	return n * unit
}

// proxy takes the proxy over without its password: the TOML is printed.
func (f *fdmFile) proxy(a *fdmAccount, s fdmSet) {
	u, err := url.Parse(s.value.text)
	schemes := map[string]string{"socks": "socks5", "http": "http"}
	if err != nil || s.value.unclear || s.value.command != "" || schemes[u.Scheme] == "" || u.Hostname() == "" {
		a.disable(s.line, "set proxy", "not carried over: it is no proxy that mailhaul understands")
		return
	}
	port := u.Port()
	if n, err := strconv.ParseUint(port, 10, 16); port == "" || err != nil || n == 0 {
		port = map[string]string{"socks": "1080", "http": "80"}[u.Scheme]
	}
	if !a.setProxy(schemes[u.Scheme], u.Hostname(), port) {
		a.disable(s.line, "set proxy", "not carried over: it is no proxy that mailhaul understands")
	} else if u.User != nil {
		a.disable(s.line, "set proxy", "its user and password are not printed: put them into proxy, \"socks5://USER:PASSWORD@…\", in a file that only you can read")
	}
}
