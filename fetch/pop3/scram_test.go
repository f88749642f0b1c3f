package pop3

import (
	"errors"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// An example is an exchange of an RFC: user "user", password "pencil".
type example struct {
	name, nonce                                        string
	clientFirst, serverFirst, clientFinal, serverFinal string
}

var scramExamples = []example{
	{ // RFC 5802, section 5
		"SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL",
		"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
		"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
		"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
		"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
	},
	{ // RFC 7677, section 3
		"SCRAM-SHA-256", "rOprNGfwEbeRWgbNEkqO",
		"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
	},
}

// client makes the mechanism with the nonce of the example.
func (e example) client(t *testing.T) *scramClient {
	t.Helper()
	c, err := scramHashes[e.name].NewClient("user", "pencil", "")
	if err != nil {
		t.Fatal(err)
	}
	c.WithNonceGenerator(func() string { return e.nonce })
	return &scramClient{name: e.name, conv: c.NewConversation()}
}

// The examples of the RFCs; what ends them in POP3 is a challenge, an empty line and +OK.
func TestSCRAM(t *testing.T) {
	for _, e := range scramExamples {
		for _, initial := range []bool{true, false} {
			first := "C: AUTH " + e.name + " " + b64(e.clientFirst)
			if !initial {
				first = "C: AUTH " + e.name + "\nS: +\nC: " + b64(e.clientFirst)
			}
			c := converse(t, nil, "S: +OK\n"+first+`
			S: + `+b64(e.serverFirst)+`
			C: `+b64(e.clientFinal)+`
			S: + `+b64(e.serverFinal)+`
			C: `+`
			S: +OK`)
			if err := c.Auth(e.client(t), initial); err != nil {
				t.Errorf("%s, initial %v: %v", e.name, initial, err)
			}
		}
	}
}

// What a server may do wrong on the way. Nothing of it is a success, and nothing an invitation to
// try another mechanism.
func TestSCRAMFailures(t *testing.T) {
	e := scramExamples[1]
	first := func(from, to string) string {
		bad := strings.Replace(e.serverFirst, from, to, 1)
		if bad == e.serverFirst {
			t.Fatalf("%q is not in the message", from)
		}
		return "S: + " + b64(bad) + "\nC: *\nS: -ERR cancelled"
	}
	good := "S: + " + b64(e.serverFirst) + "\nC: " + b64(e.clientFinal) + "\n"
	for _, tt := range []struct {
		name, dialogue, want string
		protocol             bool // and the session is over
	}{
		{"iterations", first("i=4096", "i=2147483647"), "more than 10000000 iterations", false},
		{"iterations, just", first("i=4096", "i=10000001"), "more than 10000000 iterations", false},
		{"iterations, no integer holds them", first("i=4096", "i=99999999999999999999"), "more than 10000000 iterations", false},
		{"few iterations", first("i=4096", "i=4095"), "too few iterations (4095)", false},
		{"no iterations", first("i=4096", "i=0"), "unexpected challenge", false},
		{"negative iterations", first("i=4096", "i=-4096"), "unexpected challenge", false},
		{"iterations left out", first(",i=4096", ""), "unexpected challenge", false},
		{"nonce of the client alone", first("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", ""), "not extended the nonce", false},
		{"another nonce", first("r=rOpr", "r=rOpR"), "not extended the nonce", false},
		{"salt", first("s=W22Z", "s=**"), "no salt", false},
		{"empty salt", first("s=W22ZaJ0SNY7soEsUEjb6gQ==", "s="), "no salt", false},
		{"extension", first("r=", "m=x,r="), "extension", false},
		{"error instead of the first message", "S: + " + b64("e=unknown-user\x1b") + "\nC: *\nS: -ERR no", `says "unknown-user\x1b"`, false},
		{"error that has the password", "S: + " + b64("e=other-error pencil") + "\nC: *\nS: -ERR no", `says "other-error ****"`, false},
		{"empty challenge", "S: +\nC: *\nS: -ERR no", "unexpected challenge", false},
		{"refusal of the user", "S: -ERR [AUTH] no", `"[AUTH] no"`, false},
		{"refusal without a code", "S: -ERR no", `"no"`, false},
		{"refusal of the password", good + "S: -ERR no", `"no"`, false},
		{"error instead of the signature", good + "S: + " + b64("e=invalid-proof") + "\nC: *\nS: -ERR no", `says "invalid-proof"`, false},
		{"signature", good + "S: + " + b64("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") + "\nC: *\nS: -ERR no", "signature is wrong", false},
		{"half a signature", good + "S: + " + b64("v=6rri") + "\nC: *\nS: -ERR no", "signature is wrong", false},
		{"empty signature", good + "S: + " + b64("v=") + "\nC: *\nS: -ERR no", "signature is wrong", false},
		{"no signature", good + "S: +\nC: *\nS: -ERR no", "unexpected challenge", false},
		{"wrong signature, then +OK", good + "S: + " + b64("v=6rri") + "\nC: *\nS: +OK", "not answered by -ERR", true},
		{"+OK for the first message", "S: +OK", "has not proved", true},
		{"+OK for the proof", good + "S: +OK", "has not proved", true},
		{"+OK with the signature in it", good + "S: +OK " + b64(e.serverFinal), "has not proved", true},
		{"challenge behind the signature", good + "S: + " + b64(e.serverFinal) + "\nC: \nS: + " + b64(e.serverFinal) + "\nC: *\nS: -ERR no", "unexpected challenge", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			end := "\nC: QUIT\nS: +OK"
			if tt.protocol {
				end = ""
			}
			c := converse(t, nil, "S: +OK\nC: AUTH "+e.name+" "+b64(e.clientFirst)+"\n"+tt.dialogue+end)
			c.Mask("pencil") // as Login does
			err := c.Auth(e.client(t), true)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			if isLogin(err) == tt.protocol || errors.Is(err, ErrProtocol) != tt.protocol || errors.Is(err, ErrRefusedMechanism) {
				t.Error(err)
			}
			if strings.ContainsAny(err.Error(), "\x1b\r\n") {
				t.Errorf("not escaped: %q", err)
			}
			if err := c.Quit().Wait(); (err == nil) == tt.protocol {
				t.Errorf("QUIT: %v", err)
			}
		})
	}
}

