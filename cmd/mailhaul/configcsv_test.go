package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loadCSV loads a configuration whose accounts_from is table and whose file accounts.csv is rows.
func loadCSV(t *testing.T, table, rows string, mode os.FileMode) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "accounts.csv", rows, mode)
	p := write(t, dir, "c.toml", "[accounts_from]\nfile = \"accounts.csv\"\n"+table, 0o600)
	return loadConfig(p, func(string) bool { return true })
}

const migration = `server = "old.example.com"
user = "{user}*master"
password_file = "secrets/{domain}.txt"
keep = true
deliver = { maildir = "/srv/mail/{domain}/{local}/Maildir" }
`

func TestAccountsFrom(t *testing.T) {
	cfg, err := loadCSV(t, migration+"name = \"{user}\"\n", "\ufeffuser,max_messages,disabled,tls\r\nann@example.org,5,,starttls\nbob@example.net,,true,\n\"c,d@example.org\",,,\n", 0o644)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range cfg.Accounts {
		got = append(got, fmt.Sprintf("%s: %s %s %s %s %d %v %v %d", a.Name, a.User, a.Server.Addr, a.Deliver, filepath.Base(a.Secret.Name), a.MaxMessages, a.Disabled, a.Keep, a.line))
	}
	want := `ann@example.org: ann@example.org*master old.example.com:110 maildir /srv/mail/example.org/ann/Maildir example.org.txt 5 false true 2
bob@example.net: bob@example.net*master old.example.com:995 maildir /srv/mail/example.net/bob/Maildir example.net.txt 0 true true 3
c,d@example.org: c,d@example.org*master old.example.com:995 maildir /srv/mail/example.org/c,d/Maildir example.org.txt 0 false true 4`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
	if dir := filepath.Dir(filepath.Dir(cfg.Accounts[0].Secret.Name)); dir != filepath.Dir(cfg.Path) {
		t.Errorf("relative to %s", dir)
	}
}

