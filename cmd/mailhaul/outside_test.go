package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailhaul/fetch/state"
)

// The parsers of what comes from outside: files of other programs, answers of proxies and providers,
// values of options. Whatever it is, no error has a secret in it.

const outsideSecret = "Geheimnis42"

func secretFree(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), outsideSecret) {
		t.Fatalf("the secret is in %q", err)
	}
}

// An entry of another host or user never has its password taken, and what stands in front changes nothing
// unless it is of the same host.
func FuzzNetrc(f *testing.F) {
	// netrc(5), and curl's "quoted" form.
	f.Add("machine host.example login ann password pw\nmacdef init\ncd /x\n\ndefault login anonymous password user@site\n", "host.example", "ann", "x")
	f.Add("machine a # comment\nlogin \"a b\" password \"q\\\"w\"\n", "a", "a b", `q"w\`)
	f.Add("machine h. account x password", "h", "", "p")
	f.Fuzz(func(t *testing.T, text, host, user, password string) {
		got, ok := searchNetrc(text, host, user)
		if !ok && got != "" && strings.Count(text, "password") == 0 {
			t.Fatalf("%q out of nothing", got)
		}
		if strings.ContainsAny(host+user, " \t\r\n\"#\\") || host == "" || user == "" || strings.HasSuffix(host, ".") {
			return
		}
		entry := "machine " + host + " login " + user + " password \"" + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(password) + "\"\n"
		if got, ok := searchNetrc(entry+"machine z\n"+text, host, user); !ok || got != password {
			t.Fatalf("%q gives %q, %v", entry, got, ok)
		}
		if got, ok := searchNetrc("machine x"+host+" login "+user+" password no\n"+entry, host, user); !ok || got != password {
			t.Fatalf("behind another host's: %q, %v", got, ok)
		}
	})
}

// What is read of a token file comes back from what is written of it; one that is damaged gives no token.
func FuzzTokenFile(f *testing.F) {
	f.Add([]byte(`{"version":1,"user":"ann","client_id":"c","token_url":"https://x/","access_token":"` + outsideSecret + `","refresh_token":"r","obtained":"2026-11-25T10:00:00Z","expiry":"2026-11-25T11:00:00Z"}`))
	f.Add([]byte(`{"version":1,"access_token":"` + outsideSecret))
	f.Add([]byte(`{"version":2}`))
	path := filepath.Join(f.TempDir(), "t.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := readTokens(path)
		secretFree(t, err)
		if err != nil {
			return
		}
		k.fresh(time.Now())
		w := &tokenWriter{}
		if w.replacement, err = replace(path, path+".tmp"); err == nil {
			err = w.save(k)
		}
		if err != nil {
			secretFree(t, err)
			return // a year that JSON cannot have
		}
		again, err := readTokens(path)
		if err != nil {
			if info, serr := os.Stat(path); serr == nil && info.Size() > maxSecret {
				return // escapes have made it longer
			}
			t.Fatalf("%q: %v", text, err)
		}
		if !again.Obtained.Equal(k.Obtained) || !again.Expiry.Equal(k.Expiry) || again.Access != k.Access || again.Refresh != k.Refresh || again.User != k.User {
			t.Fatalf("%q came back otherwise", text)
		}
	})
}

// Whatever a provider answers to the request for a new token: there is a token, and it is on the disk, or
// an error, and the tokens are as they were.
func FuzzProvider(f *testing.F) {
	f.Add(200, "application/json", `{"access_token":"new","token_type":"Bearer","expires_in":3600,"refresh_token":"next"}`) // RFC 6749, 5.1
	f.Add(400, "application/json", `{"error":"invalid_grant","error_description":"`+outsideSecret+`\u001b[2J expired"}`)    // 5.2
	f.Add(401, "application/json", `{"error":"invalid_client"}`)
	f.Add(200, "application/x-www-form-urlencoded", "access_token=new&expires_in=9")
	f.Add(200, "application/x-www-form-urlencoded", "access_token=n\xf3w")
	f.Add(200, "application/x-www-form-urlencoded", "access_token=n\x01w")
	f.Add(302, "text/html", "<html>")
	f.Add(200, "application/json", `{"access_token":"","expires_in":"-1"}`)
	var status int
	var kind, body string
	var held atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held.Store(!r.Close)
		w.Header()["Content-Type"] = []string{kind}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	f.Cleanup(srv.Close)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, s int, k, b string) {
		status, kind, body = s, strings.Map(func(r rune) rune { return max(r, ' ') }, k), b
		if s < 200 || s > 599 || s == 204 || s == 304 {
			status = 200
		}
		o := &OAuth{ClientID: "c", TokenURL: srv.URL + "/token", file: filepath.Join(dir, "a.json")}
		a := &Account{Name: "a", User: "ann", Timeout: 10 * time.Second, OAuth: o}
		had := &tokens{User: "ann", ClientID: "c", TokenURL: o.TokenURL, Access: "old", Refresh: outsideSecret, Obtained: time.Now().Add(-2 * time.Hour), Expiry: time.Now().Add(-time.Hour)}
		w, err := newTokenWriter(o.file)
		if err == nil {
			err = w.save(had)
		}
		if err != nil {
			t.Fatal(err)
		}
		token, err := o.accessToken(t.Context(), a, newAsker(os.Stderr), "")
		secretFree(t, err)
		if held.Load() {
			t.Error("the connection to the provider stays open: with many accounts these are many")
		}
		kept, kerr := readTokens(o.file)
		if kerr != nil {
			t.Fatal(kerr)
		}
		var se *SecretError
		switch {
		case err == nil && (token == "" || kept.Access != token || kept.Refresh == ""):
			t.Fatalf("%q, and on the disk %q, %q", token, kept.Access, kept.Refresh)
		case err != nil && (token != "" || kept.Access != "old" || kept.Refresh != outsideSecret):
			t.Fatalf("%v, and on the disk %q, %q", err, kept.Access, kept.Refresh)
		case err != nil && !errors.As(err, &se):
			t.Fatalf("%#v", err)
		case err != nil && safeLine(err.Error()) != err.Error():
			t.Fatalf("not fit to be told: %q", err)
		}
	})
}

