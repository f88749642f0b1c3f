package peer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var variable = regexp.MustCompile(`\$(?:\{(\w+)\}|(\w+)|)`)

// expandable makes a path one of mailhaul's configuration whose variables stay variables, if
// they are set here.
func (s Site) expandable(p string) (string, error) {
	if rest, ok := strings.CutPrefix(p, "~"+s.User+"/"); ok {
		p = "~/" + rest
	}
	clean, err := cleanPath(p)
	if err != nil || strings.HasPrefix(p, "$") { // cleanPath would take it for a relative one
		clean = escapeDollar(p)
		if m := variable.FindStringSubmatch(p); err == nil && (m == nil || s.Getenv(m[1]+m[2]) == "") {
			clean = "~/" + clean
		}
	}
	return variable.ReplaceAllStringFunc(strings.ReplaceAll(clean, "$$", "$"), func(v string) string {
		if m := variable.FindStringSubmatch(v); m[1]+m[2] != "" && s.Getenv(m[1]+m[2]) != "" {
			return v
		}
		return escapeDollar(v)
	}), err
}

// expanded puts the home directory into an argument, as getmail does. Variables it does not put in:
// what is in them need not be for others.
func (s Site) expanded(arg string) (string, bool) {
	if m := variable.FindStringSubmatch(arg); m != nil && m[1]+m[2] != "" {
		return "", false
	}
	for _, home := range []string{"~/", "~" + s.User + "/"} {
		if rest, ok := strings.CutPrefix(arg, home); ok && s.Home != "" {
			return s.Home + "/" + rest, true
		}
	}
	return arg, !strings.HasPrefix(arg, "~")
}

// destination follows [destination], and of several the only one.
func (g *getmailAccount) destination(s *getmailSection) {
	if s == nil {
		g.disable(g.Line, "destination", "there is none; the maildir here is a guess")
		return
	}
	kind, _ := s.get("type")
	switch kind.text {
	case "Maildir":
		g.unknown(s, map[string]string{"type": "", "path": "",
			"user": getmailUser, "filemode": ""})
		g.deliverPath(s, "maildir")
		g.mode(s)
	case "Mboxrd":
		g.unknown(s, map[string]string{"type": "", "path": "", "locktype": "", "user": getmailUser})
		g.deliverPath(s, "mbox")
		if v, ok := s.get("locktype"); ok && v.text == "flock" {
			g.note(v.line, "locktype", "not carried over: mailhaul locks an mbox by fcntl and, where it can, a dot lock")
		}
	case "MDA_external":
		g.external(s)
	case "MDA_lmtp":
		g.lmtp(s)
	case "MultiDestination":
		g.several(s)
	default:
		g.disable(kind.line, "destination", "%s is not carried over: mailhaul has no destination like it; the maildir here is a guess", printable(kind.text))
	}
}

const getmailUser = "not carried over: mailhaul delivers as the user who runs it"

func (g *getmailAccount) deliverPath(s *getmailSection, kind string) {
	v, ok := s.get("path")
	clean, err := g.site.expandable(v.text)
	switch {
	case !ok:
		g.disable(s.line, "destination", "it has no path; the maildir here is a guess")
	case err != nil:
		g.disable(v.line, "path", "%v; the maildir here is a guess", err)
	default:
		g.set("deliver", Table{{Key: kind, Value: clean}})
	}
}

// mode is that of the files in a maildir.
func (g *getmailAccount) mode(s *getmailSection) {
	v, ok := s.get("filemode")
	to, _ := g.Get("deliver").(Table)
	n, err := strconv.ParseUint(v.text, 8, 16)
	switch {
	case !ok || n == 0o600:
	case err != nil || n&^0o666 != 0 || n&0o600 != 0o600 || to == nil:
		g.note(v.line, "filemode", "not carried over: it is no mode of files that their owner can read and write")
	default:
		g.set("deliver", append(to, Setting{Key: "mode", Value: fmt.Sprintf("%04o", n)}))
	}
}

