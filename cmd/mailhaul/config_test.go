package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const theSecret = "hunter2-correct-horse"

// head is the smallest account; what a case adds follows it.
const head = `[accounts.work]
server = "pop.example.com"
user = "alice"
deliver = { maildir = "/tmp/mail" }
`

func write(t *testing.T, dir, name, text string, mode os.FileMode) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(p, []byte(text), mode), os.Chmod(p, mode)); err != nil { // whatever the mask
		t.Fatal(err)
	}
	return p
}

func load(t *testing.T, text string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "accounts.csv", "user,password\nann@example.org,x\n", 0o600) // of the examples
	p := write(t, dir, "c.toml", text, 0o600)
	return loadConfig(p, func(string) bool { return true })
}

func TestConfigProblems(t *testing.T) {
	secret := `password = "` + theSecret + `"` + "\n"
	tests := []struct {
		name, text string
		want       []string // "LINE: KEY: part of the text", in order; all there are
	}{
		{"unknown", head + secret + "servr = \"x\"\n", []string{`6: accounts.work.servr: unknown key; did you mean "server"?`}},
		{"unknown, no neighbour", head + secret + "frobnicate = 1\n", []string{"6: accounts.work.frobnicate: unknown key"}},
		{"unknown secret", head + secret + "passwrod = \"" + theSecret + "\"\n", []string{`6: accounts.work.passwrod: unknown key; did you mean "password"?`}},
		{"other programs' names", head + secret + "host = \"x\"\nssl = true\n", []string{
			`6: accounts.work.host: unknown key; did you mean "server"?`, `7: accounts.work.ssl: unknown key; did you mean "tls"?`}},
		{"case", head + secret + "Keep = true\n", []string{`6: accounts.work.Keep: unknown key; did you mean "keep"?`}},
		{"case beside the right one", head + secret + "keep = true\nKEEP = false\n", []string{`7: accounts.work.KEEP: unknown key; did you mean "keep"?`}},
		{"name with a dot", strings.Replace(head, "[accounts.work]", "[accounts.mail.example]", 1) + secret, []string{`1: accounts.mail.example: unknown key; an account's name with a dot in it stands in quotes: [accounts."mail.example"]`,
			"1: accounts.mail: server is missing", "1: accounts.mail: user is missing", "1: accounts.mail: deliver is missing"}},
		{"name with an @", strings.Replace(head, "[accounts.work]", "[accounts.a@example.com]", 1) + secret, []string{"1: : expected '.' or ']' to end table name (a name with @, a dot or a blank in it stands in \"quotes\")"}},
		{"top", "stat_dir = \"/x\"\n" + head + secret, []string{`1: stat_dir: unknown key; did you mean "state_dir"?`}},
		{"table", head + secret + "[acounts.x]\n", []string{`6: acounts: unknown key; did you mean "accounts"?`}},
		{"dotted", "accounts.a.servre = 'x'\n" + head + secret, []string{
			"1: accounts.a.servre: unknown key", "1: accounts.a: server is missing", "1: accounts.a: user is missing", "1: accounts.a: deliver is missing"}},
		{"duplicate", head + secret + "user = \"bob\"\n", []string{"6: : key 'accounts.work.user' has already been defined"}},
		{"duplicate secret", head + secret + secret, []string{"6: : key 'accounts.work.password' has already been defined"}},
		{"types", head + secret + "keep = \"yes\"\ntimeout = true\nmax_messages = \"3\"\nmax_size = 1.5\ntls_pin = \"x\"\n", []string{
			"6: accounts.work.keep: want true or false without quotes, not a string",
			"7: accounts.work.timeout: want a duration", "8: accounts.work.max_messages: want a whole number, not a string",
			"9: accounts.work.max_size: want a size", "10: accounts.work.tls_pin: want an array"}},
		{"bare duration", head + secret + "timeout = 60\n", []string{"6: accounts.work.timeout: want a duration with its unit, like \"60s\", \"5m\", \"12h\" or \"30d\", not a bare number"}},
		{"quoted bare duration", head + secret + "timeout = \"60\"\n", []string{"6: accounts.work.timeout: want a duration with its unit"}},
		{"negative", head + secret + "timeout = \"-1s\"\nmax_size = -3\nmax_messages = 0\n", []string{
			"6: accounts.work.timeout: want", "7: accounts.work.max_size: want more than nothing", "8: accounts.work.max_messages: want a number from 1 on"}},
		{"size unit", head + secret + "max_size = \"5KB\"\n", []string{"6: accounts.work.max_size: want a size"}},
		{"value", head + secret + "tls = \"ssl\"\n", []string{`6: accounts.work.tls: want implicit, starttls or none; did you mean "implicit"?`}},
		{"STLS", head + secret + "tls = \"stls\"\n", []string{`6: accounts.work.tls: want implicit, starttls or none; did you mean "starttls"?`}},
		{"mechanism", head + secret + "auth = \"cram_md5\"\n", []string{`6: accounts.work.auth: want auto, user, apop, plain, login, cram-md5, scram-sha-1, scram-sha-256, scram-sha-1-plus, scram-sha-256-plus, external, xoauth2 or oauthbearer; did you mean "cram-md5"?`}},
		{"version", head + secret + "tls_min = \"1.1\"\n", []string{"6: accounts.work.tls_min: want 1.2 or 1.3"}},
		{"server", "[accounts.w]\nserver = \"pop3://h\"\nuser = \"a\\nb\"\ndeliver = 3\n" + secret, []string{
			"2: accounts.w.server: want a host", "3: accounts.w.user: has a line break", "4: accounts.w.deliver: want a table"}},
		{"port", "[accounts.w]\nserver = \"h:70000\"\nuser = \"a\"\ndeliver = {maildir='/x'}\n" + secret, []string{"2: accounts.w.server: want a port"}},
		{"missing", "[accounts.w]\n" + secret, []string{"1: accounts.w: server is missing", "1: accounts.w: user is missing", "1: accounts.w: deliver is missing"}},
		{"no secret", head, []string{"1: accounts.work: no secret: one of password, password_command"}},
		{"no secret, disabled", head + "disabled = true\n", nil},
		{"two secrets", head + secret + "password_env = \"P\"\n", []string{"6: accounts.work.password_env: a second secret beside password"}},
		{"two secrets in defaults", "[defaults]\n" + secret + "netrc = true\n" + head, []string{"3: defaults.netrc: a second secret beside password"}},
		{"secret type", head + "password = 12345678901234567890123\n", []string{"5: : number out of range"}},
		{"secret number", head + "password = 77\n", []string{"5: accounts.work.password: want a string"}},
		{"secret with CR", head + "password = \"a\\rb\"\n", []string{"5: accounts.work.password: has a line break"}},
		{"delete_after", head + secret + "delete_after = \"30d\"\n", []string{"6: accounts.work.delete_after: needs keep = true"}},
		{"tls keys", head + secret + "tls = \"none\"\ncleartext = true\ntls_ca = \"/x\"\ntls_insecure = true\n", []string{
			`8: accounts.work.tls_ca: does not go with tls = "none"`, `9: accounts.work.tls_insecure: does not go with tls = "none"`}},
		{"clear", head + secret + "tls = \"none\"\n", []string{`6: accounts.work.tls: "none" sends the password in clear`}},
		{"token in clear", head + secret + "tls = \"none\"\ncleartext = true\nauth = \"xoauth2\"\n", []string{"8: accounts.work.auth: a token never goes in clear"}},
		{"plus in clear", head + secret + "tls = \"none\"\ncleartext = true\nauth = \"scram-sha-256-plus\"\n", []string{"8: accounts.work.auth: binds to TLS"}},
		{"external", head + "auth = \"external\"\n", []string{"5: accounts.work.auth: external needs tls_cert", "1: accounts.work: no secret"}[:1]},
		{"key without cert", head + secret + "tls_key = \"/k\"\n", []string{"6: accounts.work.tls_key: needs tls_cert"}},
		{"pin", head + secret + "tls_pin = [\"sha256//abc\"]\n", []string{"6: accounts.work.tls_pin: want \"sha256//\""}},
		{"credential", head + "credential = \"../x\"\n", []string{"5: accounts.work.credential: want the name of a credential, not a path"}},
		{"command as string", head + "password_command = \"pass show x\"\n", []string{"5: accounts.work.password_command: want an array"}},
		{"two places", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ maildir = "/a", mbox = "/b" }`, 1) + secret, []string{"4: accounts.work.deliver: want a table like"}},
		{"unknown place", strings.Replace(head, `maildir`, `mailbox`, 1) + secret, []string{"4: accounts.work.deliver.mailbox: unknown key; did you mean \"maildir\"?", "4: accounts.work.deliver: want a table like"}},
		{"a placeholder in what a shell runs", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ command = ["sh", "-c", "cat >%U"] }`, 1) + secret, []string{`4: accounts.work.deliver: cannot be used as it is written: a placeholder in the shell's "cat >%U"`}},
		{"no placeholder", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `[ { maildir = "/m" }, { command = ["x", "%X"] } ]`, 1) + secret, []string{`4: accounts.work.deliver: cannot be used as it is written: argument 1, "%X": "%X" is none of`}},
		{"no placeholder of a recipient", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ lmtp = "unix:/run/lmtp", recipient = "%X" }`, 1) + secret, []string{`4: accounts.work.deliver: cannot be used as it is written: "%X": "%X" is none of`}},
		{"lock", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ mbox = "/b", lock = ["flok"] }`, 1) + secret, []string{`4: accounts.work.deliver: lock: want "dotlock", "fcntl" or both`}},
		{"uidl", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ maildir = "/m", uidl = "xuidl" }`, 1) + secret, []string{`4: accounts.work.deliver: uidl: want "dovecot" or "header"`}},
		{"uidl of a command", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ command = ["x"], uidl = "header" }`, 1) + secret, []string{`4: accounts.work.deliver: uidl goes with`}},
		{"uidl of an mbox", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ mbox = "/m", uidl = "dovecot" }`, 1) + secret, []string{`4: accounts.work.deliver: uidl: "dovecot" goes with maildir alone; an mbox takes "header"`}},
		{"folder", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ maildir = "/m", folder = "a/b" }`, 1) + secret, []string{`4: accounts.work.deliver: folder: has a slash`}},
		{"folder, empty level", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ maildir = "/m", folder = ".a" }`, 1) + secret, []string{`4: accounts.work.deliver: folder: has an empty level`}},
		{"folder without a maildir", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ folder = "a" }`, 1) + secret, []string{`4: accounts.work.deliver: want a table like`}},
		{"flags", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ maildir = "/m", flags = "SX" }`, 1) + secret, []string{`4: accounts.work.deliver: flags: want letters of DFPRST`}},
		{"flags twice", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ maildir = "/m", flags = "SS" }`, 1) + secret, []string{`4: accounts.work.deliver: flags: want letters of DFPRST, each once`}},
		{"mode as a number", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ maildir = "/m", mode = 660 }`, 1) + secret, []string{`4: accounts.work.deliver: mode: want a mode of a file in octal digits and quotes, like "0660": want a string`}},
		{"mode, digits", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ maildir = "/m", mode = "0689" }`, 1) + secret, []string{`4: accounts.work.deliver: mode: want a mode`}},
		{"mode, set-user-id", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ maildir = "/m", mode = "4660" }`, 1) + secret, []string{`4: accounts.work.deliver: mode: want a mode`}},
		{"mode, own", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ maildir = "/m", mode = "0060" }`, 1) + secret, []string{`4: accounts.work.deliver: mode: the owner must`}},
		{"mode, executable", strings.Replace(head, `{ maildir = "/tmp/mail" }`, `{ maildir = "/m", mode = "0770" }`, 1) + secret, []string{`4: accounts.work.deliver: mode: mail is not executed`}},
		{"variable", head + secret + "tls_ca = \"$MAILHAUL_NOT_SET/ca.pem\"\n", []string{"6: accounts.work.tls_ca: $MAILHAUL_NOT_SET is not set"}},
		{"variable without its end", head + secret + "tls_ca = \"/x/${HOME\"\n", []string{"6: accounts.work.tls_ca: ${ wants a variable's name and }"}},
		{"variable without a name", head + secret + "tls_ca = \"/x/$$/${}/y\"\n", []string{"6: accounts.work.tls_ca: ${ wants a variable's name and }"}},
		{"tilde user", head + secret + "tls_ca = \"~bob/ca.pem\"\n", []string{"6: accounts.work.tls_ca: ~USER is not expanded"}},
		{"account name", "[accounts.\"-x\"]\n", []string{"1: accounts.-x: an account's name does not begin with -"}},
		{"accounts", "accounts = 3\n", []string{"1: accounts: want tables, [accounts.NAME]"}},
		{"account array", "[[accounts.x]]\nuser = \"u\"\n", []string{"1: accounts.x: want a table"}},
		{"control character", "# \x01\n", []string{"1: : TOML files cannot contain control characters"}},
		{"empty", "", []string{"0: : no accounts"}},
		{"unix and TLS", strings.Replace(head, "pop.example.com", "unix:/run/pop", 1) + secret, []string{"1: accounts.work: TLS over a unix socket needs tls_server_name"}},
		{"all at once", "[defaults]\nkep = true\n" + head + secret + "tls = 3\n[accounts.b]\nserver=\"h\"\nuser=\"u\"\ndeliver={maildir=\"/x\"}\n", []string{
			"2: defaults.kep: unknown key; did you mean \"keep\"?", "8: accounts.work.tls: want a string", "9: accounts.b: no secret"}},

		{"oauth2, unknown key", head + "[accounts.work.oauth2]\nprovider = \"google\"\nclient = \"x\"\nclient_id = \"x\"\n", []string{`7: accounts.work.oauth2.client: unknown key; did you mean "client_id"?`}},
		{"oauth2, no client", head + "[accounts.work.oauth2]\nprovider = \"google\"\n", []string{"5: accounts.work.oauth2: client_id is missing"}},
		{"oauth2, another provider", head + "[accounts.work.oauth2]\nprovider = \"yahoo\"\nclient_id = \"x\"\n", []string{`5: accounts.work.oauth2: provider: want "google" or "microsoft"`}},
		{"oauth2, no provider", head + "oauth2 = { client_id = \"x\" }\n", []string{"5: accounts.work.oauth2: provider is missing"}},
		{"oauth2, in clear to the provider", head + "oauth2 = { client_id = \"x\", auth_url = \"https://p/a\", token_url = \"http://p/t\" }\n", []string{"5: accounts.work.oauth2: token_url: want a URL that begins with https://"}},
		{"oauth2, redirect elsewhere", head + "oauth2 = { client_id = \"x\", provider = \"google\", redirect_url = \"http://example.com/\" }\n", []string{"5: accounts.work.oauth2: redirect_url: want one of this machine"}},
		{"oauth2, two client secrets", head + "oauth2 = { client_id = \"x\", provider = \"google\", client_secret = \"" + theSecret + "\", client_secret_env = \"X\" }\n", []string{"5: accounts.work.oauth2: client_secret_env: a second client secret"}},
		{"oauth2, type", head + "oauth2 = { client_id = 3, provider = \"google\" }\n", []string{"5: accounts.work.oauth2: client_id: want a string"}},
		{"oauth2 and token_command", head + "oauth2 = { client_id = \"x\", token_command = [\"x\"] }\n", []string{"5: accounts.work.oauth2: token_command stands alone"}},
		{"oauth2 beside a password", head + secret + "oauth2 = { token_command = [\"x\"] }\n", []string{"6: accounts.work.oauth2: a second secret beside password"}},
		{"oauth2 in clear", head + "tls = \"none\"\ncleartext = true\noauth2 = { token_command = [\"x\"] }\n", []string{"7: accounts.work.oauth2: a token never goes in clear", "1: accounts.work: no secret"}[:1]},
		{"oauth2 by plain", head + "auth = \"plain\"\noauth2 = { token_command = [\"x\"] }\n", []string{"6: accounts.work.oauth2: goes with auth"}},
		{"oauth2 inherited", "[defaults.oauth2]\nprovider = \"microsoft\"\nclient_id = \"x\"\n" + head + strings.ReplaceAll(head, "work", "b") + secret, nil},
		{"proxy without a port", head + secret + "proxy = \"socks5://alice:" + theSecret + "@proxy\"\n", []string{"6: accounts.work.proxy: want \"socks5://"}},
		{"proxy of another kind", head + secret + "proxy = \"https://proxy:443\"\n", []string{"6: accounts.work.proxy: want \"socks5://"}},
		{"proxy, no URL", head + secret + "proxy = \"socks5://a:%zz" + theSecret + "@p:1080\"\n", []string{"6: accounts.work.proxy: want \"socks5://"}},
		{"proxy, a line break in it", head + secret + "proxy = \"http://a:x%0d%0aX@p:1080\"\n", []string{"6: accounts.work.proxy: has a character"}},
		{"proxy and tunnel", head + secret + "tunnel = [\"nc\"]\nproxy = \"socks5://p:1080\"\nsource_address = \"::1\"\n", []string{
			"7: accounts.work.proxy: does not go with tunnel", "8: accounts.work.source_address: does not go with tunnel"}},
		{"tunnel as string", head + secret + "tunnel = \"ssh host\"\n", []string{"6: accounts.work.tunnel: want an array"}},
		{"source address", head + secret + "source_address = \"eth0\"\n", []string{"6: accounts.work.source_address: want an IP address"}},
		{"a way to a socket", "[accounts.w]\nserver = \"unix:/run/pop\"\ntls=\"none\"\nuser = \"u\"\ndeliver = {maildir='/x'}\n" + secret + "source_address = \"::1\"\ntunnel = [\"nc\"]\n", []string{
			"7: accounts.w.source_address: does not go with a server on a unix socket", "8: accounts.w.tunnel: does not go with"}},
		{"clear by a tunnel", head + secret + "tls = \"none\"\ntunnel = [\"nc\"]\nauth = \"xoauth2\"\n", nil},
		{"clear by a proxy", strings.Replace(head, "pop.example.com", "localhost", 1) + secret + "tls = \"none\"\nproxy = \"socks5://localhost:1080\"\n", []string{"6: accounts.work.tls: \"none\" sends"}},
		{"inherited ways that do not fit", "[defaults]\nproxy = \"socks5://p:1080\"\n" + head + secret + "tunnel = [\"nc\"]\n", nil},

		{"open string", head + "password = \"" + theSecret + "\n", []string{"5: : strings cannot contain newlines"}},
		{"bare word", head + "password = " + theSecret + "\n", []string{"5: : expected a value"}},
		{"behind the value", head + "password = \"x\"" + theSecret + "\n", []string{"5: : expected a top-level item to end with a newline, comment, or EOF"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.text)
			if tt.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var ce *ConfigError
			if !errors.As(err, &ce) {
				t.Fatalf("error %v, want a ConfigError", err)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "horse") {
				t.Errorf("the secret is in the error: %v", err)
			}
			if len(ce.Problems) != len(tt.want) {
				t.Errorf("%d problems, want %d:\n%v", len(ce.Problems), len(tt.want), err)
			}
			for i, want := range tt.want {
				if i >= len(ce.Problems) {
					break
				}
				p := ce.Problems[i]
				line, rest, _ := strings.Cut(want, ": ")
				got := p.Key + ": " + p.Text
				if itoa(p.Line) != line || !strings.HasPrefix(got, rest) {
					t.Errorf("problem %d: %d: %s\nwant %s", i, p.Line, got, want)
				}
			}
		})
	}
}

