package deliver

import (
	"strings"
	"testing"
)

func TestFolderName(t *testing.T) {
	for folder, want := range map[string]string{
		"Archive": ".Archive", "Archive.2024": ".Archive.2024", "a b": ".a b", "INBOX": "", "inbox": "",
		// RFC 3501, section 5.1.3.
		"~peter.mail.台北.日本語": ".~peter.mail.&U,BTFw-.&ZeVnLIqe-",
		"Gelöscht":           ".Gel&APY-scht", "R&D": ".R&-D", "😀": ".&2D3eAA-", "aä&ö": ".a&AOQ-&-&APY-",
	} {
		if got, err := FolderName(folder); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", folder, got, err, want)
		}
	}
	for _, folder := range []string{"", ".", "..", ".a", "a.", "a..b", "a/b", "/", "a\x00", "a\n", "\xff", "INBOX.a", strings.Repeat("a", 255)} {
		if got, err := FolderName(folder); err == nil {
			t.Errorf("%q: %q", folder, got)
		}
	}
}
