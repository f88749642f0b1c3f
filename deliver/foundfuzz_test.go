package deliver

import (
	"bytes"
	"strings"
	"testing"
)

// Whatever stands in a lock file, a process that is alive or cannot be seen never counts as dead.
func FuzzOwner(f *testing.F) {
	here := thisProcess()
	f.Add(here.String())
	f.Add(here.forDovecot())
	f.Add("1\n") // liblockfile
	f.Add("0:host boot= start= space=")
	f.Add("99999999999:h boot=b start=s space=n")
	f.Fuzz(func(t *testing.T, text string) {
		o, ok := parseOwner(strings.TrimRight(text, "\n"))
		if !ok {
			return
		}
		if o.pid <= 0 {
			t.Fatalf("%q: %+v", text, o)
		}
		if again, ok := parseOwner(strings.TrimSuffix(o.String(), "\n")); !ok || again != o {
			t.Fatalf("%+v came back as %+v, %v", o, again, ok)
		}
		fate := o.fate(here)
		if fate != ownerUnknown && o.host != here.host || fate == ownerDead && o == here {
			t.Fatalf("%+v is %v", o, fate)
		}
	})
}

// A trace field is told from what only looks like one: its length is within the text and ends a line, its id
// is of the nonce. So are the names of a maildir, whatever a reader has made of them.
func FuzzOwnText(f *testing.F) {
	id := testID(1)
	f.Add("Received: from pop by host with POP3 id "+id+"\n\tfor <ann>; Wed, 25 Nov 2026 19:00:00 +0000\nSubject: x\n", "host")
	f.Add("Received: from pop by host with POP3 id "+id+"; x\n\t; y\n", "a/b:c,d")
	f.Add("1700000000.M000001I"+id+"R0123456789abcdef.host,S=28,W=32:2,S", "") // Maildir++
	f.Add("x"+id[:nonceLen]+id, "\x00\xff")
	f.Fuzz(func(t *testing.T, text, host string) {
		nonce := id[:nonceLen]
		n, got := ownTrace([]byte(text), nonce)
		if (n == 0) != (got == "") || n > len(text) || n > 0 && (text[n-1] != '\n' || !strings.HasPrefix(got, nonce) || len(got) != idLen) {
			t.Fatalf("%q: %d, %q", text, n, got)
		}
		_, d, err := readTraced(strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n")), nonce)
		if n > 0 && (err != nil || !strings.Contains(text, "\r") && strings.HasSuffix(text, "\n") && d.Size != int64(len(text)-n)) {
			t.Fatalf("%q: %d octets, %v", text, d.Size, err)
		}
		if got := ownName(text); got != "" && (len(got) != idLen || !strings.Contains(text, got)) {
			t.Fatalf("%q has id %q", text, got)
		}
		if got := nameID(text, nonce); got != "" && (len(got) != idLen || !strings.HasPrefix(got, nonce) || !strings.Contains(text, got)) {
			t.Fatalf("%q has id %q", text, got)
		}
		if got := maildirHost(host); got == "" || len(got) > maxHost+4 || strings.ContainsAny(got, "/:,\x00\n") {
			t.Fatalf("host %q became %q", host, got)
		}
	})
}

// What stands in an mbox behind an interrupted run: what another program has written whole stays, and what
// is cut begins where the run could have begun an entry.
func FuzzMboxTorn(f *testing.F) {
	id := testID(1)
	whole := "From ann@x Wed Nov 25 19:00:00 2026\nReceived: from pop by host with POP3 id " + id + " octets 1\n\t; x\n\nb\n\n"
	f.Add("From a Wed Nov 25 19:00:00 2026\nA: b\n\nx\n\n", whole[:70], "")
	f.Add("", whole[:30], "\x00\x00\x00")
	f.Add("x\n\n", whole, "From b Thu Nov 26 10:00:00 2026\nA: b\n\nx\n\n")
	f.Add("", "From", "From b Thu Nov 26 10:00:00 2026\nA: b\n\n")
	f.Add("x~\n", whole, "From b Thu Nov 26 10:00:00 2026\nA: b\n\nx\n\n") // found: cut with all behind it
	const foreign = "From other@y Thu Nov 26 10:00:00 2026\nSubject: theirs\n\ntext\n\n"
	f.Fuzz(func(t *testing.T, before, ours, behind string) {
		for _, last := range []string{"", foreign} {
			text := before + ours + behind
			if last != "" {
				text += "\n\n" + last
			}
			s := &search{r: bytes.NewReader([]byte(text)), from: int64(len(before)), size: int64(len(text)), nonce: id[:nonceLen], buf: make([]byte, mboxBuffer)}
			if err := s.entries(); err != nil {
				t.Fatal(err)
			}
			end, err := s.torn()
			if err != nil || end < int64(len(before)) || end > int64(len(text)) {
				t.Fatalf("%q: %d, %v", text, end, err)
			}
			for _, e := range s.found {
				if e.whole && (e.start < int64(len(before)) || e.end > int64(len(text)) || e.end <= e.start) {
					t.Fatalf("%q: %+v", text, e)
				}
			}
			if last != "" && end < int64(len(text)) {
				t.Fatalf("of another program's entry behind %q is left %q", text, text[end:])
			}
		}
	})
}
