package peer

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the expected files anew")

// secret is the password in every configuration of the tests.
const secret = "MARKER"

var testSite = Site{Home: "/home/joe", User: "joe", Dir: "~/.config/mailhaul", Getenv: func(name string) string {
	return map[string]string{"HOME": "/home/joe"}[name]
}}

// printed is the TOML of an Import.
func printed(t *testing.T, imp *Import) string {
	t.Helper()
	var b strings.Builder
	if err := imp.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Each configuration in testdata is one that its own program accepts. Beside it is what is made
// of it.
func TestRead(t *testing.T) {
	for _, p := range Programs {
		files, err := filepath.Glob("testdata/" + string(p) + "/*.conf")
		if err != nil || len(files) < 4 {
			t.Fatalf("%s: %d files, %v", p, len(files), err)
		}
		for _, file := range files {
			t.Run(file, func(t *testing.T) {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				imp, err := Read(p, []Source{{filepath.Base(file), text}}, testSite)
				if err != nil {
					t.Fatal(err)
				}
				got := printed(t, imp)
				if strings.Contains(got, secret) {
					t.Error("the password is in the output")
				}
				for _, a := range imp.Accounts {
					got += "# " + a.Name + ": " + a.Host + " " + a.Port + " " + a.User + " " + a.IDFile + "\n"
				}
				golden := strings.TrimSuffix(file, ".conf") + ".toml"
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}
