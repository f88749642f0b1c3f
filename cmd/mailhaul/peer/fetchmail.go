package peer

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// fetchmail reads a fetchmailrc (fetchmail(1), "THE RUN CONTROL FILE").
func (imp *Import) fetchmail(src Source, site Site) error {
	p := &fetchmailParser{src: src, tokens: lexFetchmail(src), line: 1}
	if err := p.parse(); err != nil {
		return err
	}
	f := &fetchmailFile{Import: imp, src: src, site: site, idFile: fetchmailIDs(site, "")}
	for _, o := range p.sets {
		f.set(o)
	}
	var defaults []fetchmailOption
	for _, e := range p.entries {
		if e.verb != "defaults" {
			f.entry(e, defaults)
			continue
		}
		defaults = e.options
		for _, u := range e.users {
			defaults = append(defaults, u.options...)
		}
	}
	return nil
}

// fetchmailIDs is where fetchmail keeps unique-ids.
func fetchmailIDs(site Site, idFile string) string {
	if idFile != "" {
		return site.absolute(idFile)
	}
	for _, name := range []string{"FETCHMAILHOME", "HOME_ETC"} {
		if dir := site.Getenv(name); dir != "" {
			return filepath.Join(dir, ".fetchids")
		}
	}
	return site.absolute(".fetchids")
}

// absolute takes a path from the home directory.
func (s Site) absolute(p string) string {
	if p == "~" || strings.HasPrefix(p, "~/") {
		p = strings.TrimPrefix(p[1:], "/")
	}
	if filepath.IsAbs(p) || s.Home == "" {
		return p
	}
	return filepath.Join(s.Home, p)
}

type fetchmailFile struct {
	*Import
	src       Source
	site      Site
	idFile    string
	invisible bool
}

// fetchmailSets are the reasons why a global option is not carried over.
var fetchmailSets = map[string]string{
	"daemon":     "mailhaul runs once and ends; cron or a systemd timer repeats it",
	"postmaster": "not carried over: mail that cannot be delivered stays on the server and is reported",
	"bouncemail": "not carried over: mailhaul sends no mail", "spambounce": "not carried over: mailhaul sends no mail",
	"softbounce": "not needed: mail that cannot be delivered always stays on the server",
	"logfile":    "not carried over: mailhaul writes to standard error", "syslog": "not carried over: mailhaul writes to standard error, which systemd logs",
	"pidfile": "not needed: each account has its own lock", "properties": "means nothing to fetchmail itself", "showdots": "not carried over: --progress is mailhaul's",
}

func (f *fetchmailFile) set(o fetchmailOption) {
	switch {
	case o.name == "idfile":
		f.idFile = fetchmailIDs(f.site, o.arg())
	case o.name == "invisible":
		f.invisible = !o.no
	case fetchmailSets[o.name] != "":
		f.Findings = append(f.Findings, Finding{f.src.Name, o.line, "set " + o.name, fetchmailSets[o.name]})
	default:
		f.Findings = append(f.Findings, Finding{f.src.Name, o.line, "set " + o.name, "not carried over: it is no global option"})
	}
}

// entry makes an account of each user of an entry.
func (f *fetchmailFile) entry(e *fetchmailEntry, defaults []fetchmailOption) {
	users := e.users
	if len(users) == 0 {
		users = []fetchmailUser{{e.line, nil}}
	}
	for _, u := range users {
		a := &fetchmailAccount{fetchmailFile: f, e: e, draft: &draft{program: Fetchmail}}
		a.File, a.Line, a.IDFile = f.src.Name, u.line, f.idFile
		a.Name, a.Host = e.name, e.name
		options := slices.Concat(defaults, e.options, u.options)
		a.read(options)
		if len(users) > 1 {
			a.Name = e.name + "-" + a.User
		}
		a.From = "fetchmail: " + e.verb + " " + e.name + ", user " + a.User
		if e.verb == "skip" {
			a.skip = true
		}
		if len(e.users) > 0 {
			for _, o := range e.options {
				if !slices.Contains(fetchmailServer, o.name) {
					a.note(o.line, o.name, "stands in front of the first user, which fetchmail refuses; taken for every user of this server")
				}
			}
		}
		a.complete()
	}
}

// A fetchmailAccount gathers what the options of one user say together.
type fetchmailAccount struct {
	*fetchmailFile
	*draft
	e *fetchmailEntry

	protocol  fetchmailOption
	ssl       bool
	sslproto  *fetchmailOption
	noCheck   bool
	local     []string // local names
	localLine int
	mda       *fetchmailOption
	bsmtp     *fetchmailOption
	smtp      *fetchmailOption
	lmtp      bool
	domain    string // smtpaddress
	address   string // smtpname
	plugin    *fetchmailOption
}

// read goes through the options; a later one is instead of an earlier one.
func (a *fetchmailAccount) read(options []fetchmailOption) {
	last := map[string]int{}
	for i, o := range options {
		last[o.name] = i
	}
	a.User = a.site.User
	for i, o := range options {
		if last[o.name] == i || o.name == "is" || o.name == "to" {
			a.option(o)
		}
	}
}

