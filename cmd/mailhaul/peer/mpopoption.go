package peer

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

func (d *draft) mpopServer(m *mpopAccount) {
	host, _ := m.is("host")
	d.Host = host.arg
	if c, ok := m.is("port"); ok {
		d.Port = c.arg
	}
	proxy, proxied := m.is("proxy_host")
	if c, ok := m.is("socket"); ok {
		d.Host, d.Port, proxied = "unix:"+c.arg, "", false
		if !strings.HasPrefix(c.arg, "/") {
			d.note(c.line, "socket", "write the whole path")
		}
	}
	if proxied {
		port := "1080"
		if c, ok := m.is("proxy_port"); ok {
			port = c.arg
		}
		if !d.setProxy("socks5", proxy.arg, port) {
			d.disable(proxy.line, "proxy_host", "not carried over: it is no host with a port")
		}
	}
	if c, ok := m.is("source_ip"); ok {
		if addr, err := netip.ParseAddr(c.arg); err == nil && addr.Zone() == "" {
			d.set("source_address", c.arg)
		} else {
			d.note(c.line, "source_ip", "not carried over: it is no address")
		}
	}
	for _, name := range []string{"timeout", "connect_timeout"} {
		c, ok := m.is(name)
		if n, err := strconv.ParseInt(c.arg, 10, 31); ok && err == nil && n > 0 {
			d.set("timeout", seconds(n))
		} else if ok {
			d.note(c.line, name, "not carried over: mailhaul never waits without an end")
		}
	}
	if c, ok := m.is("pipelining"); ok && c.arg == "off" {
		d.set("pipelining", "off")
	}
}

func (d *draft) mpopTLS(m *mpopAccount) {
	switch {
	case !m.on("tls", false):
		d.plain, d.whyPlain = true, "mpop does not encrypt here (tls off, its default)."
	case m.on("tls_starttls", true) && !(m.on("tls_nostarttls", false)):
		d.startTLS = true
	}
	if c, ok := m.commands["tls_trust_file"]; ok && c.arg == "" {
		d.insecure = true
	} else if ok && c.arg != "system" {
		d.setPath(c.line, "tls_ca", "tls_trust_file", c.arg)
	}
	if !m.on("tls_certcheck", true) {
		d.insecure = true
	}
	if c, ok := m.is("tls_fingerprint"); ok {
		d.note(c.line, "tls_fingerprint", "cannot be carried over: mailhaul pins the key, not the certificate. \"mailhaul check\" prints the pin for tls_pin, and with it tls_insecure = true lets the pin alone decide")
	}
	for _, k := range [][2]string{{"tls_cert_file", "tls_cert"}, {"tls_key_file", "tls_key"}} {
		c, ok := m.is(k[0])
		switch {
		case ok && strings.Contains(c.arg, ":"):
			d.disable(c.line, k[0], "not carried over: mailhaul reads files, not devices")
		case ok:
			d.setPath(c.line, k[1], k[0], c.arg)
		}
	}
	if c, ok := m.is("tls_host_override"); ok {
		d.set("tls_server_name", c.arg)
	} else if c, ok := m.is("host"); ok && strings.HasPrefix(d.Host, "unix:") && !d.plain {
		d.set("tls_server_name", c.arg)
	}
	for _, name := range []string{"tls_crl_file", "tls_priorities", "tls_min_dh_prime_bits", "tls_force_sslv3"} {
		if c, ok := m.is(name); ok {
			d.note(c.line, name, "not carried over: mailhaul speaks TLS 1.2 and 1.3 with what is safe of them; tls_min is the only choice")
		}
	}
}

// mpopMechanisms are those of mpop that mailhaul has under the same name.
var mpopMechanisms = strings.Fields("user plain login apop cram-md5 scram-sha-1 scram-sha-256 scram-sha-1-plus scram-sha-256-plus external xoauth2 oauthbearer")

