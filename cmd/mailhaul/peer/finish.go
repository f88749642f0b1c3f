package peer

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A draft is what a parser finds out of an account before it is one.
type draft struct {
	Account
	program Program

	plain       bool   // no TLS is wanted, or none by force
	whyPlain    string // as the program does it, for the finding
	startTLS    bool   // TLS on the usual port
	literal     bool   // a password stands in the file
	literalLine int
	insecure    bool     // the program does not verify the certificate
	skip        bool     // the program leaves it out unless it is named
	undecided   []string // what the user has to decide first
}

// disable says why the account must not run before the user has decided something.
func (d *draft) disable(line int, option, format string, args ...any) {
	d.note(line, option, format, args...)
	d.undecided = append(d.undecided, option)
}

// add completes a draft and makes it an account of the Import. What mailhaul would refuse is
// left out with a finding: every account that is printed can be read.
func (imp *Import) add(d *draft, site Site) {
	a := &d.Account
	d.sift()
	if !d.place() {
		imp.leaveOut(a, "it names no server with a port that mailhaul could reach")
		return
	}
	if a.User == "" || !writable(a.User) {
		imp.leaveOut(a, "it has no user that mailhaul could send")
		return
	}
	a.Name = imp.unused(a.Name)
	a.set("user", a.User)
	if a.Get("tunnel") != nil || strings.HasPrefix(a.Host, "unix:") {
		for _, k := range []string{"proxy", "source_address"} {
			if a.Get(k) != nil {
				a.unset(k)
				a.note(0, k, "left out: there is no network to the server")
			}
		}
	}
	d.encryption()
	if a.Get("auth") == "external" && a.Get("tls_cert") == nil {
		a.unset("auth")
		d.disable(0, "auth", "external needs TLS with a certificate, tls_cert")
	}
	d.secret(site)
	if a.Get("deliver") == nil {
		a.set("deliver", Table{{Key: "maildir", Value: "~/Mail/" + fileName(a.Name)}})
		if len(d.undecided) == 0 {
			d.undecided = append(d.undecided, "destination")
		}
	}
	if twin := imp.sameMailbox(a); twin != nil {
		d.undecided = append(d.undecided, "the same mailbox as "+twin.Name+", of which each would retrieve everything")
	}
	if len(d.undecided) == 0 && d.skip {
		a.set("disabled", true, "As skip: only when it is named, mailhaul fetch "+shellWord(a.Name)+".")
	}
	if len(d.undecided) > 0 {
		a.set("disabled", true, "Not before you have decided about this: "+strings.Join(slices.Compact(d.undecided), ", ")+".")
	}
	a.tidy()
	imp.Accounts = append(imp.Accounts, a)
}

// sameMailbox finds another account of the same server and user: their states are apart.
func (imp *Import) sameMailbox(a *Account) *Account {
	i := slices.IndexFunc(imp.Accounts, func(b *Account) bool { return a.Host == b.Host && a.User == b.User })
	if i < 0 {
		return nil
	}
	return imp.Accounts[i]
}

// leaveOut says of an account that it is not printed.
func (imp *Import) leaveOut(a *Account, why string) {
	imp.Findings = append(imp.Findings, Finding{a.File, a.Line, a.From, "is not imported: " + why})
}

// place makes "server" of Host and Port.
func (d *draft) place() bool {
	a := &d.Account
	if path, ok := strings.CutPrefix(a.Host, "unix:"); ok {
		if !strings.HasPrefix(path, "/") || !writable(path) {
			return false
		}
		a.set("server", a.Host)
		return true
	}
	a.Host = strings.TrimSuffix(strings.ToLower(strings.Trim(a.Host, "[]")), ".")
	addr, err := netip.ParseAddr(a.Host)
	v6 := err == nil && addr.Is6()
	if !validHost(a.Host) && !v6 {
		return false
	}
	server := a.Host
	if a.Port != "" {
		n, err := strconv.ParseUint(a.Port, 10, 16)
		if err != nil || n == 0 {
			return false
		}
		a.Port = strconv.FormatUint(n, 10)
		if a.Port != d.usualPort() {
			server = net.JoinHostPort(a.Host, a.Port)
		}
	}
	a.set("server", server)
	return true
}

// validHost tells whether mailhaul takes a name for that of a server.
func validHost(host string) bool {
	bad := func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == utf8.RuneError || strings.ContainsRune(`/\@"'[]<>,;:`, r)
	}
	return host != "" && !strings.ContainsFunc(host, bad)
}

func (d *draft) usualPort() string {
	if d.plain || d.startTLS {
		return "110"
	}
	return "995"
}

// private tells whether what is said in clear stays on this machine or in a tunnel.
func (d *draft) private() bool {
	if d.Get("proxy") != nil {
		return false
	}
	if d.Get("tunnel") != nil || strings.HasPrefix(d.Host, "unix:") || d.Host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(d.Host)
	return err == nil && addr.Unmap().IsLoopback()
}