// The page of a provider leads back with our state, or with nothing that counts.
func FuzzConsent(f *testing.F) {
	f.Add("code=SplxlOBeZQQYbYS6WxSbIA&state=xyz") // RFC 6749, 4.1.2
	f.Add("error=access_denied&error_description=%1b[2J&state=xyz")
	f.Fuzz(func(t *testing.T, query string) {
		u, err := url.Parse("http://127.0.0.1/?" + query)
		if err != nil {
			return
		}
		q := u.Query()
		answer, ok := readAnswer(q, "xyz")
		switch {
		case ok && (q.Get("state") != "xyz" || (answer.code == "") == (answer.err == nil)):
			t.Fatalf("%q: %+v", query, answer)
		case ok && answer.err != nil && safeLine(answer.err.Error()) != answer.err.Error():
			t.Fatalf("not fit to be told: %q", answer.err)
		}
	})
}

// Whatever a proxy says, all that stands behind its yes is left for the server's greeting, and it is asked
// for no more than an answer may have.
func FuzzProxyAnswer(f *testing.F) {
	f.Add([]byte("\x05\x02\x01\x00\x05\x00\x00\x01aaaapp+OK"), true, true) // RFC 1928, RFC 1929
	f.Add([]byte("\x05\x00\x05\x00\x00\x03\x02hhpp+OK"), true, false)
	f.Add([]byte("\x05\x00\x05\x05\x00\x01aaaapp"), true, false)
	f.Add([]byte("HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n+OK"), false, true) // RFC 9110, 9.3.6
	f.Add([]byte("HTTP/1.1 407 "+outsideSecret+"\r\nContent-Length: 9999999\r\n\r\nx"), false, true)
	f.Fuzz(func(t *testing.T, says []byte, socks, login bool) {
		conn := &talker{in: bytes.NewReader(append(says, "+OK"...))}
		p := &Proxy{Scheme: "http"}
		if login {
			p.User, p.Password = "ann", NewSecret(outsideSecret)
		}
		var err error
		if socks {
			err = p.socks5(conn, "host.example:995")
		} else {
			err = p.connect(conn, "host.example:995")
		}
		secretFree(t, err)
		if !socks && len(says)+len("+OK")-conn.in.Len() > maxProxyHeader+1 {
			t.Fatalf("it took %d octets", len(says)-conn.in.Len())
		}
		if err != nil && safeLine(err.Error()) != err.Error() {
			t.Fatalf("not fit to be told: %q", err)
		}
		taken := len(says) + len("+OK") - conn.in.Len()
		if all := string(says) + "+OK"; err == nil && !socks && !strings.HasSuffix(all[:taken], "\r\n\r\n") {
			t.Fatalf("it took %q", all[:taken])
		}
		if err == nil && socks && taken > 2+2+4+1+255+2 {
			t.Fatalf("it took %d octets", taken)
		}
		if !login && strings.Contains(conn.out.String(), "ann") {
			t.Fatalf("said %q", conn.out.String())
		}
	})
}

// A talker is a connection whose other side has said all that it will.
type talker struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

func (c *talker) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *talker) Write(p []byte) (int, error) { return c.out.Write(p) }

