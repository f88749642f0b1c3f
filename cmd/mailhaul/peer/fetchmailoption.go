package peer

// fetchmailReasons say why an option is not carried over.
var fetchmailReasons = map[string]string{
	"aka": "not carried over: it finds out for whom a message is, which mailhaul does not", "localdomains": "not carried over: it finds out for whom a message is, which mailhaul does not",
	"qvirtual": "not carried over: it finds out for whom a message is, which mailhaul does not", "fetchdomains": "of ETRN and ODMR, not POP3",
	"envelope": "not carried over: %T and $MAILHAUL_RECIPIENT are from Delivered-To, X-Original-To or Envelope-To, else the user",
	"dns":      "without a meaning here: it finds out for whom a message is", "checkalias": "without a meaning here: it finds out for whom a message is",
	"interval": "not carried over: each run is for all accounts; a timer of its own can run mailhaul fetch ACCOUNT", "interface": "not carried over: mailhaul does not look at interfaces",
	"monitor": "not carried over: mailhaul does not look at interfaces", "plugout": "not carried over: mailhaul connects by itself",
	"tracepolls": "not needed: the Received field names the account", "principal": "not carried over: there is no Kerberos",
	"esmtpname": "not carried over: a login at the mail server is user and a secret in deliver", "esmtppassword": "not carried over: a login at the mail server is user and a secret in deliver",
	"antispam":   "not carried over: mail that its destination refuses stays on the server and is reported",
	"bad-header": "not needed: no header is too bad to be delivered", "folder": "POP3 has no folders",
	"preconnect":     "is not run by mailhaul: run it before mailhaul, or make it the account's tunnel",
	"postconnect":    "is not run by mailhaul: run it after mailhaul",
	"flush":          "refused: it deletes messages that were never retrieved",
	"limitflush":     "refused: it deletes messages that were never retrieved; larger ones than max_size stay and are reported",
	"rewrite":        "not carried over: mailhaul changes nothing in a message",
	"stripcr":        "not needed: line ends are those of this machine",
	"forcecr":        "not carried over: line ends are those of this machine",
	"pass8bits":      "not carried over: what is in a message stays as it is",
	"dropstatus":     "not carried over: mailhaul changes nothing in a message",
	"dropdelivered":  "not carried over: mailhaul changes nothing in a message",
	"mimedecode":     "not carried over: mailhaul changes nothing in a message",
	"idle":           "of IMAP, not POP3",
	"warnings":       "not carried over: a message that stays is reported at each run, once a day where nothing changes",
	"batchlimit":     "not carried over: a session with the mail server is as long as the run",
	"fetchsizelimit": "not needed: sizes are asked for in one command",
	"expunge":        "not needed: each message is recorded before it is deleted",
	"properties":     "means nothing to fetchmail itself",
	"fetchall":       "not carried over: what was delivered once is not delivered again",
	"sslcertpath":    "not carried over: mailhaul reads one file of authorities, tls_ca",
	"sslfingerprint": "cannot be carried over: it is of MD5. \"mailhaul check\" prints the pin for tls_pin",
}

// option takes one option in.
func (a *fetchmailAccount) option(o fetchmailOption) {
	d := a.draft
	switch o.name {
	case "via":
		a.Host = o.arg()
	case "protocol":
		a.protocol = o
	case "service", "port":
		a.port(o)
	case "authenticate":
		a.auth(o)
	case "timeout":
		if n := o.number(); n > 0 {
			d.set("timeout", seconds(n))
		} else {
			d.note(o.line, "timeout", "not carried over: mailhaul never waits without an end")
		}
	case "plugin":
		a.plugin = &o
	case "uidl", "fastuidl":
		// mailhaul always works by unique-ids.
	case "user", "remote":
		if o.here {
			a.names(o)
		} else {
			a.User = o.arg()
		}
	case "is", "to":
		a.names(o)
	case "password":
		if a.literal = o.arg() != ""; a.literal {
			a.literalLine = o.line
		}
	case "ssl":
		a.ssl = !o.no
	case "sslproto":
		a.sslproto = &o
	case "sslcertck":
		a.noCheck = o.no
	case "sslcertfile":
		d.setPath(o.line, "tls_ca", o.name, o.arg())
	case "sslcert":
		d.setPath(o.line, "tls_cert", o.name, o.arg())
	case "sslkey":
		d.setPath(o.line, "tls_key", o.name, o.arg())
	case "sslcommonname":
		d.set("tls_server_name", o.arg())
	case "keep":
		if d.unset("keep"); !o.no {
			d.set("keep", true)
		}
	case "limit":
		a.limit(o, "max_size")
	case "fetchlimit":
		a.limit(o, "max_messages")
	case "mda":
		a.mda = &o
	case "bsmtp":
		a.bsmtp = &o
	case "lmtp":
		a.lmtp = !o.no
	case "smtphost":
		a.smtp = &o
	case "smtpaddress":
		a.domain = o.arg()
	case "smtpname":
		a.address = o.arg()
	default:
		if o.no { // neither does mailhaul
			return
		}
		why := fetchmailReasons[o.name]
		if why == "" {
			why = "not carried over: it is an option for all accounts, after set"
		}
		d.note(o.line, o.name, "%s", why)
	}
}

// port takes a number, or one of the two names that mean POP3.
func (a *fetchmailAccount) port(o fetchmailOption) {
	switch s := o.arg(); {
	case o.number() > 0 && o.number() < 1<<16:
		a.Port = s
	case s == "pop3" || s == "pop-3":
		a.Port = "110"
	case s == "pop3s":
		a.Port = "995"
	default:
		a.disable(o.line, o.name, "not carried over: write the port's number behind server")
	}
}

func (a *fetchmailAccount) auth(o fetchmailOption) {
	switch o.arg() {
	case "any", "password":
	case "cram", "cram-md5":
		a.draft.set("auth", "cram-md5")
	case "ssh":
		a.disable(o.line, "auth ssh", "not carried over: POP3 knows no connection that is logged in from the beginning")
	case "external":
		a.disable(o.line, "auth external", "needs tls_cert beside auth = \"external\"")
	default:
		a.disable(o.line, "auth", "mailhaul does not have this kind of login")
	}
}

func (a *fetchmailAccount) limit(o fetchmailOption, key string) {
	a.draft.unset(key)
	switch n := o.number(); {
	case n > 0:
		a.draft.set(key, n)
	case n < 0:
		a.draft.note(o.line, o.name, "not carried over: it is no number")
	}
}

// names takes the local names of a user; of a pair, remote=local, the local one counts.
func (a *fetchmailAccount) names(o fetchmailOption) {
	a.localLine = o.line
	for i := 0; i < len(o.args); i++ {
		if i+2 < len(o.args) && o.args[i+1] == "=" {
			a.local = append(a.local, o.args[i+2], "*") // mapped names are always a matter of several recipients
			i += 2
			continue
		}
		a.local = append(a.local, o.args[i])
	}
}
