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
	switch {
	case is[*notFoundError](err):
		return exUnavailable
	case is[*runsError](err), is[*disagreementError](err):
		return exDataErr
	case is[*usageError](err):
		return exUsage
	case is[*seenError](err):
		return exDataErr
	case is[*lostError](err):
		return exIOErr
	case is[*unmatchedError](err), is[*ConfigError](err), is[*state.IdentityError](err), is[*orphanError](err), is[*movedError](err),
		errors.Is(err, state.ErrUnreadable), errors.Is(err, state.ErrExists), errors.Is(err, fetch.ErrKeepNeedsUIDL), errors.Is(err, deliver.ErrArgument):
		return exConfig
	}
	if e, ok := errors.AsType[*SecretError](err); ok {
		return secretStatus(e)
	}
	switch {
	case errors.Is(err, fetch.ErrStopped), errors.Is(err, errStopped), errors.Is(err, fetch.ErrNotDeleted), errors.Is(err, errUnconfirmed),
		errors.Is(err, fetch.ErrUIDLRefused), errors.Is(err, fetch.ErrNotCompared), is[*state.LockedError](err), is[*delayError](err):
		return exTempFail
	case is[*metricsError](err):
		return exIOErr
	}
	if e, ok := errors.AsType[*fetch.LeftError](err); ok {
		if e.Temporary {
			return exTempFail
		}
		return exDataErr
	}
	if e, ok := errors.AsType[*deliver.Error](err); ok {
		return targetStatus(e)
	}
	if e, ok := errors.AsType[*refusedError](err); ok { // by a proxy
		return e.status
	}
	if e, ok := errors.AsType[*wayError](err); ok && e.status != 0 { // a tunnel or a proxy; 0: as what went wrong there
		return e.status
	}
	if s := serverStatus(err); s != 0 {
		return s
	}
	return systemStatus(err)
}

// is tells whether err is or wraps an E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
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
	if errors.Is(err, pop3.ErrPlaintext) {
		return exProtocol
	}
	if e, ok := errors.AsType[*pop3.Error](err); ok {
		return refusalStatus(e, is[*pop3.LoginError](err))
	}
	switch {
	case is[*pop3.LoginError](err), errors.Is(err, pop3.ErrRefusedMechanism):
		return exNoPerm
	case is[tls.RecordHeaderError](err), is[*tls.CertificateVerificationError](err), is[x509.HostnameError](err), is[*pinError](err), alertRefuses(err),
		errors.Is(err, pop3.ErrNotTLS):
		return exNoPerm
	case errors.Is(err, pop3.ErrProtocol):
		return exProtocol
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return exTempFail
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		if e.IsTimeout || e.IsTemporary {
			return exTempFail
		}
		return exUnavailable
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		if e.Op == "dial" && !e.Timeout() {
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
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return exTempFail
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return exTempFail
	case is[syscall.Errno](err), is[*fs.PathError](err), errors.Is(err, state.ErrChanged), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission),
		errors.Is(err, io.ErrShortWrite):
		return exIOErr
	}
	return exSoftware
}
