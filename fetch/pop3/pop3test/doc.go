// Package pop3test provides POP3 servers for tests and demonstrations, in the manner of
// net/http/httptest.
//
// A [Server] listens on the loopback interface (or serves connections in memory, see
// [Server.Dial]), follows RFC 1939, 2449, 2595 and 5034 as long as nothing else is asked
// for, and can be told to do anything else, down to the octet:
//
//	srv, err := pop3test.NewServer(pop3test.Config{},
//		pop3test.Message{UID: "a", Text: "Subject: one\r\n\r\nhello\r\n"},
//	)
//	if err != nil { … }
//	defer srv.Close()
//	client, err := net.Dial("tcp", srv.Addr) // USER user, PASS secret
//
// The hook [Config.Reply] is asked before each command is carried out and replaces the
// reply by any octets.
package pop3test
