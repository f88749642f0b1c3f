package deliver

import (
	"strings"
	"testing"
)

func TestOwnTrace(t *testing.T) {
	const nonce, id = "0123456789ab", "0123456789ab0011223344556677"
	plain := "Received: from pop.example.com by here.example with POP3 id " + id + "; Mon, 2 Jan 2006 15:04:05 -0700\n"
	folded := "Received: from pop.example.com by here.example with POP3 id " + id + "\n\tfor <alice>; Mon, 2 Jan 2006 15:04:05 -0700\n"
	for _, tt := range []struct {
		name, text string
		n          int
	}{
		{"plain", plain + "A: b\n", len(plain)},
		{"folded", folded + "A: b\n", len(folded)},
		{"nothing behind", folded, len(folded)},
		{"the message begins with a folded line", folded + "\tx; y\n", len(folded)},
		{"a plain one and a folded line", plain + "\tx; y\n", len(plain)},
		{"no date", strings.Replace(folded, ";", "", 1) + "A: b\n", 0},
		{"cut in the first line", folded[:70], 0},
		{"cut in the second line", folded[:len(folded)-1], 0},
		{"cut between", folded[:strings.Index(folded, "\n")+1], 0},
		{"another nonce", strings.Replace(folded, nonce, "ffffffffffff", 1), 0},
		{"an id that goes on", strings.Replace(plain, id, id+"0", 1), 0},
		{"capitals", strings.Replace(plain, id, strings.ToUpper(id), 1), 0},
		{"a short id", strings.Replace(plain, id, id[:27], 1), 0},
		{"another server's", "Received: from a by b with ESMTP id " + id + "; x\n", 0},
		{"not first", "A: b\n" + plain, 0},
		{"nothing", "", 0},
	} {
		n, got := ownTrace([]byte(tt.text), nonce)
		if n != tt.n || n > 0 && got != id || n == 0 && got != "" {
			t.Errorf("%s: %d, %q; want %d", tt.name, n, got, tt.n)
		}
	}
	if n, _ := ownTrace([]byte(plain), ""); n != len(plain) {
		t.Error("not found without a nonce")
	}
}
