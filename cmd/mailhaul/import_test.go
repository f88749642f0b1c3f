package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mailhaul/cmd/mailhaul/peer"
	"mailhaul/deliver"
)

// Whatever is imported is a configuration: it passes the strict check, and its commands can be run.
func TestImportedConfigurationLoads(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for _, p := range peer.Programs {
		files, err := filepath.Glob("peer/testdata/" + string(p) + "/*.conf")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			imp, err := peer.Read(p, []peer.Source{{Name: file, Text: text}}, peer.Site{Home: home, User: "joe", Getenv: os.Getenv})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := imp.Print(&out); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "MARKER") {
				t.Errorf("%s: the password is in the output", file)
			}
			cfg, err := loadConfig(write(t, home, "config.toml", out.String(), 0o644), func(string) bool { return true })
			if err != nil {
				t.Errorf("%s: %v\n%s", file, err, out.String())
				continue
			}
			for i, a := range cfg.Accounts {
				from := imp.Accounts[i]
				if a.Name != from.Name || a.Server.Host != from.Host || a.User != from.User {
					t.Errorf("%s: account %q is of %s at %s, not of %s at %s", file, a.Name, a.User, a.Server.Host, from.User, from.Host)
				}
				if len(a.Deliver.Command) > 0 {
					_, err := deliver.NewCommand(a.Deliver.Command, deliver.CommandOptions{Account: a.Name, User: a.User, SpoolDir: home, Timeout: a.Timeout})
					if err != nil && strings.Contains(err.Error(), "as it is written") {
						t.Errorf("%s: account %q: %v", file, a.Name, err)
					}
				}
			}
		}
	}
}

// What is imported of configurations with a few words wrong can be loaded all the same.
func TestImportOfDamagedConfiguration(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	random := rand.New(rand.NewPCG(1, 2))
	words := regexp.MustCompile(`\s+|[^\s"'=:,;()]+|.`)
	odd := []string{"", "\x00", "\x01", "\xff", "ü", "$x", "~", "%", "\\", "''", `""`, "-x", "/", "0", "99999", "unix:/x", "none", "\u202e", "[", "]", "%F", "`", "127.0.0.1"}
	loaded := map[peer.Program]int{}
	for n := range 1600 {
		p := peer.Programs[n%len(peer.Programs)]
		files, err := filepath.Glob("peer/testdata/" + string(p) + "/*.conf")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		text, err := os.ReadFile(files[random.IntN(len(files))])
		if err != nil {
			t.Fatal(err)
		}
		w := words.FindAllString(string(text), -1)
		for range 1 + random.IntN(6) {
			i := random.IntN(len(w))
			switch random.IntN(3) {
			case 0:
				w[i] = w[random.IntN(len(w))]
			case 1:
				w[i] = odd[random.IntN(len(odd))]
			default:
				w[i] += odd[random.IntN(len(odd))]
			}
		}
		loaded[p] += loadImported(t, home, p, []byte(strings.Join(w, "")))
	}
	for _, p := range peer.Programs {
		if loaded[p] < 50 {
			t.Errorf("%s: only %d accounts were understood", p, loaded[p])
		}
	}
}

// loadImported loads what is imported of a text, and counts the accounts.
func loadImported(t *testing.T, home string, p peer.Program, text []byte) int {
	imp, err := peer.Read(p, []peer.Source{{Name: "rc", Text: text}}, peer.Site{Home: home, User: "joe", Getenv: os.Getenv})
	if err != nil || len(imp.Accounts) == 0 {
		return 0
	}
	var out bytes.Buffer
	if err := imp.Print(&out); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, "config.toml")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadConfig(file, func(string) bool { return true }); err != nil {
		t.Errorf("%v\n%s\nof\n%s", err, out.String(), text)
	}
	return len(imp.Accounts)
}

// What is imported of any text at all can be loaded.
func FuzzImport(f *testing.F) {
	for i, p := range peer.Programs {
		files, err := filepath.Glob("peer/testdata/" + string(p) + "/*.conf")
		if err != nil || len(files) == 0 {
			f.Fatal(files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), text)
		}
	}
	f.Fuzz(func(t *testing.T, program uint8, text []byte) {
		home := t.TempDir()
		t.Setenv("HOME", home)
		loadImported(t, home, peer.Programs[int(program)%len(peer.Programs)], text)
	})
}