// An account is in one shard at most, and a name that stands as it is means that account.
func FuzzSelection(f *testing.F) {
	f.Add("0/4", "sales-*", "sales-us")
	f.Add("3/4", "a[b", "a[b")
	f.Add("1/1", `\*`, "*")
	f.Add("4294967295/4294967295", "[", "")
	f.Fuzz(func(t *testing.T, shard, pattern, account string) {
		if !matches(account, account) {
			t.Fatalf("%q does not match itself", account)
		}
		cfg := &Config{Path: "c.toml", Accounts: []*Account{{Name: account}}}
		s := selection{names: []string{pattern}}
		if got, err := s.from(cfg); (err == nil) != (len(got) == 1) || err == nil && !matches(pattern, account) {
			t.Fatalf("%q for %q: %v", pattern, account, err)
		} else if err != nil && strings.ContainsFunc(safeLine(err.Error()), func(r rune) bool { return !printable(r) }) {
			t.Fatalf("not fit to be told: %q", err)
		}
		s = selection{}
		if err := s.parseShard(shard); err != nil {
			var u *usageError
			if !errors.As(err, &u) {
				t.Fatalf("%#v", err)
			}
			return
		}
		if s.shards == 0 || s.shard >= s.shards || shardOf(account, s.shards) >= s.shards || s.takes(account) != (shardOf(account, s.shards) == s.shard) {
			t.Fatalf("%q: %+v", shard, s)
		}
	})
}

// A size and a duration are positive, and a duration that is printed reads back as what it was.
func FuzzValues(f *testing.F) {
	for _, s := range []string{"500000", "50MB", "1.5GiB", "50 MB", "1e3", "0.4", "9223372036854775807", "30d", "1d12h", "1h30m", "0.5d", "36500d", "1ns", "2562047h47m", "NaN", ".", "d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := asSize(s); err == nil && n < 1 {
			t.Fatalf("size %q is %d", s, n)
		}
		d, err := asDuration(s)
		if err != nil {
			return
		}
		if back, err := parseDuration(durationText(d), ""); d <= 0 || err != nil || back != d {
			t.Fatalf("duration %q is %v, printed as %q, and read back as %v, %v", s, d, durationText(d), back, err)
		}
	})
}

// What state export prints is what state import reads, and a line is one unique-id, whatever is in it.
func FuzzUIDLines(f *testing.F) {
	f.Add("0000012a4c1d9f\r\n\nwith%20blank\n100%\n", "a b\x00%")
	f.Add(strings.Repeat("x", maxUIDLine), "\n")
	f.Fuzz(func(t *testing.T, text, uid string) {
		uids, err := readUIDs(strings.NewReader(text))
		if err == nil && len(uids) > strings.Count(text, "\n")+1 || slices.Contains(uids, "") {
			t.Fatalf("%q: %q", text, uids)
		}
		if uid == "" || len(uid) > 2048 {
			return
		}
		if got, err := readUIDs(strings.NewReader(state.Escape(uid) + "\n")); err != nil || len(got) != 1 || got[0] != uid {
			t.Fatalf("%q came back as %q, %v", uid, got, err)
		}
	})
}

// Which accounts failed is told of those alone that the file names.
func FuzzOnlyFailed(f *testing.F) {
	f.Add(`{"v":1,"type":"account","account":"a"}` + "\n" + `{"v":1,"type":"error","account":"a","status":75,"reason":"x"}` + "\n" + `{"v":1,"type":"summary","account":"a","status":75}` + "\n")
	f.Add(`{"v":1,"type":"summary","account":"\u001b[2J","status":65}` + "\nno JSON\n\x00")
	path := filepath.Join(f.TempDir(), "last.jsonl")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m := &program{report: &report{out: io.Discard, err: io.Discard}}
		failed, err := m.failedIn(t.Context(), path)
		if err != nil && failed != nil {
			t.Fatalf("%v and %v", failed, err)
		}
		again, _ := m.failedIn(t.Context(), path)
		if !maps.Equal(failed, again) {
			t.Fatalf("%v, then %v", failed, again)
		}
	})
}

// A template that is filled has its cells where the placeholders stood, and in a path none of them leads
// elsewhere than to a name in its directory.
func FuzzTemplate(f *testing.F) {
	f.Add("/mail/{user}/{{x}}", "ann", true)
	f.Add("{user}@{", "..", true)
	f.Add("~/{user}", "a/../../b", true)
	f.Add("{local}{domain}", "ann@example.org", false)
	f.Fuzz(func(t *testing.T, template, cell string, path bool) {
		r := row{header: []string{"user"}, cells: []string{cell}}
		got, err := r.fill(template, path)
		if err != nil {
			if strings.Contains(cell, outsideSecret) {
				secretFree(t, err)
			}
			return
		}
		if !strings.ContainsAny(template, "{}") && got != template {
			t.Fatalf("%q became %q", template, got)
		}
		if path && strings.Count(got, "/") != strings.Count(template, "/") {
			t.Fatalf("%q with %q became %q", template, cell, got)
		}
		for _, name := range placeholders(template) {
			if name != "user" && name != "local" && name != "domain" {
				t.Fatalf("%q was filled", template)
			}
		}
	})
}
