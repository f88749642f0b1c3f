package main

import (
	"bytes"
	"os"
	"path/filepath"
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
	home := f.TempDir()
	f.Setenv("HOME", home)
	f.Fuzz(func(t *testing.T, program uint8, text []byte) {
		site := peer.Site{Home: home, User: "joe", Getenv: os.Getenv}
		imp, err := peer.Read(peer.Programs[int(program)%len(peer.Programs)], []peer.Source{{Name: "rc", Text: text}}, site)
		if err != nil || len(imp.Accounts) == 0 {
			return
		}
		var out bytes.Buffer
		if err := imp.Print(&out); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadConfig(file, func(string) bool { return true }); err != nil {
			t.Errorf("%v\n%s", err, out.String())
		}
	})
}
