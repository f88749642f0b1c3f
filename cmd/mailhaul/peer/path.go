package peer

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// fileName makes a file's name of an account's.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && strings.ContainsRune("/\\ '\"$~*?<>|&;:", r) || r >= 0x80 {
			return '_'
		}
		return r
	}, name)
	if name = strings.TrimLeft(name, "."); name == "" {
		return "account"
	}
	return name
}

// program keeps mailhaul from expanding the dollar signs of a command's program, and from refusing a
// tilde that is only a name's first character, where there is a slash in it.
func program(args []string) []string {
	if strings.Contains(args[0], "/") {
		args[0] = escapeDollar(args[0])
		if strings.HasPrefix(args[0], "~") && !strings.HasPrefix(args[0], "~/") {
			args[0] = "./" + args[0]
		}
	}
	return args
}

// escapeDollar keeps mailhaul from expanding a path's dollar signs.
func escapeDollar(p string) string { return strings.ReplaceAll(p, "$", "$$") }

// cleanPath makes a path one of mailhaul's configuration. The error says why it cannot be one.
func cleanPath(p string) (string, error) {
	switch {
	case p == "" || strings.ContainsAny(p, "\x00\r\n"):
		return "", errors.New("the path is empty or has a line break in it")
	case p == "~" || strings.HasPrefix(p, "~/") || strings.HasPrefix(p, "/"):
		return escapeDollar(p), nil
	case strings.HasPrefix(p, "~"):
		return "", errors.New("mailhaul does not know the home directories of others; write the whole path")
	}
	return "~/" + escapeDollar(strings.TrimPrefix(p, "./")), nil
}

// setPath sets a key to a path.
func (a *Account) setPath(line int, key, option, p string) {
	clean, err := cleanPath(p)
	if err != nil {
		a.note(line, option, "left out: %v", err)
		return
	}
	if p[0] != '/' && p[0] != '~' {
		a.note(line, option, "the path is relative; mailhaul's is taken from the home directory")
	}
	a.set(key, clean)
}

// deliver sets the destination to a maildir or an mbox.
func (d *draft) deliver(line int, kind, option, p string) {
	clean, err := cleanPath(p)
	if err != nil {
		d.disable(line, option, "%v", err)
		return
	}
	if p[0] != '/' && p[0] != '~' {
		d.note(line, option, "the path is relative; mailhaul's is taken from the home directory")
	}
	d.set("deliver", Table{{Key: kind, Value: clean}})
}

// deliverTo sets the destination to a command, with marks for its placeholders.
func (d *draft) deliverTo(line int, option, command string) {
	args, shell, err := deliverArgv(command)
	d.deliverArgs(line, option, args, shell, err)
}

func (d *draft) deliverArgs(line int, option string, args []string, shell bool, err error) {
	if err != nil {
		d.disable(line, option, "the command is not carried over: %v", err)
		return
	}
	comment := ""
	if shell {
		comment = "A shell runs this. What a message says must not stand in its text: it is \"$1\" and so on there, or $MAILHAUL_SENDER and $MAILHAUL_RECIPIENT in quotes."
	}
	d.set("deliver", Table{{Key: "command", Value: program(args)}}, comment)
}

// seconds makes a duration.
func seconds(n int64) string { return strconv.FormatInt(n, 10) + "s" }

// setProxy sets the proxy, and tells whether it can be one.
func (a *Account) setProxy(scheme, host, port string) bool {
	addr, err := netip.ParseAddr(host)
	n, bad := strconv.ParseUint(port, 10, 16)
	if bad != nil || n == 0 || !validHost(host) && (err != nil || addr.Zone() != "") || strings.ContainsAny(host, "%?#{}|^`") {
		return false
	}
	a.set("proxy", scheme+"://"+net.JoinHostPort(host, port))
	return true
}

// serverDelivery makes a mail server the destination. host may be the path of a socket.
func (d *draft) serverDelivery(line int, option, protocol, host, port, recipient, comment string) {
	const guess = "; the maildir here is a guess"
	tls, usual := "none", map[string]string{"smtp": "25", "lmtp": "24"}[protocol]
	if strings.HasPrefix(host, "/") || host == "" && port != "" {
		host = "unix:/" + strings.TrimPrefix(host+port, "/")
	} else {
		host = strings.TrimSuffix(strings.ToLower(host), ".")
		n, err := strconv.ParseUint(cmp.Or(port, usual), 10, 16)
		addr, notAddr := netip.ParseAddr(host)
		if err != nil || n == 0 || !validHost(host) && notAddr != nil {
			d.disable(line, option, "not carried over: it is no mail server with a port"+guess)
			return
		}
		if host != "localhost" && (notAddr != nil || !addr.IsLoopback()) {
			if tls = "starttls"; protocol == "lmtp" {
				d.disable(line, option, "not carried over: LMTP goes in clear, and not over a network"+guess)
				return
			}
			d.note(line, option, "%s sends in clear to it; mailhaul demands STARTTLS", d.program)
		}
		if host = net.JoinHostPort(host, strconv.FormatUint(n, 10)); tls == "none" {
			host = strings.TrimSuffix(host, ":"+usual)
		}
	}
	to := Table{{Key: protocol, Value: host}}
	if protocol == "smtp" {
		to = append(to, Setting{Key: "tls", Value: tls})
	}
	d.set("deliver", append(to, Setting{Key: "recipient", Value: recipient}), comment)
}