// complete puts together what depends on several options.
func (a *fetchmailAccount) complete() {
	imp := a.fetchmailFile.Import
	protocol := strings.ToLower(a.protocol.arg())
	switch protocol {
	case "", "auto":
		a.note(a.protocol.line, "protocol", "fetchmail tries IMAP first; this is POP3")
	case "pop3":
	case "apop":
		a.draft.set("auth", "apop")
	case "sdps":
		a.note(a.protocol.line, "protocol sdps", "taken as POP3: the envelope recipient of Demon's *ENV is not asked for")
	default:
		imp.leaveOut(&a.Account, "its protocol is not POP3")
		return
	}
	a.encrypt()
	a.tunnel()
	a.destination()
	if a.invisible {
		a.draft.set("received", false, "As set invisible does. Without a Received field an interrupted run can deliver to an mbox twice.")
	}
	if !a.literal && a.Get("password_command") == nil {
		a.draft.set("netrc", true, "There is no password in the file: fetchmail looks into ~/.netrc, then asks. Without this line mailhaul asks.")
	}
	imp.add(a.draft, a.site)
}

// encrypt follows ssl and sslproto as fetchmail 6.4 does.
func (a *fetchmailAccount) encrypt() {
	a.insecure = a.noCheck
	version := ""
	if a.sslproto != nil {
		version = strings.ToLower(a.sslproto.arg())
	}
	switch {
	case a.ssl:
	case a.sslproto != nil && version == "":
		a.plain, a.whyPlain = true, `sslproto "" keeps fetchmail from encrypting anything.`
	case a.sslproto == nil:
		a.plain, a.whyPlain = true, "fetchmail encrypts if the server can, else goes on in clear."
	default:
		a.startTLS = true
	}
	switch strings.TrimSuffix(version, "+") {
	case "", "auto", "ssl23", "tls1.2":
	case "tls1.3":
		a.draft.set("tls_min", "1.3")
	default:
		a.note(a.sslproto.line, "sslproto", "mailhaul speaks TLS 1.2 and 1.3 alone")
	}
}

// tunnel puts host and port into the plugin's words, which fetchmail separates at blanks alone.
func (a *fetchmailAccount) tunnel() {
	if a.plugin == nil {
		return
	}
	port := a.Port
	if port == "" {
		port = "110"
		if a.ssl {
			port = "995"
		}
	}
	words := strings.Fields(strings.NewReplacer("%h", a.Host, "%p", port, "%%", "%").Replace(a.plugin.arg()))
	if len(words) == 0 {
		a.disable(a.plugin.line, "plugin", "it is empty")
		return
	}
	a.draft.set("tunnel", program(words))
}

// destination is mda, else an SMTP server.
func (a *fetchmailAccount) destination() {
	local := a.site.User
	switch {
	case len(a.local) == 1 && a.local[0] != "*":
		local = a.local[0]
	case len(a.local) > 0:
		a.disable(a.localLine, "is", "several recipients: mailhaul does not find out for whom a message is, and delivers each once")
		local = ""
	}
	switch {
	case a.bsmtp != nil:
		a.disable(a.bsmtp.line, "bsmtp", "not carried over: mailhaul writes no batch; the maildir here is a guess")
	case a.mda != nil:
		a.deliverMDA(local)
	case plainName(local) || plainName(a.address):
		a.mailServer(local)
	default:
		a.disable(a.Line, "mda", "there is none, and it is not clear to whom mail is to go; the maildir here is a guess")
	}
}

// mailServer makes the destination of smtphost: "host", "host/port", or with lmtp also the path of
// a socket. fetchmail speaks in clear to it, which over a network mailhaul does not by itself.
func (a *fetchmailAccount) mailServer(local string) {
	host, port, line := "localhost", "", a.Line
	if a.smtp != nil {
		line = a.smtp.line
		host, port, _ = strings.Cut(a.smtp.args[0], "/")
		if len(a.smtp.args) > 1 {
			a.note(line, "smtphost", "the first alone is carried over")
		}
	}
	to := local + "@localhost"
	switch {
	case plainName(a.address):
		to = a.address
	case plainName(a.domain):
		to = local + "@" + a.domain
	}
	protocol := "smtp"
	if a.lmtp || host == "" { // a path is always of a socket for LMTP
		protocol = "lmtp"
	}
	comment := "As fetchmail does it, to the mail server that has the mailboxes. A maildir or an mbox needs none: deliver = { maildir = \"~/Mail\" }."
	a.serverDelivery(line, "smtphost", protocol, host, port, to, comment)
}

func (a *fetchmailAccount) deliverMDA(local string) {
	command := a.mda.arg()
	if strings.Contains(command, "%T") && !plainName(local) {
		a.disable(a.mda.line, "mda", "it is not clear who %%T is; the maildir here is a guess")
		return
	}
	a.deliverTo(a.mda.line, "mda", strings.NewReplacer("%F", string(sender), "%T", local, "%%", "%").Replace(command))
}

// plainName tells whether a name is the same to a shell, and no option.
func plainName(name string) bool {
	return name != "" && name[0] != '-' && shellWord(name) == name && !strings.Contains(name, "%")
}

// number reads an option's number, -1 if it is none.
func (o fetchmailOption) number() int64 {
	n, err := strconv.ParseInt(o.arg(), 10, 32)
	if err != nil || n < 0 {
		return -1
	}
	return n
}
