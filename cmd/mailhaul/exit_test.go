package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-smtp"

	"mailhaul/cmd/mailhaul/peer"
	"mailhaul/deliver"
	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

func refusal(command, code string) error {
	return &pop3.Error{Command: command, Code: code, Text: "no"}
}

func loginRefusal(code string) error {
	return &pop3.LoginError{Mechanism: "user", Err: &pop3.Error{Command: "PASS", Code: code, Text: "no"}}
}

// The contract's table, one failure after the other.
func TestExitStatus(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	target := func(err error, message, temporary bool) error {
		return &deliver.Error{Target: "mbox /m", Err: err, Message: message, Temporary: temporary}
	}
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"nothing", nil, 0},
		{"usage", usagef("x"), 64},

		{"init found nothing", &notFoundError{Domain: "example.com"}, 69},
		{"verify found something", &disagreementError{Counts: fetch.Counts{Missing: 1}}, 65},
		{"left", &fetch.LeftError{Messages: 1}, 65},
		{"left for now", &fetch.LeftError{Messages: 1, Temporary: true}, 75},
		{"refused by the destination", target(errors.New("status 1"), true, false), 65},

		{"greeting", refusal("greeting", ""), 69},
		{"SYS/PERM", refusal("greeting", "SYS/PERM"), 69},
		{"SYS/PERM at login", loginRefusal("SYS/PERM"), 69},
		{"connection refused", dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), 69},
		{"no route", dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), 69},
		{"no such host", &net.DNSError{Err: "no such host", IsNotFound: true}, 69},
		{"LIST refused", refusal("LIST", ""), 69},

		{"panic", &defectError{"index out of range"}, 70},
		{"unknown", errors.New("?"), 70},

		{"no destination", target(fmt.Errorf("%w: %w", deliver.ErrCreate, fs.ErrNotExist), false, false), 73},
		{"disk full", target(&fs.PathError{Op: "write", Path: "/m", Err: syscall.ENOSPC}, false, false), 74},
		{"state replaced while in use", fmt.Errorf("state file: %w", state.ErrChanged), 74},
		{"state not writable", fmt.Errorf("state file: %w", &fs.PathError{Op: "write", Path: "/s", Err: syscall.EIO}), 74},

		{"connection lost", &pop3.LostError{Waiting: "x", Err: io.EOF}, 75},
		{"connection reset", &pop3.LostError{Waiting: "x", Err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}}, 75},
		{"time-out", &pop3.TimeoutError{Waiting: "x"}, 75},
		{"connect time-out", dial(context.DeadlineExceeded), 75},
		{"name server down", &net.DNSError{Err: "server misbehaving", IsTemporary: true}, 75},
		{"IN-USE", loginRefusal("IN-USE"), 75},
		{"LOGIN-DELAY", loginRefusal("LOGIN-DELAY"), 75},
		{"SYS/TEMP", loginRefusal("SYS/TEMP"), 75},
		{"SYS/TEMP at the greeting", refusal("greeting", "SYS/TEMP"), 75},
		{"locked", &state.LockedError{Path: "/s"}, 75},
		{"command for later", target(errors.New("status 75"), true, true), 75},
		{"DELE or QUIT refused", fmt.Errorf("%w: %w", fetch.ErrNotDeleted, refusal("QUIT", "")), 75},
		{"not compared", fmt.Errorf("%w (3 messages)", fetch.ErrNotCompared), 75},
		{"UIDL refused", fmt.Errorf("%w: %w", fetch.ErrUIDLRefused, refusal("UIDL", "")), 75},
		{"signal", fmt.Errorf("%w: %w", fetch.ErrStopped, &signalError{os.Interrupt}), 75},
		{"deadline", fmt.Errorf("%w: %w", errStopped, errDeadline), 75},

		{"protocol", fmt.Errorf("%w: x", pop3.ErrProtocol), 76},
		{"protocol and its cause", fmt.Errorf("%w: %w", pop3.ErrProtocol, io.EOF), 76},
		{"plaintext behind STLS", pop3.ErrPlaintext, 76},
		{"plaintext and no TLS", fmt.Errorf("%w: %w", pop3.ErrPlaintext, pop3.ErrNotTLS), 76},

		{"login refused", loginRefusal(""), 77},
		{"AUTH", loginRefusal("AUTH"), 77},
		{"mechanism refused", fmt.Errorf("%w: x", pop3.ErrRefusedMechanism), 77},
		{"STLS refused", refusal("STLS", ""), 77},
		{"no TLS", fmt.Errorf("%w: %w", pop3.ErrNotTLS, tls.RecordHeaderError{}), 77},
		{"certificate", fmt.Errorf("TLS: %w", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), 77},
		{"name", x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, 77},
		{"pin", &pinError{&x509.Certificate{}}, 77},
		{"TLS alert", &net.OpError{Op: "remote error", Err: tls.AlertError(certificateRequired)}, 77},
		{"TLS alert about the connection", &net.OpError{Op: "remote error", Err: tls.AlertError(20)}, 75},
		{"proxy refuses the login", &wayError{Way: "proxy", Err: &refusedError{"x", exNoPerm}}, 77},
		{"proxy is not reached", &wayError{Way: "proxy", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, 69},
		{"alert", fmt.Errorf("TLS: %w", tls.AlertError(70)), 77},
		{"password command", &SecretError{Err: errors.New("status 1")}, 77},

		{"configuration", &ConfigError{}, 78},
		{"tunnel cannot be run", &wayError{Way: "tunnel", Err: errors.New("x"), status: exConfig}, 78},
		{"too early", fmt.Errorf("x: %w", &delayError{}), 75},
		{"identity", &state.IdentityError{}, 78},
		{"orphan", &orphanError{}, 78},
		{"a list of nobody", &unmatchedError{list: &seenList{}}, 78},
		{"no list", &seenError{peer.Fdm, &peer.SyntaxError{File: "f", Line: 1, Text: "x"}}, 65},
		{"keep without UIDL", fetch.ErrKeepNeedsUIDL, 78},
		{"command that cannot be run as written", deliver.ErrArgument, 78},
		{"unreadable state", fmt.Errorf("x: %w", state.ErrUnreadable), 78},

		// Of several failures the first that is not temporary counts.
		{"two temporary", errors.Join(&state.LockedError{}, loginRefusal("IN-USE")), 75},
		{"temporary, then not", errors.Join(&state.LockedError{}, &fetch.LeftError{Messages: 1}, pop3.ErrProtocol), 65},
		{"joined within", fmt.Errorf("x: %w", errors.Join(&state.LockedError{}, &ConfigError{})), 78},
		{"lost, and left", errors.Join(&pop3.LostError{Err: io.EOF}, &fetch.LeftError{Messages: 2}), 65},
		{"told", &toldError{loginRefusal("")}, 77},
	}
	for _, tt := range tests {
		if got := exitStatus(tt.err); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestSeveralAccounts(t *testing.T) {
	later, login, left := loginRefusal("IN-USE"), loginRefusal(""), &fetch.LeftError{Messages: 1}
	tests := []struct {
		errs []error
		want int
	}{
		{nil, 0},
		{[]error{nil, nil}, 0},
		{[]error{nil, later, nil}, 75},
		{[]error{later, login, left}, 77},
		{[]error{later, left, login}, 65},
		{[]error{left, later}, 65},
	}
	for _, tt := range tests {
		m := &program{report: &report{out: io.Discard, err: io.Discard}}
		var results []result
		for _, err := range tt.errs {
			results = append(results, result{err: err})
		}
		if got := exitStatus(m.summarise(results, 0, nil)); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.errs, got, tt.want)
		}
	}
}

