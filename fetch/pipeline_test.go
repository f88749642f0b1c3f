package fetch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"mailhaul/fetch/pop3/pop3test"
)

// alike makes n messages of one size, whose shift no size betrays.
func alike(n, octets int) []pop3test.Message {
	var msgs []pop3test.Message
	for i := range n {
		text := fmt.Sprintf("Subject: %03d\r\n\r\n", i)
		msgs = append(msgs, pop3test.Message{UID: fmt.Sprintf("uid-%03d", i), Text: text + strings.Repeat("x", octets-len(text)-2) + "\r\n"})
	}
	return msgs
}

// TestNoPipelining has servers that announce PIPELINING and do it wrong. Whatever becomes of the
// first run, with the second, one command at a time, each message is there once and under its own
// unique-id.
func TestNoPipelining(t *testing.T) {
	behind := func(on string, nth int, do pop3test.Effect) pop3test.Config {
		return pop3test.Config{Faults: []pop3test.Fault{{On: on, Nth: nth, Do: do, Behind: true}}}
	}
	all := func(on string, do pop3test.Effect) pop3test.Config { return behind(on, 0, do) }
	type server struct {
		name string
		cfg  pop3test.Config
		sure bool // the first run must tell that it is the server
	}
	servers := []server{
		{"discards", pop3test.Config{Early: pop3test.EarlyDiscard}, true},
		{"closes", pop3test.Config{Early: pop3test.EarlyClose}, true},
		{"silent behind the first", all("*", pop3test.Stall), true},
		{"interleaves", all("RETR *", pop3test.Interleave), true},
		{"interleaves once", behind("RETR *", 20, pop3test.Interleave), true},
		{"interleaves the last of a group", behind("RETR *", 15, pop3test.Interleave), false},
		{"swaps listings", all("UIDL", pop3test.Swap), true},
	}
	for _, nth := range []int{1, 15, 16, 30, 38} {
		for name, do := range map[string]pop3test.Effect{"drops": pop3test.Drop, "repeats": pop3test.Repeat, "swaps": pop3test.Swap,
			"overtakes": pop3test.Overtake, "answers nothing": pop3test.Mute, "closes at": pop3test.Cut, "stalls at": pop3test.Stall} {
			servers = append(servers, server{fmt.Sprintf("%s RETR %d", name, nth+1), behind("RETR *", nth, do), false})
		}
	}
	for _, nth := range []int{1, 2, 3} {
		servers = append(servers,
			server{fmt.Sprintf("drops UIDL %d", nth), behind("UIDL ?*", nth, pop3test.Drop), false},
			server{fmt.Sprintf("refuses UIDL %d", nth), behind("UIDL ?*", nth, pop3test.Refuse), true})
	}
	for _, nth := range []int{1, 20, 39} {
		servers = append(servers,
			server{fmt.Sprintf("drops DELE %d", nth), behind("DELE *", nth, pop3test.Drop), false},
			server{fmt.Sprintf("repeats DELE %d", nth), behind("DELE *", nth, pop3test.Repeat), false},
			server{fmt.Sprintf("overtakes DELE %d", nth), behind("DELE *", nth, pop3test.Overtake), false})
	}
	for _, size := range []string{"different", "alike"} {
		for _, srv := range servers {
			t.Run(srv.name+", sizes "+size, func(t *testing.T) {
				if size == "alike" && strings.HasPrefix(srv.name, "swaps RETR") {
					t.Skip("no reply tells: both are delivered, each under the other's unique-id")
				}
				msgs := mails(40, 150)
				if size == "alike" {
					msgs = alike(40, 200)
				}
				synctest.Test(t, func(t *testing.T) {
					srv.cfg.Memory = true
					a := open(t, srv.cfg, msgs...)
					_, err := a.run()
					switch {
					case errors.Is(err, ErrNoPipelining):
					case srv.sure:
						t.Errorf("not told: %v", err)
					case err == nil, errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, ErrNotDeleted):
					default:
						t.Errorf("error: %v", err)
					}
					a.wantRecorded(msgs...)
					if slices.Contains(a.commands(1), "QUIT") && err != nil && !errors.Is(err, ErrNotDeleted) {
						t.Errorf("QUIT behind %v", err)
					}
					a.opts.Pipelining = false
					if _, err := a.run(); err != nil {
						t.Errorf("one at a time: %v\n%s", err, a.transcript())
					}
					a.want(msgs...)
					a.wantRecorded(msgs...)
					a.wantEmpty()
					a.srv.Close()
				})
			})
		}
	}
}

// TestSilentShift is a server that loses one RETR and then has nothing more to say. Sizes tell.
func TestSilentShift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t, pop3test.Config{Memory: true, Faults: []pop3test.Fault{{On: "RETR 3", Do: pop3test.Drop, Behind: true}}}, mails(5, 100)...)
		if _, err := a.run(); !errors.Is(err, ErrNoPipelining) {
			t.Errorf("error: %v", err)
		}
		a.srv.Close()
	})
}

// TestLostIsNotPipelining: a connection that is lost later is no reason to give pipelining up.
func TestLostIsNotPipelining(t *testing.T) {
	a := open(t, pop3test.Config{Faults: []pop3test.Fault{{On: "RETR 20", Do: pop3test.Cut, After: 60}}}, mails(40, 100)...)
	sum, err := a.run()
	if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrNoPipelining) {
		t.Errorf("error: %v", err)
	}
	if sum.Delivered != 16 {
		t.Errorf("%d were proven and delivered, want 16", sum.Delivered)
	}
}

// TestSizesWrong has a server whose LIST is wrong, in part or in all, which is no fault.
func TestSizesWrong(t *testing.T) {
	for _, some := range []bool{true, false} {
		msgs := mails(300, 150)
		for i := range msgs {
			if !some || i%7 == 3 {
				msgs[i].Size = 160
			}
		}
		a := open(t, pop3test.Config{}, msgs...)
		a.clean()
		a.want(msgs...)
		a.wantEmpty()
		retrieved := 0
		for _, c := range a.commands(1) {
			if strings.HasPrefix(c, "RETR ") {
				retrieved++
			}
		}
		if retrieved > 600 {
			t.Errorf("%d were retrieved for 300", retrieved)
		}
	}
}

// TestAnnouncedLate has a server that announces PIPELINING only behind the login, and one that no
// longer does.
func TestAnnouncedLate(t *testing.T) {
	msgs := mails(20, 100)
	a := open(t, pop3test.Config{}, msgs...)
	a.caps = nil
	a.clean()
	if waits := a.srv.Session(1).Waits(); waits > 2+1+1+1+1+1 { // USER, PASS, CAPA, listings, RETR, DELE, QUIT
		t.Errorf("%d waits", waits)
	}
	a.want(msgs...)

	a = open(t, pop3test.Config{Early: pop3test.EarlyKeep, Caps: []string{"TOP", "UIDL"}}, msgs...)
	a.clean()
	if waits := a.srv.Session(1).Waits(); waits < 40 {
		t.Errorf("%d waits: it was sent ahead unasked", waits)
	}
	a.want(msgs...)
	a.wantEmpty()
}