func (d *draft) mpopLogin(m *mpopAccount) {
	if c, ok := m.is("user"); ok {
		d.User = c.arg
	}
	if c, ok := m.is("auth"); ok && c.arg != "on" {
		switch {
		case slices.Contains(mpopMechanisms, strings.ToLower(c.arg)):
			d.set("auth", strings.ToLower(c.arg))
		case c.arg == "off":
			d.disable(c.line, "auth", "not carried over: mailhaul always logs in")
		default:
			d.disable(c.line, "auth", "mailhaul does not have this kind of login")
		}
	}
	if c, ok := m.is("ntlmdomain"); ok {
		d.note(c.line, "ntlmdomain", "not carried over: there is no NTLM")
	}
	password, literal := m.is("password")
	eval, command := m.is("passwordeval")
	switch {
	case literal:
		d.literal, d.literalLine = true, password.line
	case command:
		d.set("password_command", program(argv(eval.arg)))
	case d.Get("auth") != "external":
		d.set("netrc", true, "There is no password in the file: mpop looks into the keyring, then ~/.netrc, then asks. For the keyring: keyring = true, and store it again as mailhaul.toml(5) says. Without either mailhaul asks.")
	}
}

func (d *draft) mpopDelivery(m *mpopAccount) {
	c, ok := m.is("delivery")
	if !ok {
		d.disable(d.Line, "delivery", "there is none; the maildir here is a guess")
		return
	}
	method, arg := mpopSplit(c.arg)
	switch method {
	case "maildir", "mbox":
		d.deliver(c.line, method, "delivery "+method, arg)
	case "mda":
		d.deliverTo(c.line, "delivery mda", strings.ReplaceAll(arg, "%F", string(sender)))
	default:
		d.disable(c.line, "delivery", "mailhaul has no destination like it; the maildir here is a guess")
	}
}

func (d *draft) mpopMessages(m *mpopAccount) {
	keep := m.on("keep", false)
	if c, ok := m.is("keep"); ok && c.arg != "on" && c.arg != "off" {
		if keep = validDuration(c.arg); keep {
			d.set("delete_after", c.arg)
		} else {
			d.note(c.line, "keep", "taken as on: it is no duration")
			keep = true
		}
	}
	if keep {
		d.set("keep", true)
	}
	if c, ok := m.is("skipsize"); ok && c.arg != "off" {
		d.mpopSize(c, "skipsize")
	}
	if c, ok := m.is("killsize"); ok && c.arg != "off" {
		switch {
		case strings.Trim(c.arg, "0kKmM") == "":
			d.disable(c.line, "killsize", "not carried over: to mark all that is on the server as seen, run mailhaul state baseline once")
		case keep:
			d.mpopSize(c, "killsize")
		default:
			d.note(c.line, "killsize", "refused: it deletes messages that were never retrieved; larger ones than max_size stay and are reported")
			d.mpopSize(c, "killsize")
		}
	}
	if c, ok := m.is("filter"); ok {
		d.note(c.line, "filter", "not carried over: every message is retrieved; a command as destination can sort them")
	}
	if c, ok := m.commands["only_new"]; ok && !m.on("only_new", true) {
		d.note(c.line, "only_new", "not carried over: what was delivered once is not delivered again")
	}
	if !m.on("received_header", true) {
		d.set("received", false, "As received_header off does. Without a Received field an interrupted run can deliver to an mbox twice.")
	}
}

// mpopSize makes max_size of a size; the smaller one stays.
func (d *draft) mpopSize(c mpopCommand, option string) {
	digits := strings.TrimRight(c.arg, "kKmM")
	n, err := strconv.ParseInt(digits, 10, 40)
	switch strings.ToLower(c.arg[len(digits):]) {
	case "":
	case "k":
		n <<= 10
	case "m":
		n <<= 20
	default:
		n = 0
	}
	if err != nil || n <= 0 {
		d.note(c.line, option, "not carried over: it is no size")
		return
	}
	if was, ok := d.Get("max_size").(int64); !ok || n < was {
		d.set("max_size", n)
	}
}

// validDuration tells whether a duration of mpop's keep, like 1d12h, is one of mailhaul's.
func validDuration(s string) bool {
	rest, digits, units := s, 0, "dhms"
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		n := strings.IndexByte(units, c)
		switch {
		case c >= '0' && c <= '9' && digits < 5:
			digits++
		case n < 0 || digits == 0:
			return false
		default:
			units, digits = units[n+1:], 0
		}
	}
	return s != "" && digits == 0 && strings.Trim(s, "0dhms") != ""
}
