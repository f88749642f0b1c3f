package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-smtp"

	"mailhaul/deliver"
	"mailhaul/fetch"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// A cures says what can be done about failures.
type cures struct {
	config string // what --config names, "" without it
}

// command is a command line of mailhaul for the configuration at hand: one without --config would be
// about another's accounts of the same names.
func (c cures) command(line string) string {
	if c.config == "" {
		return "mailhaul " + line
	}
	return "mailhaul -c " + shellWord(c.config) + " " + line
}

// hints says what the user can do about a failure, where that is known. a is nil if the failure
// is about no account.
func (c cures) hints(err error, a *Account) []string {
	var (
		identity *state.IdentityError
		orphan   *orphanError
		moved    *movedError
		usage    *usageError
	)
	var item *noItemError
	var disagree *disagreementError
	var lost *notFoundError
	switch {
	case errors.As(err, &lost):
		return []string{"-v tells what was tried; if you know the server: --server HOST"}
	case errors.As(err, &disagree) && a != nil:
		return c.disagreementHints(disagree, a)
	case errors.As(err, &usage):
		if usage.hint != "" {
			return []string{usage.hint}
		}
		return nil
	case errors.Is(err, errNeedsLogin) && a != nil:
		if a.OAuth == nil {
			return []string{"to log in: " + c.command("login --deliver "+shellWord(a.Name))}
		}
		return []string{"to log in: " + c.command("login "+shellWord(a.Name))}
	case errors.As(err, &item):
		return []string{fmt.Sprintf("to put it there: secret-tool store --label mailhaul service %s username %s", shellWord(item.host), shellWord(item.user))}
	case errors.As(err, &identity) && a != nil:
		return []string{
			"if it is the same mailbox under a new name: " + c.command("state adopt "+shellWord(a.Name)),
			"if it is another mailbox, to begin anew: " + c.command("state forget --all "+shellWord(a.Name)),
		}
	case errors.As(err, &moved):
		return []string{
			"put the old destination back into the configuration for one run, then change it",
			fmt.Sprintf("if it is gone for good, take the last line that begins with begin= out of %q; what it holds is then delivered again", moved.Path),
		}
	case errors.As(err, &orphan):
		return []string{
			"to go on with it: " + c.command("state adopt "+shellWord(orphan.Account)+" "+shellWord(orphan.Old)),
			"to begin anew: " + c.command("state forget --all "+shellWord(orphan.Old)),
			// Both of these would have the other configuration retrieve everything again.
			fmt.Sprintf("neither, if another configuration has the account %q: state_dir keeps this one's state apart", orphan.Old),
		}
	case errors.Is(err, state.ErrUnreadable) && a != nil:
		return []string{"mend its first line (mailhaul-state(5)), or: " + c.command("state adopt "+shellWord(a.Name))}
	case errors.Is(err, state.ErrLocked):
		return []string{"try again when the other run has ended; fetch, verify, delete and console can wait for it: --wait 5m"}
	case errors.Is(err, fetch.ErrKeepNeedsUIDL) && a != nil && len(a.Also) > 0:
		return []string{"with one destination, and without keep = true, the mail is retrieved and deleted"}
	case errors.Is(err, fetch.ErrKeepNeedsUIDL):
		return []string{"without keep = true (and without --keep) the mail is retrieved and deleted"}
	case errors.Is(err, deliver.ErrCreate):
		return targetHints(err)
	}
	if a == nil {
		return nil
	}
	var path *fs.PathError
	output := errors.As(err, &path) && path.Path == os.Stdout.Name()
	if !output && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)) {
		return []string{"make room there (df, df -i, quota); what was not delivered is still on the server, and the next run goes on with it"}
	}
	if r := a.receiverOf(err); r != nil {
		return receiverHints(err, r)
	}
	return c.connectionHints(err, a)
}

// receiverOf gives the destination that an error is about, if that is a mail server.
func (a *Account) receiverOf(err error) *Destination {
	e, ok := errors.AsType[*deliver.Error](err)
	if !ok {
		return nil
	}
	for _, d := range append([]Destination{a.Deliver}, a.Also...) {
		if d.Receiver != nil && strings.HasPrefix(e.Target+" ", d.Protocol+" "+d.Receiver.Server.Addr+" ") {
			return &d
		}
	}
	return nil
}

// receiverHints knows the usual mistakes about a server that takes the mail: they are cured in deliver.
func receiverHints(err error, d *Destination) []string {
	var (
		header tls.RecordHeaderError
		dns    *net.DNSError
		r      = d.Receiver
	)
	switch {
	case errors.As(err, &header) && r.TLS == "implicit" && r.ports["starttls"] != "":
		return []string{fmt.Sprintf(`the server does not begin with TLS on port %s; on port %s it is tls = "starttls"`, r.Server.Port(), r.ports["starttls"])}
	case errors.As(err, &dns) && dns.IsNotFound:
		return []string{fmt.Sprintf("there is no host %q: is it spelt right under %s?", r.Server.Host, d.Protocol)}
	case errors.Is(err, deliver.ErrLogin) && refusesSecret(err) && r.Secret.Kind != "":
		return []string{fmt.Sprintf("is the %s of deliver right, for user %q at %s?", r.Secret.Kind, r.User, r.Server.Host)}
	}
	return nil
}

