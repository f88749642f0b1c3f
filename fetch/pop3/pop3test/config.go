package pop3test

import (
	"crypto/tls"
	"net"
	"time"
)

// A Config says how a Server behaves. The zero Config is a correct server with one account,
// user "user" and password "secret". A Config must not be changed once a server has it.
type Config struct {
	// Greeting is the text behind the +OK of the greeting; "" is "pop3test ready".
	Greeting string
	// Stamp, for example "<1896.697170952@dbc.mtview.ca.us>", is appended to the greeting
	// and makes APOP work (RFC 1939, 7).
	Stamp string

	// User and Password are the account that the messages given to NewServer belong to;
	// "" is "user" and "secret".
	User, Password string
	// Users are further accounts by name.
	Users map[string]User

	// Caps is what CAPA announces, line by line; nil is the list of what the server can do.
	// STLS is left out of it once TLS is up.
	Caps []string
	// Capa, if not nil, is asked instead of Caps, at each CAPA and after each command, for a
	// list that depends on the state of the session.
	Capa func(s *Session) []string

	// NoCAPA, NoUIDL, NoTOP, NoLIST and NoUSER make the server refuse these commands as
	// unknown, and leave them out of the list that it makes itself.
	NoCAPA, NoUIDL, NoTOP, NoLIST, NoUSER bool

	// Early says what becomes of commands that were sent before the reply to the one before.
	Early Early

	// Exclusive locks a maildrop for one session (RFC 1939, 4); others are told [IN-USE]. It
	// is not the default, because a server notices only after a while that a client is gone.
	Exclusive bool

	// Expunge says when messages marked by DELE go.
	Expunge Expunge
	// ExpireRetrieved deletes at QUIT what was retrieved, with or without DELE, as servers
	// that announce EXPIRE 0 may (RFC 2449, 6.7).
	ExpireRetrieved bool
	// Renumber makes the numbers above a message that is marked as deleted go down by one at
	// once, as some servers do, against RFC 1939.
	Renumber bool
	// PerSession, if not 0, is how many messages a session sees of a maildrop at most.
	PerSession int
	// NoStuff sends lines that begin with a dot as they are.
	NoStuff bool

	// Reply, if not nil, is asked before each command is carried out. If ok, the command is
	// not carried out, and the reply is sent instead, octet for octet; but a reply without
	// a LF gets a CRLF, and "" closes the connection. Session has methods for what is not a
	// reply (Send, Stall, Reset), and Do, which carries the command out and returns the reply,
	// to be changed. QUIT ends the session whatever is answered.
	//
	// It is called by the goroutine of the session, with nothing locked: all methods of the
	// Server but Close and Wait may be used.
	Reply func(s *Session, command string) (reply string, ok bool)

	// Faults are what the server does wrong. The first that matches a command takes effect.
	Faults []Fault

	// Segment, if not 0, is how many octets are written at once. 1 drips.
	Segment int
	// CutAfter, if not nil, is how many octets (of POP3, not of TLS) may be written in a
	// session before it is cut; 0 means that it is not. Sessions count from 1.
	CutAfter func(session int) int64
	// CutReset makes that cut a reset (RST) and not an end of stream (FIN).
	CutReset bool

	// Latency delays each octet of a connection made by Server.Dial, in either direction.
	// It is for testing/synctest, where it measures round trips and takes no time.
	Latency time.Duration

	// TLS is NoTLS, ImplicitTLS or STLS.
	TLS TLSMode
	// Names are the names and addresses in the certificate; nil is 127.0.0.1, ::1 and
	// localhost.
	Names []string
	// Expired makes the certificate one that is no longer valid.
	Expired bool
	// TLSConfig, if not nil, may change the configuration of the TLS server.
	TLSConfig func(*tls.Config)

	// Mechanisms are SASL mechanisms, by name in upper case, beside PLAIN. One named PLAIN
	// replaces it; nil as a value removes it.
	Mechanisms map[string]Mechanism

	// Listener is what the server accepts connections from (it closes it); nil is a port
	// of 127.0.0.1 that the kernel chooses.
	Listener net.Listener
	// Memory means no listener at all: only Server.Dial makes connections. A server that is
	// used with testing/synctest needs it (and must be made inside the bubble).
	Memory bool
}

// A User is an account.
type User struct {
	Password string
	Messages []Message
}

// A Message is a message of a maildrop.
type Message struct {
	// UID is the unique-id, of any octets. "" lets the server choose one.
	UID string
	// Text is the message as on the wire, with CRLF, not dot-stuffed. A CRLF is added if
	// there is none at the end, unless it is empty.
	Text string
	// Wire, if not "", is what RETR sends behind its status line, octet for octet, the final
	// dot line included.
	Wire string
	// Size is what LIST and STAT say; 0 is the truth, and less is taken as 0.
	Size int64
	// Repeat, if more than 1, is how often Text (which must end in CRLF) is sent: a way to
	// large messages that take no memory.
	Repeat int
	// NoUID leaves the message out of the unique-id listing.
	NoUID bool
}

// Octets is the length of the message as it is sent, without stuffing and the final dot.
func (m Message) Octets() int64 {
	return int64(len(m.whole())) * int64(max(1, m.Repeat))
}

// listed is the size that the server tells.
func (m Message) listed() int64 {
	if m.Size != 0 {
		return max(0, m.Size)
	}
	return m.Octets()
}

// Early is what a server does with input that came before it has replied to the command
// before.
type Early int

const (
	// EarlyAuto processes it if PIPELINING is announced and discards it if not, so that a
	// client that pipelines unasked fails its test.
	EarlyAuto Early = iota
	// EarlyKeep processes it in any case, in order.
	EarlyKeep
	// EarlyDiscard throws it away in any case.
	EarlyDiscard
	// EarlyClose replies to the first command and then closes the connection.
	EarlyClose
)

// Expunge is when a server deletes the messages that DELE has marked.
type Expunge int

const (
	// AtQuit is the rule (RFC 1939, 6).
	AtQuit Expunge = iota
	// AtDele deletes at once. RSET brings nothing back.
	AtDele
	// AtEnd deletes at QUIT, and when the connection is lost.
	AtEnd
	// Never deletes nothing, though DELE and QUIT are answered with +OK.
	Never
)

// TLSMode is whether and how a server speaks TLS.
type TLSMode int

const (
	NoTLS       TLSMode = iota
	ImplicitTLS         // from the first octet, as on port 995
	STLS                // after the command of this name (RFC 2595, 4)
)
