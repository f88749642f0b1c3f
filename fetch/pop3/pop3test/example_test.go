package pop3test_test

import (
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"

	"mailhaul/fetch/pop3/pop3test"
)

func Example() {
	srv, err := pop3test.NewServer(pop3test.Config{}, pop3test.SampleMail()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	c, err := textproto.Dial("tcp", srv.Addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	c.ReadLine() // the greeting
	for _, command := range []string{"USER user", "PASS secret", "DELE 1", "STAT", "QUIT"} {
		c.PrintfLine("%s", command)
		fmt.Println(c.ReadLine())
	}
	fmt.Println(srv.UIDs())
	// Output:
	// +OK <nil>
	// +OK logged in <nil>
	// +OK message 1 deleted <nil>
	// +OK 5 4624 <nil>
	// +OK bye <nil>
	// [sample-2 sample-3 sample-4 sample-5 sample-6]
}

// A connection that is cut in the midst of the second message, in the first session only.
func ExampleFault() {
	srv, err := pop3test.NewServer(pop3test.Config{
		Memory: true,
		Faults: []pop3test.Fault{{On: "RETR 2", Session: 1, Do: pop3test.Cut, After: 20}},
	}, pop3test.SampleMail()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	for range 2 {
		conn := srv.Dial()
		io.WriteString(conn, "USER user\r\nPASS secret\r\nRETR 2\r\nQUIT\r\n")
		b, err := io.ReadAll(conn)
		conn.Close()
		fmt.Println(strings.HasSuffix(string(b), "+OK bye\r\n"), err)
	}
	// Output:
	// false <nil>
	// true <nil>
}

// A server that miscounts, and a test that looks at something when a command comes.
func ExampleConfig_reply() {
	srv, err := pop3test.NewServer(pop3test.Config{
		Memory: true,
		Reply: func(s *pop3test.Session, command string) (string, bool) {
			switch command {
			case "STAT":
				return strings.Replace(s.Do(command), "+OK 6", "+OK 5", 1), true
			case "QUIT":
				fmt.Println("session", s.Num, "ends behind", s.Count(), "commands")
			}
			return "", false
		},
	}, pop3test.SampleMail()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	conn := srv.Dial()
	defer conn.Close()
	io.WriteString(conn, "USER user\r\nPASS secret\r\nSTAT\r\nQUIT\r\n")
	b, _ := io.ReadAll(conn)
	fmt.Println(strings.Contains(string(b), "+OK 5 "))
	// Output:
	// session 1 ends behind 4 commands
	// true
}

func ExampleDialogue() {
	d, err := pop3test.NewDialogue(`
		S: +OK POP3 server ready
		C: STAT
		S! +OK 2
		S: \x20320
		C: QUIT
		S: +OK
		close
	`)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	conn, err := net.Dial("tcp", d.Addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	c := textproto.NewConn(conn)
	fmt.Println(c.ReadLine())
	c.PrintfLine("STAT")
	fmt.Println(c.ReadLine())
	c.PrintfLine("RSET")
	c.Close()
	fmt.Println(d.Wait())
	// Output:
	// +OK POP3 server ready <nil>
	// +OK 2 320 <nil>
	// line 6: the client said "RSET\r", want "QUIT\r"
}