func TestHints(t *testing.T) {
	account := func(tls, host, port, user string) *Account {
		return &Account{Name: "w x", TLS: tls, User: user, Server: Server{Network: "tcp", Host: host, port: port}}
	}
	a := account("implicit", "pop.example.com", "995", "a@example.com")
	relayed := account("implicit", "pop.example.com", "995", "a@example.com")
	relayed.Deliver = Destination{Protocol: "smtp", Receiver: account("implicit", "mx.example.org", "465", "bob")}
	relayed.Deliver.Receiver.ports = map[string]string{"implicit": "465", "starttls": "587"}
	relayed.Deliver.Receiver.Server.Addr, relayed.Deliver.Receiver.Secret.Kind = "mx.example.org:465", "password_file"
	appended := account("implicit", "pop.example.com", "995", "a@example.com")
	appended.Deliver = Destination{Protocol: "imap", Mailbox: "INBOX", Receiver: account("implicit", "mx.example.org", "465", "bob")}
	appended.Deliver.Receiver.Server.Addr, appended.Deliver.Receiver.Secret.Kind = "mx.example.org:465", "password_env"
	taker := func(err error) error { return &deliver.Error{Target: "smtp mx.example.org:465", Err: err} }
	tests := []struct {
		err  error
		a    *Account
		want string // in the first hint; "" for none
	}{
		{fmt.Errorf("%w: %w", pop3.ErrNotTLS, tls.RecordHeaderError{}), account("implicit", "h", "110", "u"), `tls = "starttls"`},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, a, `tls = "starttls"`},
		{&pop3.TimeoutError{}, account("none", "h", "995", "u"), `tls = "implicit"`},
		{&pop3.TimeoutError{}, a, ""},
		{&pop3.TimeoutError{Waiting: pop3.GreetingDue}, account("none", "h", "110", "u"), `does port 110 begin with TLS? then it is tls = "implicit"`},
		{&pop3.TimeoutError{Waiting: "the reply to STAT"}, account("none", "h", "110", "u"), ""},
		{refusal("STLS", ""), account("starttls", "h", "110", "u"), `tls = "implicit"`},
		{&certificateError{Came: &x509.Certificate{}, Err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}}, a, "tls_ca"},
		{&certificateError{Came: &x509.Certificate{}, Err: &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}}}}, a, "tls_server_name"},
		{&pop3.LoginError{Err: &pop3.Error{Command: "PASS", Text: "[AUTH] Application-specific password required"}}, a, "application password"},
		{loginRefusal("AUTH"), account("implicit", "pop.gmail.com", "995", "a@gmail.com"), "application password"},
		{loginRefusal(""), account("implicit", "h", "995", "alice"), `not only "alice"`},
		{loginRefusal("IN-USE"), account("implicit", "h", "995", "alice"), ""},
		{loginRefusal(""), a, ""},
		{&state.LockedError{}, a, "--wait"},
		{&state.IdentityError{}, a, "mailhaul state adopt 'w x'"},
		{&orphanError{Account: "new", Old: "old"}, a, "mailhaul state adopt new old"},
		{&deliver.Error{Target: "maildir /m", Err: &fs.PathError{Op: "write", Path: "/m", Err: syscall.ENOSPC}}, a, "make room"},
		{&fs.PathError{Op: "write", Path: "/s", Err: syscall.EDQUOT}, a, "make room"},
		{&fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}, a, ""},
		{&fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}, nil, ""},
		{fetch.ErrKeepNeedsUIDL, a, "keep"},
		{&deliver.Error{Err: fmt.Errorf("%w: %w", deliver.ErrCreate, fs.ErrPermission)}, a, "user id"},
		{&deliver.Error{Err: fmt.Errorf("%w: %w", deliver.ErrCreate, fs.ErrNotExist)}, a, "mounted"},
		{usagef("x"), nil, ""},
		// What is wrong with the server that takes the mail is not cured at the other.
		{taker(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), relayed, ""},
		{taker(&net.DNSError{Name: "mx.example.org", IsNotFound: true}), relayed, `no host "mx.example.org": is it spelt right under smtp?`},
		{taker(fmt.Errorf("%w: %w", deliver.ErrLogin, tls.RecordHeaderError{})), relayed, `the server does not begin with TLS on port 465; on port 587 it is tls = "starttls"`},
		{taker(fmt.Errorf("%w: %w", deliver.ErrLogin, &smtp.SMTPError{Code: 535, Message: "no"})), relayed, `is the password_file of deliver right, for user "bob" at mx.example.org?`},
		{taker(fmt.Errorf("%w: %w", deliver.ErrLogin, &smtp.SMTPError{Code: 502, Message: "no STARTTLS"})), relayed, ""},
		{&deliver.Error{Target: `imap mx.example.org:465 "INBOX"`, Err: fmt.Errorf("%w: %w", deliver.ErrLogin, &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeAuthenticationFailed})}, appended, "is the password_env of deliver right"},
		{taker(&smtp.SMTPError{Code: 550, Message: "no"}), relayed, ""},
	}
	for _, tt := range tests {
		got := cures{}.hints(tt.err, tt.a)
		if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) == 0 || !strings.Contains(got[0], tt.want)) {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
		for _, h := range (cures{config: "a b.toml"}).hints(tt.err, tt.a) {
			if _, line, ok := strings.Cut(h, ": mailhaul "); ok && !strings.HasPrefix(line, "-c 'a b.toml' ") {
				t.Errorf("%v: %q is not for the configuration of --config", tt.err, h)
			}
		}
	}
}
