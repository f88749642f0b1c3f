package peer

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// getmail reads a getmailrc (getmail's configuration.html): one account.
func (imp *Import) getmail(src Source, site Site) error {
	sections, err := parseGetmail(src)
	if err != nil {
		return err
	}
	g := &getmailAccount{draft: &draft{program: Getmail}, site: site, sections: sections, used: map[string]bool{}}
	g.File, g.Line = src.Name, 1
	g.From = "getmail: " + filepath.Base(src.Name)
	retriever := g.section("retriever")
	if retriever == nil {
		imp.leaveOut(&g.Account, "it has no [retriever]")
		return nil
	}
	g.Line = retriever.line
	kind := retriever.text("type")
	if !strings.Contains(kind, "POP3") {
		imp.leaveOut(&g.Account, "its [retriever] is not of POP3")
		return nil
	}
	g.retriever(retriever, kind)
	g.login(retriever, g.section("options"))
	g.destination(g.section("destination"))
	g.options(g.section("options"))
	for _, s := range sections {
		switch {
		case strings.HasPrefix(s.name, "filter"):
			g.disable(s.line, "["+printable(s.name)+"]", "not carried over: mailhaul has no filters; a command as destination can be one")
		case !g.used[s.name]:
			g.note(s.line, "["+printable(s.name)+"]", "not carried over")
		}
	}
	g.Name = getmailName(src.Name, g.Host)
	g.IDFile = getmailIDs(src, site, g.Host, g.Port, kind, g.User)
	imp.add(g.draft, site)
	return nil
}

// A getmailAccount is the account of a file.
type getmailAccount struct {
	*draft
	site     Site
	sections []*getmailSection
	used     map[string]bool
}

func (g *getmailAccount) section(name string) *getmailSection {
	i := slices.IndexFunc(g.sections, func(s *getmailSection) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	g.used[name] = true
	return g.sections[i]
}

// getmailName is the file's name, or the server's where all have the same.
func getmailName(file, host string) string {
	name := filepath.Base(file)
	for _, affix := range []string{".conf", "getmailrc", "rc"} {
		name = strings.Trim(strings.TrimPrefix(strings.TrimSuffix(name, affix), affix), "-_.")
	}
	if name == "" || name == "standard input" || name == "config" {
		return host
	}
	return name
}

// getmailIDs is where getmail keeps unique-ids: in the directory of its configurations.
func getmailIDs(src Source, site Site, host, port, kind, user string) string {
	if port == "" {
		port = "110"
		if strings.Contains(kind, "SSL") {
			port = "995"
		}
	}
	dir := filepath.Dir(src.Name)
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(site.Cwd, dir)
	}
	if base := filepath.Base(dir); base != "getmail" && base != ".getmail" {
		if dir = site.Getenv("XDG_CONFIG_HOME"); dir == "" {
			dir = "~/.config"
		}
		dir = filepath.Join(dir, "getmail")
	}
	return site.absolute(filepath.Join(dir, getmailStrips.ReplaceAllString("oldmail-"+host+"-"+port+"-"+user, "-")))
}

// getmailRetriever says of parameters of [retriever] why they are not carried over, "" if they are.
var getmailRetriever = map[string]string{
	"type": "", "server": "", "port": "", "username": "", "password": "", "password_command": "", "use_apop": "", "use_xoauth2": "", "timeout": "",
	"keyfile": "", "certfile": "", "ca_certs": "", "ssl_cert_hostname": "",
	"ssl_fingerprints":   "cannot be carried over: mailhaul pins the key, not the certificate. \"mailhaul check\" prints the pin for tls_pin",
	"ssl_version":        "not carried over: mailhaul speaks TLS 1.2 and 1.3",
	"ssl_ciphers":        "not carried over: mailhaul uses what is safe of TLS 1.2 and 1.3",
	"delete_dup_msgids":  "refused: it deletes messages that were never retrieved; mailhaul tells messages with the same unique-id apart",
	"envelope_recipient": "not carried over: %T and $MAILHAUL_RECIPIENT are from Delivered-To, X-Original-To or Envelope-To, else the user",
}

func (g *getmailAccount) retriever(s *getmailSection, kind string) {
	g.unknown(s, getmailRetriever)
	g.Host, g.Port, g.User = s.text("server"), s.text("port"), s.text("username")
	g.insecure = true
	switch ssl := strings.Contains(kind, "SSL"); {
	case !ssl:
		g.plain, g.whyPlain = true, "getmail does not encrypt here ("+printable(kind)+")."
	case s.text("ca_certs") != "":
		g.insecure = false
	}
	if strings.HasPrefix(kind, "BrokenUIDL") {
		v, _ := s.get("type")
		g.note(v.line, "type", "the server has no unique-ids: without keep = true mailhaul goes by the numbers of the session, with it there is no retrieval")
	}
	for _, k := range [][2]string{{"ca_certs", "tls_ca"}, {"certfile", "tls_cert"}, {"keyfile", "tls_key"}} {
		if v, ok := s.get(k[0]); ok && v.text != "" {
			g.path(v, k[1])
		}
	}
	if v := s.text("ssl_cert_hostname"); v != "" {
		g.set("tls_server_name", v)
	}
	if v, ok := s.get("timeout"); ok {
		if n := v.number(); n > 0 {
			g.set("timeout", seconds(n))
		} else {
			g.note(v.line, "timeout", "not carried over: mailhaul never waits without an end")
		}
	}
}

// unknown notes the parameters of a section that are not carried over.
func (g *getmailAccount) unknown(s *getmailSection, known map[string]string) {
	for _, v := range s.values {
		why, ok := known[v.name]
		if !ok {
			why = "not carried over: it is none that is known of getmail"
		}
		if why != "" && (strings.ToLower(v.text) != "false" || !ok) {
			g.note(v.line, printable(v.name), "%s", why)
		}
	}
}

func (v getmailValue) number() int64 {
	n, err := strconv.ParseInt(v.text, 10, 40)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

func (g *getmailAccount) login(s, options *getmailSection) {
	switch {
	case s.yes("use_xoauth2", false):
		g.set("auth", "xoauth2")
	case s.yes("use_apop", false):
		g.set("auth", "apop")
	}
	command, byCommand := s.get("password_command")
	password, literal := s.get("password")
	switch {
	case literal && password.text != "":
		g.literal, g.literalLine = true, password.line
	case byCommand && command.text != "":
		args, ok := pythonTuple(command.text)
		if !ok || len(args) == 0 || args[0] == "" {
			g.disable(command.line, "password_command", "not carried over: it is no tuple of strings, (\"program\", \"argument\",)")
			return
		}
		switch home, rest, _ := strings.Cut(args[0], "/"); {
		case !strings.HasPrefix(home, "~"):
			g.set("password_command", program(args))
		case home == "~" && rest != "":
			g.set("password_command", append([]string{"~/" + escapeDollar(rest)}, args[1:]...))
		default:
			g.disable(command.line, "password_command", "not carried over: mailhaul does not know the home directories of others; write the whole path")
		}
	case options.yes("use_netrc", false):
		g.set("netrc", true)
		if v, ok := options.get("netrc_file"); ok {
			g.note(v.line, "netrc_file", "not carried over: the variable NETRC of the environment names another file than ~/.netrc")
		}
	default:
		g.literal, g.literalLine = true, 0
	}
}

// path sets a key to a path, in which getmail expands the same as mailhaul.
func (g *getmailAccount) path(v getmailValue, key string) {
	clean, err := g.site.expandable(v.text)
	if err != nil {
		g.note(v.line, v.name, "left out: %v", err)
		return
	}
	g.set(key, clean)
}
