package peer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// fuzz reads what stands around a password, and looks for it. password is a whole statement with
// the secret in it; fits tells whether it is one behind what stands in front of it.
func fuzz(f *testing.F, p Program, password string, fits func(before string) bool) {
	files, err := filepath.Glob("testdata/" + string(p) + "/*.conf")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		whole := strings.ReplaceAll(string(text), secret, "other")
		f.Add(whole, "")
		lines := strings.SplitAfter(whole, "\n")
		f.Add(strings.Join(lines[:len(lines)/2], ""), strings.Join(lines[len(lines)/2:], ""))
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, secret) || !fits(before) {
			t.Skip()
		}
		imp, err := Read(p, []Source{{"rc", []byte(before + password + after)}}, testSite)
		if err != nil {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the password is in the error: %v", err)
			}
			return
		}
		text := printed(t, imp)
		if strings.Contains(text, secret) {
			t.Errorf("the password is in the output:\n%s", text)
		}
		var doc struct {
			Accounts map[string]map[string]any
		}
		if _, err := toml.Decode(text, &doc); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if len(doc.Accounts) != len(imp.Accounts) {
			t.Errorf("%d accounts, not %d", len(doc.Accounts), len(imp.Accounts))
		}
		for name, a := range doc.Accounts {
			for _, k := range []string{"server", "user", "deliver"} {
				if a[k] == nil {
					t.Errorf("account %q has no %s", name, k)
				}
			}
		}
	})
}

func FuzzFetchmail(f *testing.F) {
	fuzz(f, Fetchmail, "\npassword \"MARKER\"\n", func(before string) bool {
		// It is a statement of its own where no string is open; a name in front of it would make
		// "password" the name.
		tokens := lexFetchmail(Source{Text: []byte(before + "\n")})
		return !slices.ContainsFunc(tokens, func(t fetchmailToken) bool { return !t.quoted && strings.ContainsAny(t.text, `"'`) })
	})
}

func FuzzMpop(f *testing.F) {
	fuzz(f, Mpop, "\npassword MARKER\n", func(string) bool { return true })
}

func FuzzGetmail(f *testing.F) {
	fuzz(f, Getmail, "\npassword = MARKER\n", func(string) bool { return true })
}

func FuzzFdm(f *testing.F) {
	fuzz(f, Fdm, " pass \"MARKER\" ", func(before string) bool {
		// Behind account, where pass is an option.
		tokens, err := lexFdm(Source{Text: []byte(before + "\n")})
		return err == nil && len(tokens) > 0 && !strings.Contains(before[strings.LastIndexByte(before, '\n')+1:], "#")
	})
}
