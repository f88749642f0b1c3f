package deliver

import (
	"errors"
	"fmt"
	"syscall"
)

// unusable are the causes that a look at the configuration or the permissions cures, and another
// attempt does not.
var unusable = []error{
	syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENOTDIR, syscall.EISDIR,
	syscall.ENOENT, syscall.ELOOP, syscall.ENAMETOOLONG,
}

// classify makes an Error of target ("maildir DIR") from the error of a system call. It matches
// ErrCreate if the destination cannot be used as it is.
func classify(target string, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if !errors.Is(err, ErrCreate) {
		for _, u := range unusable {
			if errors.Is(err, u) {
				err = fmt.Errorf("%w: %w", ErrCreate, err)
				break
			}
		}
	}
	return &Error{Target: target, Err: err}
}

// broke tells whether the failure of a mail server over one message may come of it: the session has ended, or
// a login is wanted, and that may be for this sender or recipient alone.
func (e *Error) broke() bool { return !e.Message && (e.Temporary || errors.Is(e.Err, ErrLogin)) }

// notStaged makes what Deliver returns of an error while a message was read and written: that of the
// message's body, as it is, or an Error of target.
func notStaged(target string, err error) error {
	var body *readError
	if errors.As(err, &body) {
		return body.err
	}
	return classify(target, err)
}

// tooLarge makes a message that is too large for the file system, or for the limit that is set, an
// Error about it alone: others may not be.
func tooLarge(err error) error {
	var e *Error
	if errors.As(err, &e) && errors.Is(err, syscall.EFBIG) {
		e.Message = true
	}
	return err
}
