package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mailhaul/fetch/pop3/pop3test"
)

// A realPeer is another program that retrieves mail, as a user of it has it.
type realPeer struct {
	name string
	// config gives the configuration for a server, a directory of the test and a destination, and
	// the command that fetches with it.
	config func(host, port, dir string) (text string, argv []string)
	file   string   // its configuration, within the directory
	state  string   // where its list is, a pattern
	force  []string // of import --state: whose the list is, where it does not say
	back   string   // what makes its list of the unique-ids that state export prints, as in the manual
}

var realPeers = []realPeer{
	{name: "fetchmail", file: "rc", state: "fetchids", back: "sed 's/^/bob@example.com@127.0.0.1 /'",
		config: func(host, port, dir string) (string, []string) {
			return fmt.Sprintf("set idfile \"%[3]s/fetchids\"\npoll work via %[1]s proto pop3 port %[2]s uidl auth password\n user \"bob@example.com\" with password \"secret\" sslproto '' keep no rewrite\n mda \"/bin/sh -c 'cat > $(mktemp %[3]s/mail/XXXXXX)'\"\n", host, port, dir),
				[]string{"fetchmail", "-f", dir + "/rc", "--nodetach", "--nosyslog", "--pidfile", dir + "/pid"}
		}},
	{name: "mpop", file: "rc", state: "uidls", back: "LC_ALL=C sort | awk '{i = i $0 \"\\n\"} END {printf \" %d 127.0.0.1 bob@example.com\\n%s\", NR, i}'",
		config: func(host, port, dir string) (string, []string) {
			return fmt.Sprintf("account work\nhost %s\nport %s\nauth user\nuser bob@example.com\npassword secret\ndelivery maildir %[3]s/maildir\nuidls_file %[3]s/uidls\nkeep on\ntls off\n", host, port, dir),
				[]string{"mpop", "-C", dir + "/rc", "work"}
		}},
	{name: "getmail", file: "getmailrc", state: "oldmail-*", back: "awk '{printf \"%s%c%d\\n\", $0, 0, '$(date +%s)'}'",
		config: func(host, port, dir string) (string, []string) {
			return fmt.Sprintf("[retriever]\ntype = SimplePOP3Retriever\nserver = %s\nport = %s\nusername = bob@example.com\npassword = secret\ntimeout = 10\n[destination]\ntype = MDA_external\npath = /bin/sh\narguments = (\"%s/take\",)\nallow_root_commands = true\n[options]\nread_all = false\ndelete = false\nreceived = false\ndelivered_to = false\n", host, port, dir),
				[]string{"getmail", "--getmaildir", dir}
		}},
	{name: "fdm", file: "fdm.conf", state: "cache", back: "awk '{print length, $0}'", force: []string{"--account", "work"},
		config: func(host, port, dir string) (string, []string) {
			return fmt.Sprintf("set lock-file \"%[3]s/lock\"\nset default-user \"%[4]s\"\nset command-user \"%[4]s\"\naccount \"work\" pop3 server %[1]q port %[2]s user \"bob@example.com\" pass \"secret\" new-only cache \"%[3]s/cache\" keep\naction \"in\" maildir \"%[3]s/maildir\"\nmatch all action \"in\"\n", host, port, dir, me()),
				[]string{"fdm", "-f", dir + "/fdm.conf", "fetch"}
		}},
}

// me is the user that runs the tests: fdm would become another one where that is root.
func me() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "root"
}

// install makes the peer's directory and configuration for a server. It skips where there is no such
// program, unless MAILHAUL_REAL is set.
func (p *realPeer) install(t *testing.T, addr string) (dir string, argv []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer") // short, and fdm's own user must reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, d := range []string{"mail", "maildir/cur", "maildir/new", "maildir/tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	// getmail waits for the end of a command in vain if that comes before it begins to wait
	// (ForkingBase in getmailcore/baseclasses.py): the command takes its time, and a message that
	// comes again is the same file.
	write(t, dir, "take", fmt.Sprintf("f=%[1]s/$$ && cat >$f && mv $f %[1]s/mail/$(md5sum <$f | cut -c1-32) && sleep 0.05\n", dir), 0o600)
	text, argv := p.config(host, port, dir)
	write(t, dir, p.file, text, 0o600)
	if _, err := exec.LookPath(argv[0]); err != nil {
		if os.Getenv("MAILHAUL_REAL") != "" {
			t.Fatalf("MAILHAUL_REAL is set, and there is no %s", argv[0])
		}
		t.Skipf("no %s", argv[0])
	}
	return dir, argv
}

// run has the peer fetch everything that is new to it.
func (p *realPeer) run(t *testing.T, dir string, argv []string) {
	t.Helper()
	for try := 1; ; try++ {
		cmd := exec.Command(argv[0], argv[1:]...)
		// fdm gives its rights up, and then wants a place for its buffers.
		cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C", "XDG_CONFIG_HOME=", "FETCHMAILHOME="+dir, "TMPDIR=/tmp")
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		switch {
		case err == nil:
			return
		case p.name != "getmail" || try == 5: // see install
			t.Fatalf("%v: %v", argv, err)
		}
	}
}

