package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/pop3/pop3test"
)

// listed logs in to a server with n messages and lists them.
func listed(t *testing.T, cfg pop3test.Config, n int) (*pop3test.Server, *pop3.Client, *maildrop) {
	t.Helper()
	var msgs []pop3test.Message
	for i := 1; i <= n; i++ {
		uid := fmt.Sprint("m", i)
		msgs = append(msgs, pop3test.Message{UID: uid, Text: "Subject: " + uid + "\r\n\r\n"})
	}
	srv, err := pop3test.NewServer(cfg, msgs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	c, err := pop3.Dial(context.Background(), "tcp", srv.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := &session{capa: true, pipelining: true}
	if s.caps, err = c.Capa().Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.UserPass("user", "secret"); err != nil {
		t.Fatal(err)
	}
	d, err := s.maildrop(c)
	if err != nil || len(d.mails) != n {
		t.Fatalf("%d messages, %v", len(d.mails), err)
	}
	return srv, c, d
}

// A server that renumbers what is behind a deleted message, against RFC 1939, deletes what was
// meant all the same.
func TestDeleteFromTheHighestNumber(t *testing.T) {
	srv, c, d := listed(t, pop3test.Config{Renumber: true}, 5)
	mails, err := d.pickAll([]string{"m2", "m4", "2", "m1"})
	if err != nil {
		t.Fatal(err)
	}
	st, err := nothingKnown()
	if err != nil {
		t.Fatal(err)
	}
	m := &program{report: &report{out: io.Discard, err: io.Discard}}
	if err := m.deleteMails(c, &Account{Name: "work"}, d, known{st}, mails); err != nil {
		t.Fatal(err)
	}
	srv.Wait()
	if got := srv.UIDs(); !slices.Equal(got, []string{"m3", "m5"}) {
		t.Errorf("left are %v", got)
	}
}

// A look at a message must not delete it, whatever the server does at QUIT.
func TestLeaveKeepsWhatWasRetrieved(t *testing.T) {
	srv, c, d := listed(t, pop3test.Config{Caps: []string{"UIDL", "TOP", "EXPIRE 0"}, ExpireRetrieved: true}, 2)
	body, err := c.Retr(1).Body()
	if err == nil {
		_, err = io.Copy(io.Discard, body)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.leave(c)
	c.Close()
	srv.Wait()
	if got := srv.UIDs(); len(got) != 2 {
		t.Errorf("left are %v", got)
	}
}

// Headers come many at a time where the server pipelines, each beside its own message; a server
// without TOP is asked once, one that refuses some is asked for all.
func TestHeaders(t *testing.T) {
	const n = 300
	for _, c := range []struct {
		name               string
		cfg                pop3test.Config
		tops, waits, shown int
	}{
		{"pipelined", pop3test.Config{}, n, 12, n},
		{"one by one", pop3test.Config{Caps: []string{"UIDL", "TOP"}}, n, n + 9, n},
		{"not announced", pop3test.Config{Caps: []string{"UIDL"}}, n, n + 9, n},
		{"no TOP", pop3test.Config{NoTOP: true}, 1, 12, 0},
		{"some refused", pop3test.Config{Faults: []pop3test.Fault{{On: "TOP 1 0"}, {On: "TOP 9 0"}}}, n, 12, n - 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv, client, d := listed(t, c.cfg, n)
			rows, shown := 0, 0
			refused, why, err := d.headers(client, d.mails, func(m mail, h header, ok bool) error {
				rows++
				if ok {
					shown++
				}
				if ok && h.subject != m.uid || m.num != rows {
					t.Errorf("row %d: message %d %s has %q", rows, m.num, m.uid, h.subject)
				}
				return nil
			})
			if err != nil || rows != n || shown != c.shown || refused != n-c.shown || (why == nil) != (refused == 0) {
				t.Errorf("%d rows, %d headers, %d refused: %v, %v", rows, shown, refused, why, err)
			}
			d.leave(client)
			srv.Wait()
			tops := 0
			for _, line := range srv.Commands(1) {
				if strings.HasPrefix(line, "TOP ") {
					tops++
				}
			}
			if waits := srv.Session(1).Waits(); tops != c.tops || waits > c.waits {
				t.Errorf("%d TOPs, %d waits", tops, waits)
			}
		})
	}
}

func TestCertificateEndsSoon(t *testing.T) {
	for days, want := range map[int]string{15: "", 13: "it expires soon", -1: "it has expired"} {
		var out, complaints bytes.Buffer
		k := &checker{fetcher: &fetcher{program: &program{report: &report{out: &out, err: &complaints}}}, a: &Account{Name: "work"}}
		k.certificate(&x509.Certificate{DNSNames: []string{"pop.example.com"}, NotAfter: time.Now().AddDate(0, 0, days)})
		if want == "" && complaints.Len() > 0 || want != "" && out.Len() > 0 || !strings.Contains(complaints.String(), want) {
			t.Errorf("%d days: %q, %q", days, out.String(), complaints.String())
		}
	}
}
