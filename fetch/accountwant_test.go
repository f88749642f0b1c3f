package fetch

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3/pop3test"
	"mailhaul/fetch/state"
)

// stored returns the messages in the maildir or mbox without their trace field, sorted, and fails
// if tmp/ is not empty. In an mbox no line of a test's message begins with "From ".
func (a *account) stored() []string {
	a.t.Helper()
	if a.mbox {
		var texts []string
		for _, entry := range strings.Split("\n"+read(a.t, a.mboxPath()), "\nFrom ")[1:] {
			_, text, _ := strings.Cut(entry, "\n")
			texts = append(texts, untraced(a.t, []byte(text)))
		}
		if n := len(texts); n > 0 {
			texts[n-1] = strings.TrimSuffix(texts[n-1], "\n") // as the split did with the others
		}
		for i := range texts {
			if a.uidl == deliver.HeaderUIDL {
				texts[i] = a.withoutXUIDL(texts[i])
			}
		}
		slices.Sort(texts)
		return texts
	}
	if left, _ := os.ReadDir(filepath.Join(a.maildir(), "tmp")); len(left) > 0 {
		a.t.Errorf("tmp/ holds %d files: %s", len(left), left[0].Name())
	}
	var texts []string
	for _, sub := range []string{"new", "cur"} {
		files, _ := os.ReadDir(filepath.Join(a.maildir(), sub))
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(a.maildir(), sub, f.Name()))
			if err != nil {
				a.t.Fatal(err)
			}
			text = []byte(untraced(a.t, text))
			if a.uidl == deliver.HeaderUIDL {
				text = []byte(a.withoutXUIDL(string(text)))
			}
			texts = append(texts, string(text))
		}
	}
	slices.Sort(texts)
	return texts
}

// withoutXUIDL takes the field for the unique-id off, and gives the message's own back its name.
func (a *account) withoutXUIDL(text string) string {
	field, rest, _ := strings.Cut(text, "\n")
	if !strings.HasPrefix(field, "X-UIDL: uid-") {
		a.t.Errorf("no unique-id: %.80q", text)
	}
	return strings.Replace(rest, "\nX-Was-X-UIDL:", "\nX-UIDL:", 1)
}

// wantListed fails if not each file of the maildir is in dovecot-uidlist once, with the unique-id of
// the message that it is.
func (a *account) wantListed() {
	a.t.Helper()
	list := read(a.t, filepath.Join(a.maildir(), "dovecot-uidlist"))
	files, _ := os.ReadDir(filepath.Join(a.maildir(), "new"))
	for _, f := range files {
		record := regexp.MustCompile(`(?m)^\d+ P(\S+) O\d+ :` + regexp.QuoteMeta(f.Name()) + "$")
		found := record.FindAllStringSubmatch(list, -1)
		text := read(a.t, filepath.Join(a.maildir(), "new", f.Name()))
		if len(found) != 1 || !strings.Contains(text, "\nSubject: "+found[0][1]+"\n") {
			a.t.Errorf("%s has the records %q in\n%s", f.Name(), found, list)
		}
	}
}

// untraced takes the trace field off.
func untraced(t testing.TB, text []byte) string {
	if !bytes.HasPrefix(text, []byte("Received: from pop.example.com by ")) {
		t.Errorf("no trace field: %.80q", text)
		return string(text)
	}
	for {
		_, rest, _ := bytes.Cut(text, []byte("\n"))
		if text = rest; !bytes.HasPrefix(text, []byte("\t")) {
			return string(text)
		}
	}
}

// want fails if the maildir does not hold exactly these messages.
func (a *account) want(msgs ...pop3test.Message) {
	a.t.Helper()
	var want []string
	for _, m := range msgs {
		want = append(want, stored(m))
	}
	slices.Sort(want)
	got := a.stored()
	if slices.Equal(got, want) {
		return
	}
	count := map[string]int{}
	for _, s := range want {
		count[s]++
	}
	for _, s := range got {
		count[s]--
	}
	for _, s := range slices.Sorted(maps.Keys(count)) {
		if n := count[s]; n != 0 {
			a.t.Errorf("%d too few of %.40q", n, s)
		}
	}
	a.t.Errorf("%d messages are stored, want %d\n%s", len(got), len(want), a.transcript())
}

// stored is a message in its stored form.
func stored(m pop3test.Message) string {
	s := strings.ReplaceAll(m.Text, "\r\n", "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s
}

// wantEmpty fails if the server has messages left.
func (a *account) wantEmpty() {
	a.t.Helper()
	if left := a.srv.UIDs(); len(left) > 0 {
		a.t.Errorf("left on the server: %q\n%s", left, a.transcript())
	}
}

// wantLeft fails if the server has not exactly these messages.
func (a *account) wantLeft(uids ...string) {
	a.t.Helper()
	if left := a.srv.UIDs(); !slices.Equal(left, uids) {
		a.t.Errorf("left on the server: %q, want %q\n%s", left, uids, a.transcript())
	}
}

// wantRecorded fails if a recorded unique-id has not the hash of its own message.
func (a *account) wantRecorded(msgs ...pop3test.Message) {
	a.t.Helper()
	for _, m := range msgs {
		for _, e := range a.entries(m.UID) {
			if e.Status != state.Failed && e.Body != bodyOf(m) {
				a.t.Errorf("%s is recorded with another message's hash", m.UID)
			}
		}
	}
}

func bodyOf(m pop3test.Message) string {
	d := deliver.NewDigester()
	d.Write([]byte(m.Text))
	return hexSum(d.Digest().Sum)
}

func headOf(m pop3test.Message) string {
	d := deliver.NewDigester()
	d.Write([]byte(m.Text))
	return hexSum(d.Digest().Head)
}