// again has it look for new mail where there is none: fetchmail has a status for that.
func (p *realPeer) again(t *testing.T, dir string, argv []string) {
	t.Helper()
	if p.name == "fetchmail" {
		argv = append([]string{"sh", "-c", `"$@" || test $? = 1`, "sh"}, argv...)
	}
	p.run(t, dir, argv)
}

// arrived counts what the peer has delivered.
func (p *realPeer) arrived(t *testing.T, dir string) int {
	t.Helper()
	files, err := filepath.Glob(dir + "/mail*/*")
	news, err2 := filepath.Glob(dir + "/maildir/new/*")
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasPrefix(f, dir+"/maildir/") })
	return len(files) + len(news)
}

// list gives the peer's list of what it has seen.
func (p *realPeer) list(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, p.state))
	if err != nil || len(found) != 1 {
		t.Fatalf("lists %v, %v", found, err)
	}
	return found[0]
}

// add puts messages into the maildrop, each another, beside what is there. It gives these files alone
// to the user of Dovecot's sessions: what else is in its directory comes and goes.
func (d *dovecot) add(t *testing.T, from, to int) {
	t.Helper()
	chown := []string{"nobody:"}
	for i := from; i <= to; i++ {
		text := fmt.Sprintf("From: alice@example.com\nTo: bob@example.com\nSubject: number %d\nMessage-ID: <%d@example.com>\n\nhello %d\n", i, i, i)
		chown = append(chown, write(t, filepath.Join(d.dir, "mail", "cur"), fmt.Sprintf("18000000%02d.M%d.host:2,", i, i), text, 0o644))
	}
	if os.Getuid() == 0 {
		if out, err := exec.Command("chown", chown...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// TestTakeOverFromRealPeers lets each real program fetch 20 messages from a real server and keep
// them there, takes over what it has seen, and sees that none comes again, and of two new ones just
// these.
func TestTakeOverFromRealPeers(t *testing.T) {
	t.Parallel()
	d := startDovecot(t)
	for _, p := range realPeers {
		t.Run(p.name, func(t *testing.T) {
			d.clear(t)
			d.add(t, 1, 20)
			dir, argv := p.install(t, d.addr)
			p.run(t, dir, argv)
			if n := p.arrived(t, dir); n != 20 {
				t.Fatalf("%s has delivered %d messages", p.name, n)
			}
			dest := filepath.Join(dir, "ours")
			config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.other]\nserver = \"127.0.0.1:1\"\ntls = \"none\"\nuser = \"alice\"\npassword = \"secret\"\ndeliver = { maildir = %[3]q }\n"+
				"[accounts.work]\nserver = %[2]q\ntls = \"none\"\nuser = \"bob@example.com\"\npassword = \"secret\"\nkeep = true\ndeliver = { maildir = %[3]q }\n",
				dir+"/state", d.addr, dest), 0o600)
			list := p.list(t, dir)
			args := append([]string{"-c", config, "import", p.name, "--state", list}, p.force...)

			stdout, stderr, status := mailhaul(t, append(args, "--dry-run")...)
			want := "work: 20 unique-ids would be taken over from " + list + " (0 known already)\nwork: the first fetch retrieves 0 messages of 20 on the server\n"
			if status != 0 || stderr != "" || stdout != want {
				t.Errorf("dry run: status %d\n%s%s", status, stdout, stderr)
			}
			if files, _ := filepath.Glob(dir + "/state/*.uidl"); len(files) > 0 {
				t.Errorf("the dry run wrote %v", files)
			}
			stdout, stderr, status = mailhaul(t, args...)
			if want := strings.Replace(want, "would be taken", "taken", 1); status != 0 || stderr != "" || stdout != want {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
			stdout, stderr, status = mailhaul(t, args...)
			if status != 0 || stderr != "" || !strings.HasPrefix(stdout, "work: 0 unique-ids taken over from "+list+" (20 known already)\n") {
				t.Errorf("again: status %d\n%s%s", status, stdout, stderr)
			}
			if stdout, stderr, status := mailhaul(t, "-c", config, "fetch", "work"); status != 0 || stdout+stderr != "" {
				t.Errorf("fetch: status %d\n%s%s", status, stdout, stderr)
			}
			d.add(t, 21, 22)
			stdout, stderr, status = mailhaul(t, "-c", config, "fetch", "work")
			if status != 0 || stderr != "" || !strings.HasPrefix(stdout, "work: 2 messages delivered ") {
				t.Errorf("fetch of two: status %d\n%s%s", status, stdout, stderr)
			}
			got := strings.Join(storedAt(t, "maildir", dest), "")
			if n := len(regexp.MustCompile(`(?m)^Subject: `).FindAllString(got, -1)); n != 2 || !strings.Contains(got, "number 21\n") || !strings.Contains(got, "number 22\n") {
				t.Errorf("%d messages came:\n%s", n, got)
			}

			// And back: what state export prints makes a list for the peer, which then fetches nothing.
			was := p.arrived(t, dir)
			sh := fmt.Sprintf("umask 077; mailhaul -c %s state export work | %s > %s/new && mv %[3]s/new %[4]s", config, p.back, dir, list)
			if out, err := exec.Command("sh", "-c", sh).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", sh, err, out)
			}
			p.again(t, dir, argv)
			if n := p.arrived(t, dir); n != was {
				text, _ := os.ReadFile(list)
				t.Errorf("%s has fetched %d messages again\n%q", p.name, n-was, text)
			}
			if left, _ := filepath.Glob(filepath.Join(d.dir, "mail", "*", "1*")); len(left) != 22 {
				t.Errorf("%d messages are on the server", len(left))
			}
		})
	}
}