func TestConfigGood(t *testing.T) {
	t.Setenv("BASE", "/srv/mail")
	t.Setenv("HOME", "/home/al$x")
	cfg, err := load(t, `
state_dir = "~/state"
[defaults]
timeout = "1m30s"
delete_after = "1d12h"
tls_min = "1.3"
password_env = "MAILPASS"
deliver = { maildir = "${BASE}/all" }
auth = "external"   # fits no account here: ignored

[accounts.zoo]
server = "POP.Example.com."
user = "a b"
max_size = "1.5MiB"
password = "p # \" w"
received = false
pipelining = "off"

["accounts".'b.c']
"server" = '[::1]:1110'
tls = "none"
user = "u"
keep = true
deliver.mbox = "rel/box"
deliver.lock = ["fcntl"]
password_command = [
  "~/bin/pw", # it has a ] in its comment
  "a]b", "~"]

[accounts.a]
server = "unix:/run/pop"
tls = "none"
user = "u"
netrc = true
deliver = { command = ["maildrop", "-d", "$USER"] }
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Accounts) != 3 || cfg.StateDir != "/home/al$x/state" {
		t.Fatalf("%d accounts, state in %s", len(cfg.Accounts), cfg.StateDir)
	}
	z, b, a := cfg.Accounts[0], cfg.Accounts[1], cfg.Accounts[2]
	if z.Name != "zoo" || b.Name != "b.c" || a.Name != "a" {
		t.Errorf("order %s %s %s", z.Name, b.Name, a.Name)
	}
	if z.Server.Addr != "pop.example.com:995" || z.Timeout != 90*time.Second || z.DeleteAfter != 0 || z.TLSMin != "1.3" ||
		z.Secret.Kind != "password" || z.Secret.Value.Reveal() != `p # " w` || z.MaxSize != 3<<19 || !z.NoReceived || !z.NoPipelining ||
		z.Deliver.Maildir != "/srv/mail/all" || z.Auth != "auto" {
		t.Errorf("zoo: %+v", *z)
	}
	dir := filepath.Dir(cfg.Path)
	if b.Server.Addr != "[::1]:1110" || !b.Server.Local() || b.DeleteAfter != 36*time.Hour || b.TLSMin != "" ||
		b.Deliver.Mbox != filepath.Join(dir, "rel/box") || b.Deliver.Lock[0] != "fcntl" || b.Deliver.Maildir != "" ||
		b.Secret.Kind != "password_command" || b.Secret.Argv[0] != "/home/al$x/bin/pw" || b.Secret.Argv[2] != "~" {
		t.Errorf("b.c: %+v", *b)
	}
	if a.Server.Network != "unix" || a.Server.Addr != "/run/pop" || a.Secret.Kind != "netrc" || a.Deliver.Command[2] != "$USER" {
		t.Errorf("a: %+v", *a)
	}
}

func TestInclude(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[1]*\\")
	main := write(t, dir, "c.toml", "include = [\"*/*.toml\", \"one.toml\"]\n[defaults]\npassword_env = \"P\"\n"+head, 0o644)
	write(t, dir, "conf.d/20.toml", strings.Replace(head, "work", "twenty", 1), 0o644)
	write(t, dir, "conf.d/10.toml", strings.Replace(head, "work", "ten", 1)+"password = \"x\"\n", 0o600)
	write(t, dir, "one.toml", strings.Replace(head, "work", "one", 1), 0o644)
	// The lock of an editor, which leads nowhere.
	if err := os.Symlink("ann@host.1:2", filepath.Join(dir, "conf.d/.#10.toml")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, ".conf.d/old.toml", strings.Replace(head, "work", "old", 1), 0o644)
	cfg, err := loadConfig(main, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range cfg.Accounts {
		names = append(names, a.Name)
	}
	if got := strings.Join(names, " "); got != "work ten twenty one" {
		t.Errorf("accounts %s", got)
	}

	write(t, dir, "conf.d/20.toml", head+"\n[defaults]\nkeep = true\n", 0o644)
	write(t, dir, "conf.d/30.toml", strings.Replace(head, "work", "thirty", 1)+"password = \"x\"\n", 0o600)
	if err := os.Chmod(filepath.Join(dir, "conf.d/30.toml"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "one.toml")); err != nil {
		t.Fatal(err)
	}
	_, err = loadConfig(main, nil)
	for _, want := range []string{
		"20.toml:1: accounts.work: this account is also in " + main + ", line 4",
		"20.toml:6: defaults: stands in the main file alone",
		"30.toml:5: accounts.thirty.password: the file holds a password and is open to others (mode 0640); chmod 600 it",
		"one.toml: cannot be read: no such file or directory",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

// FuzzConfig looks for panics and for keys without a line.
func FuzzConfig(f *testing.F) {
	for _, s := range []string{
		head, "[defaults]\n" + head + "password = \"@\"\n", head + "password = '''@\n@'''\n",
		head + "password = [ \"@\", { x = '@' } ]\n", "a.\"b\\u0041\" = { c = 1, d = { e = \"}\" } }\n[[x]]\n[x.y]\n",
	} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range fuzzLoad(t, dir, text) {
			if p.Key != "" && p.Line == 0 {
				t.Errorf("no line: %v", p)
			}
		}
	})
}

// FuzzConfigSecret writes all sorts of malformed lines with the password.
func FuzzConfigSecret(f *testing.F) {
	for _, s := range []string{"@", `"@`, `"@"@`, `"\@"`, "2024-@", "0@", "1_@", "0x@", "+@", "{ @", "[ @", "'@' @", `"\x@"`, "@ = 1", `"""@`, "1.@"} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		text, _, _ = strings.Cut(text, "\n")
		for _, p := range fuzzLoad(t, dir, head+"password = "+strings.ReplaceAll(text, "@", theSecret)) {
			if strings.Contains(p.String(), theSecret) {
				t.Errorf("the secret is in %v", p)
			}
		}
	})
}

