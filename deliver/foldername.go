package deliver

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// FolderName is the name of the directory, within a maildir, of a subfolder (Maildir++): a dot, and
// the levels of the folder with dots between them, in the modified UTF-7 of IMAP (RFC 3501, section
// 5.1.3), as Courier and Dovecot have it unless told otherwise. It is "" for INBOX, which is the
// maildir itself.
func FolderName(folder string) (string, error) {
	switch {
	case strings.EqualFold(folder, "INBOX"):
		return "", nil
	case len(folder) > 6 && strings.EqualFold(folder[:6], "INBOX."):
		return "", errors.New("want the name without INBOX in front")
	case folder == "":
		return "", errors.New("is empty")
	case !utf8.ValidString(folder):
		return "", errors.New("is not UTF-8")
	case strings.ContainsFunc(folder, func(c rune) bool { return c < ' ' || c == 0x7f || c == '/' }):
		return "", errors.New("has a slash or a control character in it; levels have a dot between them")
	case folder[0] == '.' || folder[len(folder)-1] == '.' || strings.Contains(folder, ".."):
		return "", errors.New("has an empty level: a dot at its beginning or end, or two dots")
	}
	name := "." + modifiedUTF7(folder)
	if len(name) > 255 {
		return "", errors.New("is too long for the name of a directory")
	}
	return name, nil
}

// mUTF7 is base64 with a comma in the place of the slash, and without padding.
var mUTF7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

func modifiedUTF7(s string) string {
	var b strings.Builder
	var run []byte // UTF-16, big endian
	flush := func() {
		if len(run) > 0 {
			b.WriteString("&" + mUTF7.EncodeToString(run) + "-")
			run = run[:0]
		}
	}
	for _, c := range s {
		if c >= ' ' && c < 0x7f {
			flush()
			if c == '&' {
				b.WriteString("&-")
				continue
			}
			b.WriteRune(c)
			continue
		}
		for _, u := range utf16.Encode([]rune{c}) {
			run = binary.BigEndian.AppendUint16(run, u)
		}
	}
	flush()
	return b.String()
}
