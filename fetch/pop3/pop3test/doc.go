// Package pop3test provides POP3 servers for tests and demonstrations, in the manner of
// net/http/httptest.
//
// A [Server] listens on the loopback interface (or serves connections in memory, see
// [Server.Dial]), follows RFC 1939, 2449, 2595 and 5034 as long as nothing else is asked for,
// and can be told to do anything else, down to the octet. It imports nothing but the standard
// library, and not testing.
//
//	srv, err := pop3test.NewServer(pop3test.Config{},
//		pop3test.Message{UID: "a", Text: "Subject: one\r\n\r\nhello\r\n"},
//	)
//	if err != nil { … }
//	defer srv.Close()
//	conn, err := net.Dial("tcp", srv.Addr) // USER user, PASS secret
//
// # What the client did
//
// [Server.Log] and [Server.Commands] have every line that came, [Server.UIDs] and
// [Server.Maildrop] what is left, [Server.Octets] what was written, [Server.Waits] how many
// round trips it took, [Server.Early] whether a client sent what it must not send yet.
// [Server.Await] waits for a command, [Server.Wait] for the end of the sessions.
//
//	srv.Commands(2)             // []string{"USER user", "PASS secret", …}: the second session
//	srv.Session(1).Waits()      // 4: CAPA, AUTH, the listings, QUIT
//	srv.Await(ctx, "RETR *", 3) // then kill the client
//
// # Servers that are different
//
// The fields of [Config], by example:
//
//	Caps: []string{"UIDL", "TOP"}          no PIPELINING: what comes early is thrown away
//	Early: EarlyKeep                       … or not
//	Early: EarlyClose                      PIPELINING is announced and hung up on
//	Capa: func(s *Session) []string {…}    other capabilities behind the login
//	NoCAPA: true, NoUIDL: true             a server of 1995
//	Stamp: "<1.2@example.org>"             APOP
//	TLS: STLS                              with Server.ClientTLS, CAPool or CAPEM for the client
//	TLS: ImplicitTLS, Names: []string{"other.example"}, Expired: true
//	Users: map[string]User{"ann": {"pw", msgs}}
//	Expunge: AtDele, Renumber: true        deletes early, and numbers move
//	ExpireRetrieved: true                  EXPIRE 0 in earnest
//	PerSession: 250                        shows a part of the maildrop at a time
//	Segment: 1                             one octet per write
//	CutAfter: func(int) int64 { return 300_000 }   no session gets further, ever
//	Exclusive: true                        [IN-USE] for a second session
//	Mechanisms: map[string]Mechanism{"LOGIN": …}
//	Memory: true, Latency: 50*time.Millisecond     with testing/synctest
//
// and of [Message]: two messages may have one UID, NoUID has none; Size is a lie; Wire is what
// RETR sends whatever Text is; Repeat makes a message of a gigabyte that takes no memory.
//
// # Servers that are wrong
//
// A [Fault] is one thing that goes wrong at one command:
//
//	{On: "RETR 3"}                                  -ERR refused
//	{On: "PASS *", Text: "[IN-USE] locked"}         -ERR [IN-USE] locked
//	{On: "greeting", Text: "[SYS/TEMP] not now"}
//	{On: "DELE *", Nth: 2, Do: Cut}                 carried out, not answered
//	{On: "QUIT", Do: Cut}                           deletes and hangs up
//	{On: "QUIT", Do: Cut, Skip: true}               hangs up and does not delete
//	{On: "QUIT", Do: Answer, Text: "-ERR some messages not deleted"}
//	{On: "RETR 2", Do: Cut, After: 1000}            in the midst of the text
//	{On: "RETR 2", Do: Cut, After: -3}              between the final dot and its CRLF
//	{On: "RETR 2", Do: Stall, After: 1000}          until the client loses patience
//	{On: "RETR 2", Do: Insert, After: 40, Text: "\n.\r\n+OK"}
//	{On: "UIDL", Do: Endless, After: 5, Text: "1 x\r\n"}
//	{On: "RETR *", Nth: 7, Do: Drop, Behind: true}  one command of a burst is lost
//	{On: "RETR *", Do: Interleave}                  as WildDuck did
//	{On: "STLS", Do: Insert, After: Whole, Text: "+OK in the clear\r\n"}
//	{On: "handshake", Do: Answer, Text: "not TLS"}
//
// All else is [Config.Reply], which is asked before each command and may look at the disk, count,
// wait, or change the right reply:
//
//	Reply: func(s *pop3test.Session, command string) (string, bool) {
//		if command != "STAT" {
//			return "", false // as usual
//		}
//		return strings.Replace(s.Do(command), "+OK 2", "+OK 1", 1), true
//	}
//
// # Dialogues
//
// A [Dialogue] says and expects what a script in the notation of RFC 1939 says, and nothing else.
package pop3test