// The most that is done for a server is done.
func TestSCRAMIterations(t *testing.T) {
	m := scramExamples[0].client(t)
	m.Start()
	if err := m.checkFirst(strings.Replace(scramExamples[0].serverFirst, "i=4096", "i=10000000", 1)); err != nil {
		t.Error(err)
	}
}

// A failure with channel binding is never one of the mechanism, whatever the server says of it.
func TestSCRAMPlusRefused(t *testing.T) {
	for _, dialogue := range []string{
		"C: AUTH SCRAM-SHA-256-PLUS\nS: -ERR unknown mechanism",
		"C: AUTH SCRAM-SHA-256-PLUS\nS: + ***\nC: *\nS: -ERR cancelled",
	} {
		c := converse(t, nil, "S: +OK\n"+dialogue)
		m, err := newSCRAM("SCRAM-SHA-256-PLUS", "user", "pencil", false, func() (scram.ChannelBinding, error) {
			return scram.NewTLSUniqueBinding([]byte("x")), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Auth(m, false); !isLogin(err) || errors.Is(err, ErrRefusedMechanism) {
			t.Error(err)
		}
	}
}

// The first message has the user name prepared and escaped, and says what can be bound.
func TestSCRAMFirst(t *testing.T) {
	can := func() (scram.ChannelBinding, error) { return scram.NewTLSUniqueBinding([]byte("x")), nil }
	cannot := func() (scram.ChannelBinding, error) { return scram.ChannelBinding{}, errors.New("nothing") }
	for _, tt := range []struct {
		name, user string
		plusSeen   bool
		bind       func() (scram.ChannelBinding, error)
		want       string
	}{
		{"SCRAM-SHA-1", "user", false, can, "y,,n=user,r="},
		{"SCRAM-SHA-1", "user", false, cannot, "n,,n=user,r="},
		{"SCRAM-SHA-1", "user", true, cannot, "n,,n=user,r="},
		{"SCRAM-SHA-1", "user", true, can, "n,,n=user,r="}, // the user has chosen to
		{"SCRAM-SHA-1-PLUS", "user", true, can, "p=tls-unique,,n=user,r="},
		{"SCRAM-SHA-256-PLUS", "user", false, can, "p=tls-unique,,n=user,r="},
		{"SCRAM-SHA-256", "a=b,r=c", false, cannot, "n,,n=a=3Db=2Cr=3Dc,r="},
		{"SCRAM-SHA-256", "I\u00adX", false, cannot, "n,,n=IX,r="}, // RFC 4013, section 3
	} {
		m, err := newSCRAM(tt.name, tt.user, "pencil", tt.plusSeen, tt.bind)
		if err != nil {
			t.Fatal(err)
		}
		name, first, err := m.Start()
		if rest, ok := strings.CutPrefix(string(first), tt.want); !ok || name != tt.name || err != nil || rest != m.nonce {
			t.Errorf("%s %q: %q", tt.name, first, tt.want)
		}
		if len(m.nonce) < 24 { // 18 octets in base64
			t.Errorf("nonce %q", m.nonce)
		}
	}
	for _, bad := range []string{"\u0007", "\U0001f600", "\xff"} {
		_, err := newSCRAM("SCRAM-SHA-1", "user", "pen"+bad, false, cannot)
		if !errors.Is(err, ErrRefusedMechanism) || strings.Contains(err.Error(), "pen"+bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := newSCRAM("SCRAM-SHA-1-PLUS", "user", "pencil", true, cannot); !errors.Is(err, ErrRefusedMechanism) {
		t.Error(err)
	}
}

// The order of "auto", with and without something to bind to.
func TestChooseSCRAM(t *testing.T) {
	all := Caps{"SASL LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 scram-sha-256 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS"}
	for _, tt := range []struct {
		caps     Caps
		pass     string
		bindable bool
		want     string
	}{
		{all, "x", true, "scram-sha-256-plus scram-sha-1-plus scram-sha-256 scram-sha-1 plain user login"},
		{all, "x", false, "scram-sha-256 scram-sha-1 plain user login"},
		{all, "\U0001f600", true, "plain user login"},
		{Caps{"SASL SCRAM-SHA-1-PLUS SCRAM-SHA-256"}, "x", true, "scram-sha-1-plus scram-sha-256 user"},
		{Caps{"SASL SCRAM-SHA-1-PLUS"}, "x", false, "user"},
		{nil, "x", true, "user"},
	} {
		if got := strings.Join(choose(tt.caps, Credentials{User: "u", Password: tt.pass}, tt.bindable), " "); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.caps, got, tt.want)
		}
	}
}
