package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"reflect"
	"syscall"

	"mailhaul/deliver"
	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// The exit statuses, those of sysexits.h.
const (
	exOK          = 0
	exUsage       = 64 // the command line
	exDataErr     = 65 // a message stays on the server, or verify found a disagreement
	exUnavailable = 69 // the server refused the session
	exSoftware    = 70 // a defect of this program
	exCantCreat   = 73 // the destination cannot be created
	exIOErr       = 74 // read or write error, disk full
	exTempFail    = 75 // it may pass by itself
	exProtocol    = 76 // the server broke the protocol
	exNoPerm      = 77 // login or certificate refused, encryption not offered
	exConfig      = 78 // the configuration
)

// exitStatus maps an error to the status of the program. This is the only such mapping. Of
// several failures the first that is not temporary counts; 75 means that all are.
func exitStatus(err error) int {
	if err == nil {
		return exOK
	}
	status := exTempFail
	for _, f := range failures(err) {
		if s := statusOf(f); s != exTempFail {
			return s
		}
	}
	return status
}

// firstPermanent gives the first of several errors whose status is not 75, else the first.
func firstPermanent(errs []error) error {
	for _, err := range errs {
		if exitStatus(err) != exTempFail {
			return err
		}
	}
	if len(errs) > 0 {
		return errs[0]
	}
	return nil
}

var joined = reflect.TypeOf(errors.Join(errors.New("")))

// failures takes apart what errors.Join put together, at whatever depth. Several %w in one
// message are one failure, told in two ways.
func failures(err error) []error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if reflect.TypeOf(e) != joined {
			continue
		}
		var all []error
		for _, part := range e.(interface{ Unwrap() []error }).Unwrap() {
			all = append(all, failures(part)...)
		}
		return all
	}
	return []error{err}
}

// statusOf maps one failure. What knows its own meaning comes before what it was caused by.
func statusOf(err error) int {
	var (
		usage    *usageError
		config   *ConfigError
		secret   *SecretError
		left     *fetch.LeftError
		target   *deliver.Error
		locked   *state.LockedError
		delay    *delayError
		identity *state.IdentityError
		orphan   *orphanError
		moved    *movedError
		disagree *disagreementError
		stored   *seenError
		nobodys  *unmatchedError
		metrics  *metricsError
		runs     *runsError
	)
	var lost *notFoundError
	switch {
	case errors.As(err, &lost):
		return exUnavailable
	case errors.As(err, &runs):
		return exDataErr
	case errors.As(err, &disagree):
		return exDataErr
	case errors.As(err, &usage):
		return exUsage
	case errors.As(err, &stored):
		return exDataErr
	case errors.As(err, &nobodys), errors.As(err, &config), errors.As(err, &identity), errors.As(err, &orphan), errors.As(err, &moved),
		errors.Is(err, state.ErrUnreadable), errors.Is(err, state.ErrExists), errors.Is(err, fetch.ErrKeepNeedsUIDL), errors.Is(err, deliver.ErrArgument):
		return exConfig
	case errors.As(err, &secret):
		return secretStatus(secret)
	case errors.Is(err, fetch.ErrStopped), errors.Is(err, errStopped), errors.Is(err, fetch.ErrNotDeleted), errors.Is(err, errUnconfirmed),
		errors.Is(err, fetch.ErrUIDLRefused), errors.As(err, &locked), errors.As(err, &delay):
		return exTempFail
	case errors.As(err, &metrics):
		return exIOErr
	case errors.As(err, &left):
		if left.Temporary {
			return exTempFail
		}
		return exDataErr
	case errors.As(err, &target):
		return targetStatus(target)
	}
	if s := wayStatus(err); s != 0 {
		return s
	}
	if s := serverStatus(err); s != 0 {
		return s
	}
	return systemStatus(err)
}

// wayStatus maps the trouble with a tunnel or a proxy; 0 if it is not that.
func wayStatus(err error) int {
	var way *wayError
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		return refused.status
	case errors.As(err, &way):
		return way.status
	}
	return 0
}

func secretStatus(e *SecretError) int {
	switch {
	case e.Temporary:
		return exTempFail
	case e.Config:
		return exConfig
	}
	return exNoPerm
}

func targetStatus(e *deliver.Error) int {
	switch {
	case errors.Is(e, deliver.ErrCreate):
		return exCantCreat
	case errors.Is(e, deliver.ErrLogin):
		return exNoPerm
	case errors.Is(e, deliver.ErrUnavailable):
		return exUnavailable
	case e.Temporary:
		return exTempFail
	case e.Message:
		return exDataErr
	}
	return exIOErr
}

// serverStatus maps what the server did, or what became of the connection; 0 if it is not that.
func serverStatus(err error) int {
	var (
		login  *pop3.LoginError
		refuse *pop3.Error
		header tls.RecordHeaderError
		verify *tls.CertificateVerificationError
		host   x509.HostnameError
		pin    *pinError
		dns    *net.DNSError
		op     *net.OpError
	)
	switch {
	case errors.Is(err, pop3.ErrPlaintext):
		return exProtocol
	case errors.As(err, &refuse):
		return refusalStatus(refuse, errors.As(err, &login))
	case errors.As(err, &login), errors.Is(err, pop3.ErrRefusedMechanism):
		return exNoPerm
	case errors.As(err, &header), errors.As(err, &verify), errors.As(err, &host), errors.As(err, &pin), alertRefuses(err),
		errors.Is(err, pop3.ErrNotTLS):
		return exNoPerm
	case errors.Is(err, pop3.ErrProtocol):
		return exProtocol
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return exTempFail
	case errors.As(err, &dns):
		if dns.IsTimeout || dns.IsTemporary {
			return exTempFail
		}
		return exUnavailable
	case errors.As(err, &op):
		if op.Op == "dial" && !op.Timeout() {
			return exUnavailable
		}
		return exTempFail
	}
	return 0
}

// refusalStatus maps an -ERR. The response codes are those of RFC 2449, section 8, and RFC 3206;
// they mean the same whatever the command.
func refusalStatus(e *pop3.Error, login bool) int {
	switch e.Code {
	case "IN-USE", "LOGIN-DELAY", "SYS/TEMP":
		return exTempFail
	case "SYS/PERM":
		return exUnavailable
	case "AUTH":
		return exNoPerm
	}
	switch e.Command {
	case "STLS", "USER", "PASS", "APOP", "AUTH":
		return exNoPerm
	case "RETR", "TOP":
		return exDataErr
	case "DELE", "QUIT":
		return exTempFail
	}
	if login {
		return exNoPerm
	}
	return exUnavailable
}

// systemStatus maps what the operating system says.
func systemStatus(err error) int {
	var errno syscall.Errno
	var path *fs.PathError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return exTempFail
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return exTempFail
	case errors.As(err, &errno), errors.As(err, &path), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission),
		errors.Is(err, io.ErrShortWrite):
		return exIOErr
	}
	return exSoftware
}