// refusesSecret tells whether a mail server has said so (RFC 4954, section 6; RFC 5530, section 3), and not
// that it has no TLS.
func refusesSecret(err error) bool {
	if e, ok := errors.AsType[*smtp.SMTPError](err); ok {
		return e.Code/10 == 53
	}
	e, ok := errors.AsType[*imap.Error](err)
	return ok && e.Code == imap.ResponseCodeAuthenticationFailed
}

func targetHints(err error) []string {
	switch {
	case errors.Is(err, deliver.ErrUidlist):
		return []string{"a POP3 or IMAP login has Dovecot mend its list"}
	case errors.Is(err, fs.ErrPermission):
		return []string{fmt.Sprintf("this runs as user id %d: the destination must belong to it", os.Getuid())}
	case errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(err.Error(), "command "):
		return []string{"is its disk mounted? what mail was delivered to once is not made anew; if it is gone on purpose, make it: a maildir with cur, new and tmp in it, or an empty mbox"}
	}
	return nil
}

// disagreementHints says what to make of what verify has found.
func (c cures) disagreementHints(e *disagreementError, a *Account) []string {
	var told []string
	if e.Was != "" {
		told = append(told, fmt.Sprintf("the last delivery was to %s: what went there is missing here", e.Was))
	}
	if e.Counts.Missing > 0 {
		told = append(told, "what a person has moved away or deleted is missing, too; to fetch again what is still on the server: "+c.command("state forget "+shellWord(a.Name)+" ID"))
	}
	if e.Counts.Undeleted > 0 {
		told = append(told, "to delete what is recorded and still on the server: "+c.command("fetch "+shellWord(a.Name)))
	}
	return told
}

// connectionHints knows the usual mistakes about ports, TLS and passwords.
func (c cures) connectionHints(err error, a *Account) []string {
	var (
		header      tls.RecordHeaderError
		certificate *certificateError
		way         *wayError
		refuse      *pop3.Error
		timeout     interface{ Timeout() bool }
		silent      *pop3.TimeoutError
		dns         *net.DNSError
	)
	port := a.Server.Port()
	switch {
	case errors.As(err, &header) && a.TLS == "implicit":
		return []string{fmt.Sprintf(`the server does not begin with TLS on port %s; on port 110 it is tls = "starttls"`, port)}
	case tlsAlert(err) == certificateRequired:
		return []string{"the server demands a certificate of yours: tls_cert"}
	case errors.As(err, &certificate):
		return certificateHints(certificate, a)
	case errors.Is(err, syscall.EADDRNOTAVAIL) && a.SourceAddress.IsValid():
		return []string{"source_address is no address of this machine"}
	case errors.Is(err, syscall.ECONNREFUSED) && a.TLS == "implicit" && port == "995" && !errors.As(err, &way):
		return []string{`nothing listens on port 995; some servers have tls = "starttls" on port 110 alone`}
	case errors.As(err, &dns) && dns.IsNotFound && !errors.As(err, &way):
		return []string{fmt.Sprintf("there is no host %q: is it spelt right under server?", a.Server.Host)}
	case errors.Is(err, pop3.ErrNotTLS), errors.As(err, &refuse) && refuse.Command == "STLS":
		return []string{`the server offers no STLS; most have tls = "implicit" on port 995`}
	case errors.As(err, &timeout) && timeout.Timeout() && port == "995" && a.TLS != "implicit" && !isDial(err):
		return []string{`port 995 begins with TLS: tls = "implicit"`}
	case errors.As(err, &silent) && silent.Waiting == pop3.GreetingDue && a.TLS != "implicit" && len(a.Tunnel) == 0:
		return []string{fmt.Sprintf(`does port %s begin with TLS? then it is tls = "implicit"`, port)}
	case errors.As(err, &refuse) && statusOf(err) == exNoPerm:
		return c.passwordHints(refuse, a)
	}
	return nil
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// passwordHints knows the providers that refuse the mailbox's own password. It only suggests: what
// a server says decides nothing.
func (c cures) passwordHints(e *pop3.Error, a *Account) []string {
	if a.OAuth != nil {
		if len(a.OAuth.TokenCommand) > 0 {
			return nil
		}
		return []string{"to log in anew: " + c.command("login "+shellWord(a.Name))}
	}
	text := strings.ToLower(e.Text)
	if strings.Contains(text, "application-specific") || strings.Contains(text, "app password") || strings.Contains(text, "app-specific") {
		return []string{"the server wants an application password, made in the account's settings"}
	}
	for _, provider := range []string{"gmail.com", "googlemail.com", "yahoo.com", "mail.me.com", "aol.com"} {
		if a.Server.Host == provider || strings.HasSuffix(a.Server.Host, "."+provider) {
			return []string{"this provider wants an application password, made in the account's settings, and POP allowed there"}
		}
	}
	if !strings.Contains(a.User, "@") {
		return []string{fmt.Sprintf("is the password right? many servers want the whole address as user, not only %q", a.User)}
	}
	if a.Secret.Kind != "" {
		return []string{fmt.Sprintf("is the %s right, for user %q at %s?", a.Secret.Kind, a.User, a.Server.Host)}
	}
	return nil
}

// shellWord quotes a word for a shell, if it needs it.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.,@%+/:", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