// Beside accounts of the file itself, with a column for each key.
func TestAccountsFromColumns(t *testing.T) {
	cfg, err := loadCSV(t, "[defaults]\ntimeout = \"5s\"\n"+head+"password = \"x\"\n", "\ufeff\"name\",server,user,password,maildir,keep,max_size\nx,h,alice,hunter2,/m,true,500000\n", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	x := cfg.Account("x")
	if len(cfg.Accounts) != 2 || x == nil || !x.Keep || x.MaxSize != 500000 || x.Deliver.Maildir != "/m" || x.Secret.Value.Reveal() != "hunter2" || x.Timeout.Seconds() != 5 {
		t.Errorf("%+v", x)
	}
}

func TestAccountsFromProblems(t *testing.T) {
	const user = "user\nann@example.org\n"
	for _, tt := range []struct {
		name, table, rows string
		mode              os.FileMode
		want              []string // "FILE:LINE: part", all there are
	}{
		{"no file", "", "-", 0, []string{"accounts.csv: cannot be read: no such file"}},
		{"unknown key", migration + "servr = \"x\"\n", user, 0o600, []string{`c.toml:8: accounts_from.servr: unknown key; did you mean "server"?`}},
		{"two secrets", migration + "netrc = true\n", user, 0o600, []string{"c.toml:8: accounts_from.netrc: a second secret"}},
		{"empty", migration, "", 0o600, []string{"accounts.csv: is empty"}},
		{"column", migration, "user,usr\na@b,x\n", 0o600, []string{`accounts.csv:1: column "usr" is no key, and no template has {usr}; did you mean "user"?`}},
		{"blank", migration, "user, password\na@b, x\n", 0o600, []string{`accounts.csv:1: column " password" is no key, and no template has { password}; did you mean "password"?`}},
		{"column twice", migration, "user,user\na@b,x\n", 0o600, []string{`accounts.csv:1: column "user" stands twice`}},
		{"no columns", migration, "ann@example.org,geh31m\nbob@example.org,geh31m\n", 0o600, []string{"accounts.csv: the first row names the columns"}},
		{"column without a name", migration, "user,\na@b,x\n", 0o600, []string{"accounts.csv:1: column 2 has no name"}},
		{"semicolons", migration, "user;password\na@b;x\n", 0o600, []string{"accounts.csv:1: columns are separated by commas"}},
		{"ragged", migration, "user\na@b\nc@d,hunter2\n", 0o600, []string{"accounts.csv:3: has more or fewer columns"}},
		{"quotes", migration, "user\n\"a@b\n", 0o600, []string{"accounts.csv:2: extraneous or missing"}},
		{"no column", migration + "name = \"{usr}\"\n", user, 0o600, []string{`accounts.csv:2: the account's name: there is no column "usr"; did you mean "user"?`}},
		{"no @", migration, "user\nann\n", 0o600, []string{"accounts.csv:2: "}},
		{"upwards", migration, "user\nann@..\n", 0o600, []string{"accounts.csv:2: "}},
		{"elsewhere", migration, "user\na/../../b@c\n", 0o600, []string{"accounts.csv:2: "}},
		{"elsewhere, without a slash in the template", "server = \"h\"\nnetrc = true\nquarantine = \"{user}\"\ndeliver = { maildir = \"/m\" }\n", "user\n../x\n", 0o600, []string{"accounts.csv:2: quarantine: what {user} stands for cannot be part of a path"}},
		{"elsewhere, a certificate", "server = \"h\"\nnetrc = true\ntls_cert = \"{user}\"\ndeliver = { maildir = \"/m\" }\n", "user\n../x\n", 0o600, []string{"accounts.csv:2: tls_cert: what {user} stands for cannot be part of a path"}},
		{"variable", migration, "user\n$HOME@c\n", 0o600, []string{"accounts.csv:2: "}},
		{"empty cell", migration, "user,password\n\"\",x\n", 0o600, []string{"accounts.csv:2: the account's name: {user} is empty"}},
		{"twice", migration, "user\na@b\na@b\n", 0o600, []string{`accounts.csv:3: account "a@b" is also in `}},
		{"name", migration, "user,name\na@b,-x\n", 0o600, []string{"accounts.csv:2: an account's name does not begin with -"}},
		{"value", migration, "user,tls,max_messages\na@b,ssl,many\n", 0o600, []string{"accounts.csv:2: accounts.\"a@b\".tls: want implicit", "accounts.csv:2: accounts.\"a@b\".max_messages: want a whole number"}},
		{"missing", "server = \"h\"\n", "user\na@b\n", 0o600, []string{"accounts.csv:2: accounts.\"a@b\": deliver is missing", "accounts.csv:2: accounts.\"a@b\": no secret"}},
		{"no secret", "server = \"h\"\n", "user,maildir\na@b,/m\n", 0o600, []string{"accounts.csv:2: accounts.\"a@b\": no secret"}},
		{"open to others", "server = \"h\"\n", "user,maildir,password\na@b,/m,hunter2\n", 0o644, []string{"accounts.csv:1: the file has a column password and is open to others (mode 0644); chmod 600 it"}},
		{"open to others, by another name", "server = \"h\"\npassword = \"{pw}\"\ndeliver = { maildir = \"/m\" }\n", "user,pw\na@b,hunter2\n", 0o644, []string{"accounts.csv:1: the file has a column pw, which password is made of, and is open to others (mode 0644); chmod 600 it"}},
		{"open to others, for the destination", "server = \"h\"\nnetrc = true\ndeliver = [{ imap = \"h\", user = \"{user}\", password = \"{pw}\" }]\n", "user,pw\na@b,hunter2\n", 0o644, []string{"accounts.csv:1: the file has a column pw, which password is made of, and is open to others (mode 0644); chmod 600 it"}},
		{"braces", migration + "name = \"{user\"\n", user, 0o600, []string{"accounts.csv:2: the account's name: want {COLUMN}"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows := tt.rows
			_, err := loadCSV(t, tt.table, strings.TrimPrefix(rows, "-"), max(tt.mode, 0o600))
			if rows == "-" {
				p := write(t, t.TempDir(), "c.toml", "[accounts_from]\nfile = \"accounts.csv\"\n", 0o600)
				_, err = loadConfig(p, nil)
			}
			var ce *ConfigError
			if !errors.As(err, &ce) {
				t.Fatalf("got %v", err)
			}
			if len(ce.Problems) != len(tt.want) {
				t.Errorf("got %v", err)
			}
			for i, p := range ce.Problems {
				p.File = filepath.Base(p.File)
				if i >= len(tt.want) || !strings.HasPrefix(p.String(), tt.want[i]) {
					t.Errorf("got %v", p)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("a secret is told")
			}
		})
	}
}

// A mistake that is in each row is not told ten thousand times, and many accounts take no time.
func TestAccountsFromMany(t *testing.T) {
	var rows strings.Builder
	rows.WriteString("user\n")
	for i := range 10_000 {
		fmt.Fprintf(&rows, "user%d@example.org\n", i)
	}
	cfg, err := loadCSV(t, migration, rows.String(), 0o600)
	if err != nil || len(cfg.Accounts) != 10_000 {
		t.Fatal(err)
	}
	_, err = loadCSV(t, strings.Replace(migration, "{local}", "{locale}", 1), rows.String(), 0o600)
	var ce *ConfigError
	if !errors.As(err, &ce) || len(ce.Problems) != manyProblems+1 {
		t.Errorf("%d problems", len(ce.Problems))
	}
}

func FuzzAccountsFrom(f *testing.F) {
	f.Add(migration, "user,password\na@b,hunter2\n")
	f.Add("name = \"{{{user}}}\"\n", "\"us\"\"er\",x\n")
	f.Fuzz(func(t *testing.T, table, rows string) {
		cfg, err := loadCSV(t, table, rows, 0o600)
		if err == nil && len(cfg.Accounts) == 0 {
			t.Error("nothing, and no error")
		}
	})
}
