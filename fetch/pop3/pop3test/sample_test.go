package pop3test_test

import (
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"
	"unicode/utf8"

	"mime"

	"mailhaul/fetch/pop3/pop3test"
)

func TestSampleMail(t *testing.T) {
	msgs := pop3test.SampleMail()
	uids := make(map[string]bool)
	var all strings.Builder
	for _, m := range msgs {
		uids[m.UID] = true
		all.WriteString(m.Text)
		if n := strings.Count(m.Text, "\n"); n != strings.Count(m.Text, "\r\n") || strings.Count(m.Text, "\r") != n {
			t.Errorf("%s: not all lines end with CRLF", m.UID)
		}
		if !utf8.ValidString(m.Text) {
			t.Errorf("%s: not UTF-8", m.UID)
		}
		msg, err := mail.ReadMessage(strings.NewReader(m.Text))
		if err != nil {
			t.Errorf("%s: %v", m.UID, err)
			continue
		}
		if _, err := msg.Header.Date(); err != nil {
			t.Errorf("%s: %v", m.UID, err)
		}
		kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
		if err == nil && kind == "multipart/mixed" {
			r := multipart.NewReader(msg.Body, params["boundary"])
			r.NextPart()
			p, err := r.NextPart()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, base64.NewDecoder(base64.StdEncoding, p)); err != nil {
				t.Errorf("%s: %v", m.UID, err)
			}
		}
	}
	for _, has := range []string{"\r\n.\r\n", "\r\n..\r\n", "\r\nFrom ", "\r\n>From "} {
		if !strings.Contains(all.String(), has) {
			t.Errorf("no message has %q", has)
		}
	}
	if len(msgs) != 6 || len(uids) != 6 {
		t.Errorf("%d messages, %d unique-ids", len(msgs), len(uids))
	}

	srv := serve(t, pop3test.Config{}, msgs...)
	c := login(t, srv)
	for i, m := range msgs {
		c.say("RETR " + string(rune('1'+i)))
		c.wantOK()
		got, err := c.ReadDotBytes()
		if want := strings.ReplaceAll(m.Text, "\r\n", "\n"); string(got) != want || err != nil {
			t.Errorf("%s: came as %q, %v", m.UID, got, err)
		}
	}
}