// encryption makes "tls". Over a network there is no import without it, and none that does not
// verify.
func (d *draft) encryption() {
	a := &d.Account
	if !d.plain && strings.HasPrefix(a.Host, "unix:") && a.Get("tls_server_name") == nil {
		d.plain = true
		a.note(0, "tls", "over the socket there is none; there it needs tls_server_name, the name in the certificate")
	}
	switch {
	case d.plain && d.private():
		a.set("tls", "none")
		if auth, _ := a.Get("auth").(string); strings.HasSuffix(auth, "-plus") {
			a.unset("auth")
			a.note(0, "auth", "left out: it is bound to TLS, and there is none")
		}
		for _, s := range slices.Clone(a.Settings) {
			if strings.HasPrefix(s.Key, "tls_") {
				a.unset(s.Key)
				a.note(0, s.Key, "left out: there is no TLS")
			}
		}
		return
	case d.plain:
		a.set("tls", "starttls", d.whyPlain+" If the server cannot do STLS, and the password may be read on the way: tls = \"none\" and cleartext = true.")
	case d.startTLS:
		a.set("tls", "starttls")
	}
	if d.insecure {
		a.note(0, "certificate", "mailhaul verifies it, which %s did not do here. Of a server that has one of its own, \"mailhaul check\" prints the key's pin for tls_pin, and tls_insecure = true lets the pin alone decide", d.program)
	}
	if a.Get("tls_key") != nil && a.Get("tls_cert") == nil {
		a.unset("tls_key")
		a.note(0, "tls_key", "left out: there is no certificate to it")
	}
}

// secret puts a file in the place of a password. The command opens an editor on a file that only
// its owner can read: so the password is in no history and no process list.
func (d *draft) secret(site Site) {
	if !d.literal && d.Get("password_command") == nil && d.Get("netrc") == nil && d.Get("auth") != "external" {
		d.literal = true // there was one that cannot be written
	}
	if !d.literal {
		return
	}
	dir := strings.TrimSuffix(site.Dir, "/")
	if dir == "" {
		dir = "~/.config/mailhaul"
	}
	file := dir + "/" + fileName(d.Name) + ".password"
	where := fmt.Sprintf("The password is in line %d of %s.", d.literalLine, d.File)
	if d.literalLine == 0 {
		where = fmt.Sprintf("There is no password in the file: %s asks. Without this line mailhaul does, too.", d.program)
	}
	d.set("password_file", escapeDollar(file), fmt.Sprintf("%s Put it alone into a file that only you can read:\n    mkdir -p %s && install -m 600 /dev/null %s\n    ${EDITOR:-vi} %s",
		where, shellPath(dir), shellPath(file), shellPath(file)))
}

// order is that of the keys in the output.
var order = []string{
	"server", "tls", "user", "auth", "password_command", "password_file", "netrc", "keyring", "deliver", "received",
	"keep", "delete_after", "max_size", "max_messages", "disabled", "tunnel", "proxy", "source_address", "timeout", "pipelining",
	"tls_ca", "tls_pin", "tls_cert", "tls_key", "tls_server_name", "tls_min",
}

// sift leaves out what TOML cannot hold. It comes first: other settings depend on what is left.
func (d *draft) sift() {
	for _, s := range slices.Clone(d.Settings) {
		if writable(s.Value) {
			continue
		}
		d.unset(s.Key)
		d.note(0, s.Key, "left out: it is empty, or not UTF-8, or has a character in it that cannot be written")
		if s.Key == "deliver" || s.Key == "tunnel" || s.Key == "password_command" {
			d.undecided = append(d.undecided, s.Key)
		}
	}
}

// tidy puts settings and findings in order.
func (a *Account) tidy() {
	slices.SortStableFunc(a.Settings, func(x, y Setting) int {
		return slices.Index(order, x.Key) - slices.Index(order, y.Key)
	})
	slices.SortStableFunc(a.Findings, func(x, y Finding) int { return x.Line - y.Line })
}

// unused makes a name one that mailhaul accepts and that no other account has.
func (imp *Import) unused(name string) string {
	name = strings.TrimLeft(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return '_'
		}
		return r
	}, name), "-")
	if name == "" {
		name = "account"
	}
	for n, first := 2, name; imp.has(name); n++ {
		name = fmt.Sprintf("%s-%d", first, n)
	}
	return name
}

// has looks for a name. Those that differ in case alone would share a password file on some
// file systems.
func (imp *Import) has(name string) bool {
	return slices.ContainsFunc(imp.Accounts, func(a *Account) bool { return strings.EqualFold(fileName(a.Name), fileName(name)) })
}