// TestSwitchFromRealPeers goes the whole way: the program fetches 20 messages by its configuration,
// that becomes ours, what was seen is taken over, and of 22 messages two come, into the same place.
func TestSwitchFromRealPeers(t *testing.T) {
	t.Parallel()
	d := startDovecot(t)
	for _, p := range realPeers {
		t.Run(p.name, func(t *testing.T) {
			d.clear(t)
			d.add(t, 1, 20)
			dir, argv := p.install(t, d.addr)
			p.run(t, dir, argv)
			config := filepath.Join(dir, "c.toml")
			text, stderr, status := mailhaul(t, "-c", config, "import", p.name, filepath.Join(dir, p.file))
			if status != 0 {
				t.Fatalf("status %d\n%s%s", status, text, stderr)
			}
			secret := regexp.MustCompile(`(?m)^password_file = "(.*)"$`).FindStringSubmatch(text)
			if secret == nil || filepath.Dir(secret[1]) != dir {
				t.Fatalf("no password_file in\n%s", text)
			}
			command := strings.TrimSuffix("#     mailhaul import "+p.name+" --state "+p.list(t, dir)+" "+strings.Join(p.force, " "), " ") + "\n"
			if p.name != "getmail" && !strings.Contains(text, command) { // whose directory is not a usual one here
				t.Errorf("it does not say %s%s", command, text)
			}
			write(t, dir, filepath.Base(secret[1]), "secret\n", 0o600)
			write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n%s", dir+"/state", text), 0o600)
			args := append([]string{"-c", config, "import", p.name, "--state", p.list(t, dir)}, p.force...)
			stdout, stderr, status := mailhaul(t, args...)
			if status != 0 || stderr != "" || !strings.Contains(stdout, ": 20 unique-ids taken over from ") || !strings.Contains(stdout, ": the first fetch retrieves 0 messages of 20 on the server\n") {
				t.Fatalf("status %d\n%s%s\n%s", status, stdout, stderr, text)
			}
			d.add(t, 21, 22)
			stdout, stderr, status = mailhaul(t, "-c", config, "fetch")
			if status != 0 || stderr != "" || !strings.Contains(stdout, ": 2 messages delivered ") {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
			if n := p.arrived(t, dir); n != 22 {
				t.Errorf("%d messages in all", n)
			}
		})
	}
}

// TestOddUniqueIDsOfRealPeers: what a real program does not store as the server sends it is found all
// the same, and what is not clear is fetched.
func TestOddUniqueIDsOfRealPeers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		peer string
		uids []string
	}{
		{"fetchmail", []string{"a b", "c", "d\tx", "e/f"}},
		{"getmail", []string{"a b", "c/d", "e-f", "g"}},
	} {
		t.Run(c.peer, func(t *testing.T) {
			p := realPeers[slices.IndexFunc(realPeers, func(p realPeer) bool { return p.name == c.peer })]
			var msgs []pop3test.Message
			for _, uid := range c.uids {
				msgs = append(msgs, pop3test.Message{UID: uid, Text: sampleText(uid, 0)})
			}
			srv, err := pop3test.NewServer(pop3test.Config{User: "bob@example.com"}, msgs...)
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			dir, argv := p.install(t, srv.Addr)
			p.run(t, dir, argv)
			list := p.list(t, dir)
			text, _ := os.ReadFile(list)
			t.Logf("%s: %q", list, text)
			config := write(t, dir, "c.toml", fmt.Sprintf("state_dir = %q\n[accounts.work]\nserver = %q\ntls = \"none\"\nuser = \"bob@example.com\"\npassword = \"secret\"\nkeep = true\ndeliver = { maildir = %q }\n",
				dir+"/state", srv.Addr, dir+"/ours"), 0o600)
			stdout, stderr, status := mailhaul(t, "-c", config, "import", p.name, "--state", list)
			if status != 0 || !strings.HasPrefix(stdout, "work: 4 unique-ids taken over") || stderr != "" {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
			srv.Add(pop3test.Message{UID: "new", Text: sampleText("new", 0)})
			stdout, stderr, status = mailhaul(t, "-c", config, "-v", "fetch")
			if status != 0 || !strings.Contains(stdout, "1 message delivered") {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
		})
	}
}

// clear empties the maildrop.
func (d *dovecot) clear(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(d.dir, "mail", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}