func fuzzLoad(t *testing.T, dir, text string) []Problem {
	p := filepath.Join(dir, "c.toml")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := loadConfig(p, nil)
	var ce *ConfigError
	if err != nil && !errors.As(err, &ce) {
		t.Fatalf("%T: %v", err, err)
	}
	if ce == nil {
		return nil
	}
	return ce.Problems
}

func itoa(n int) string { return strconv.Itoa(n) }

func TestMaildirKeys(t *testing.T) {
	text := "[accounts.a]\nserver = \"h\"\nuser = \"u\"\npassword = \"x\"\ndeliver = { maildir = \"/m\", uidl = \"dovecot\", folder = \"Gelöscht.a&b\", mode = \"0640\", flags = \"SF\" }\n"
	cfg, err := load(t, text)
	if err != nil {
		t.Fatal(err)
	}
	d := cfg.Accounts[0].Deliver
	if d.Maildir != "/m/.Gel&APY-scht.a&-b" || !d.Folder || d.Mode != 0o640 || d.Flags != "FS" || d.UIDL != "dovecot" || d.Owner != nil ||
		d.String() != "maildir "+d.Maildir {
		t.Errorf("%+v", d)
	}
	_, err = load(t, strings.Replace(text, `flags`, `owner = "root", group = "0", flags`, 1))
	if os.Geteuid() == 0 {
		cfg, err := load(t, strings.Replace(text, `flags`, `owner = "root", group = "12", flags`, 1))
		if err != nil || cfg.Accounts[0].Deliver.Owner.UID != 0 || cfg.Accounts[0].Deliver.Owner.GID != 12 {
			t.Error(err)
		}
		_, err = load(t, strings.Replace(text, `flags`, `owner = "nobody-of-that-name", flags`, 1))
		if err == nil || !strings.Contains(err.Error(), "owner: there is no such user") {
			t.Error(err)
		}
	} else if err == nil || !strings.Contains(err.Error(), "owner: only root can give files away") {
		t.Error(err)
	}
}