func (g *getmailAccount) external(s *getmailSection) {
	g.unknown(s, map[string]string{"type": "", "path": "", "arguments": "", "user": getmailUser, "group": getmailUser,
		"unixfrom":            "not carried over: a command gets the message alone, without a line \"From \"",
		"ignore_stderr":       "not needed: what a command writes to standard error does not count",
		"pipe_stdout":         "not carried over: what a command prints goes to standard error",
		"allow_root_commands": "not needed: mailhaul does not look who runs it"})
	path, _ := s.get("path")
	v, _ := s.get("arguments")
	args, ok := pythonTuple(v.text)
	program, err := g.site.expandable(path.text)
	switch {
	case err != nil || strings.ContainsAny(path.text+v.text, marks):
		g.disable(path.line, "path", "not carried over: it is no path; the maildir here is a guess")
		return
	case !ok:
		g.disable(v.line, "arguments", "not carried over: it is no tuple of strings; the maildir here is a guess")
		return
	}
	words := []string{program}
	for _, arg := range args {
		arg, ok := g.site.expanded(arg)
		if !ok {
			g.disable(v.line, "arguments", "not carried over: getmail puts variables and home directories in, mailhaul does not; the maildir here is a guess")
			return
		}
		arg = strings.NewReplacer("%(sender)", string(sender), "%(recipient)", string(recipient)).Replace(arg)
		if strings.Contains(arg, "%(") {
			g.disable(v.line, "arguments", "not carried over: mailhaul has %%F for %%(sender), %%T for %%(recipient), and no more; the maildir here is a guess")
			return
		}
		words = append(words, arg)
	}
	words, err = deliverWords(words)
	if err != nil {
		g.disable(v.line, "arguments", "the command is not carried over: %v", err)
		return
	}
	g.set("deliver", Table{{Key: "command", Value: words}})
}

// lmtp hands mail to a server; without override it is for whom the message says.
func (g *getmailAccount) lmtp(s *getmailSection) {
	g.unknown(s, map[string]string{"type": "", "host": "", "port": "", "override": "",
		"fallback": "not carried over: without a recipient in the message it is the account's user"})
	to := "%T"
	if v, ok := s.get("override"); ok && v.text != "" {
		to = escapePercent(v.text)
	}
	v, _ := s.get("host")
	g.serverDelivery(v.line, "MDA_lmtp", "lmtp", v.text, s.text("port"), to, "")
}

// several follows a MultiDestination that has one destination.
func (g *getmailAccount) several(s *getmailSection) {
	v, _ := s.get("destinations")
	names, ok := pythonTuple(v.text)
	if ok && len(names) == 1 {
		name := names[0]
		switch {
		case strings.HasPrefix(name, "["):
			if to := g.section(strings.Trim(name, "[]")); to != nil && to.text("type") != "MultiDestination" {
				g.destination(to)
				return
			}
		case name != "" && strings.IndexByte("./~", name[0]) >= 0:
			kind := "mbox"
			if strings.HasSuffix(name, "/") {
				kind = "maildir"
			}
			g.deliverPath(&getmailSection{values: []getmailValue{{v.line, "path", name}}}, kind)
			return
		}
	}
	for _, name := range names {
		g.used[strings.Trim(name, "[]")] = true
	}
	g.disable(s.line, "destination", "several at once are not carried over; the maildir here is a guess")
}

// getmailOptions says of parameters of [options] why they are not carried over, "" if they are.
var getmailOptions = map[string]string{
	"delete": "", "delete_after": "", "max_message_size": "", "max_messages_per_session": "", "received": "", "use_netrc": "", "netrc_file": "",
	"read_all": "", "delete_bigger_than": "not carried over: with keep = true all messages stay, or until delete_after", "to_oldmail_on_each_mail": "not needed: each message is recorded before it is deleted",
	"max_bytes_per_session": "not carried over: max_messages bounds a run",
	"delivered_to":          "not carried over: mailhaul puts a Received field in front, and nothing else",
	"message_log":           "not carried over: mailhaul fetch -v or --json says what was done with each message", "message_log_syslog": "not carried over: mailhaul writes to standard error, which systemd logs",
	"message_log_verbose": "not carried over: mailhaul fetch -v or --json says what was done with each message",
	"verbose":             "not carried over: it is an option of the command, -v or -q", "logfile": "not carried over: mailhaul fetch -v or --json says what was done with each message",
	"fingerprint": "not carried over: mailhaul check shows the certificate", "skip_imap_fetch_size": "of IMAP, not POP3",
}

func (g *getmailAccount) options(s *getmailSection) {
	if s == nil {
		s = &getmailSection{}
	}
	g.unknown(s, getmailOptions)
	if v, ok := s.get("read_all"); !ok || s.yes("read_all", true) {
		g.note(v.line, "read_all", "not carried over, getmail's default: what was delivered once is not delivered again")
	}
	if !s.yes("delete", false) {
		comment := ""
		if _, ok := s.get("delete"); !ok {
			comment = "getmail's default."
		}
		g.set("keep", true, comment)
		if v, _ := s.get("delete_after"); v.number() > 0 && v.number() <= 36500 {
			g.set("delete_after", strconv.FormatInt(v.number(), 10)+"d")
		}
	}
	if v, _ := s.get("max_message_size"); v.number() > 0 {
		g.set("max_size", v.number())
	}
	if v, _ := s.get("max_messages_per_session"); v.number() > 0 && v.number() < 1<<31 {
		g.set("max_messages", v.number())
	}
	if !s.yes("received", true) {
		g.set("received", false, "Without a Received field an interrupted run can deliver to an mbox twice.")
	}
}
