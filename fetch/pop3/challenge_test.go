package pop3

import (
	"bytes"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"
)

// Whatever challenges a server makes up, the password goes out by those mechanisms alone that send it, no
// error has it, and a server that does not know it is not believed by SCRAM.
func FuzzChallenge(f *testing.F) {
	e := scramExamples[1] // RFC 7677, section 3
	f.Add(e.serverFirst, e.serverFinal)
	f.Add(strings.Replace(e.serverFirst, "i=4096", "i=99999999", 1), "v=")
	f.Add("m=x,"+e.serverFirst, "e=invalid-proof")
	f.Add("<1896.697170952@postoffice.reston.mci.net>", "")        // RFC 2195
	f.Add(`{"status":"401","schemes":"bearer","scope":"x"}`, "{}") // RFC 7628, 3.2.2
	f.Add("Username:", "Password:")
	f.Fuzz(func(t *testing.T, first, second string) {
		const password = "pa55w0rd-of-ann"
		if i := strings.Index(first, "i="); i >= 0 && len(strings.TrimLeft(first[i+2:], "0")) > 5 {
			first = first[:i] + "i=4096" // seconds of work are allowed, and are not what is looked for
		}
		client, err := scram.SHA256.NewClient("ann", password, "")
		if err != nil {
			t.Fatal(err)
		}
		client.WithNonceGenerator(func() string { return e.nonce })
		s := &scramClient{name: e.name, conv: client.NewConversation()}
		for _, m := range []sasl.Client{s, &cramMD5{user: "ann", pass: password}, &xoauth2{user: "ann", token: password}, &oauthBearer{user: "ann", token: password},
			&login{user: "ann", pass: password}, &plain{"ann", password}, &external{"ann"}} {
			if _, _, err := m.Start(); err != nil {
				t.Fatal(err)
			}
			said := ""
			for _, challenge := range []string{first, second} {
				answer, err := m.Next([]byte(challenge))
				said += string(answer)
				if err != nil {
					if strings.Contains(err.Error(), password) {
						t.Fatalf("the password is in %q", err)
					}
					break
				}
			}
			if _, ok := m.(*login); !ok && strings.Contains(said, password) {
				t.Fatalf("%T said %q", m, said)
			}
		}
		if s.finish() == nil {
			t.Fatalf("%q, %q: proved without the password", first, second)
		}
	})
}

// Whatever a banner is, APOP goes on only with a timestamp in it, and sends no password.
func FuzzBanner(f *testing.F) {
	f.Add("+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n") // RFC 1939, section 7
	f.Add("+OK <>\r\n")
	f.Add("+OK <a@b\x00>\r\n")
	f.Add("+OK > <<a@b>>\r\n")
	f.Fuzz(func(t *testing.T, banner string) {
		var said bytes.Buffer
		c, err := New(&overheard{stream{Reader: strings.NewReader(banner + "+OK\r\n")}, &said}, &Options{})
		if err != nil {
			return
		}
		err = c.Apop("mrose", "tanstaaf")
		if strings.Contains(said.String(), "tanstaaf") || err != nil && strings.Contains(err.Error(), "tanstaaf") {
			t.Fatalf("said %q, %v", said.String(), err)
		}
		if line := said.String(); line != "" && (!strings.HasPrefix(line, "APOP mrose ") || len(strings.TrimSuffix(line, "\r\n")) != len("APOP mrose ")+32) {
			t.Fatalf("said %q", line)
		}
		if said.Len() > 0 && !strings.Contains(banner, "<") {
			t.Fatalf("%q has no timestamp", banner)
		}
		if err == nil && said.Len() == 0 {
			t.Fatalf("%v without a word", err)
		}
	})
}

// overheard is a stream that keeps what is said.
type overheard struct {
	stream
	said *bytes.Buffer
}

func (o *overheard) Write(p []byte) (int, error) { return o.said.Write(p) }
