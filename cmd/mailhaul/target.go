package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/emersion/go-sasl"

	"mailhaul/deliver"
	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// openTarget opens the account's destination. It may be made as long as nothing was delivered to
// it: afterwards a missing one is a disk that is not mounted, and what was delivered is on it.
func (f *fetcher) openTarget(ctx context.Context, a *Account, st *state.File) (deliver.Target, error) {
	d := a.Deliver
	was, _ := st.Note(noteTarget)
	into, _ := st.Note(noteInto)
	_, interrupted := st.Interrupted()
	if interrupted && into != "" && into != d.String() && canTell(into) {
		return nil, &movedError{Was: into, Path: st.Path()}
	}
	if len(d.Command) > 0 {
		return deliver.NewCommand(d.Command, deliver.CommandOptions{
			Timeout: a.Timeout, SpoolDir: f.cfg.StateDir, Account: a.Name, User: a.User, Groups: f.groups})
	}
	before, _ := st.Note(former(d.String()))
	create := was != d.String() && before == ""
	if was == "" { // nothing was, or the first run that did was killed
		create = !delivered(st) || into != "" && into != d.String()
	}
	if d.Receiver != nil {
		return f.openReceiver(ctx, a, create)
	}
	var t deliver.Target
	var err error
	if d.Maildir != "" {
		t, err = deliver.NewMaildir(d.Maildir, deliver.MaildirOptions{Create: create, Folder: d.Folder, Mode: d.Mode,
			Owner: d.Owner, Flags: d.Flags, UIDL: d.UIDL, Timeout: a.Timeout})
	} else {
		t, err = deliver.NewMbox(d.Mbox, deliver.MboxOptions{Create: create, Lock: d.Lock, SpoolDir: f.cfg.StateDir, Timeout: a.Timeout, UIDL: d.UIDL})
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// canTell tells whether a destination, as Destination.String has it, can be asked what has arrived.
func canTell(into string) bool {
	kind, _, _ := strings.Cut(into, " ")
	return kind == "maildir" || kind == "mbox" || kind == "imap"
}

// A movedError says that the destination was changed between an interrupted run and the next, which
// has to ask the old one what it holds.
type movedError struct{ Was, Path string }

func (e *movedError) Error() string {
	return fmt.Sprintf("the last run was interrupted while it delivered to %s, and only there can be seen what has arrived", e.Was)
}

func delivered(st *state.File) bool {
	for e := range st.All() {
		if (e.Status == state.Delivered || e.Status == state.Deleted) && e.Body != "" && e.Quarantine == "" {
			return true
		}
	}
	return false
}

// openReceiver makes the target of an account whose destination is a mail server. The secret is read
// first: no connection waits for a person or a vault.
func (f *fetcher) openReceiver(ctx context.Context, a *Account, create bool) (deliver.Target, error) {
	d, r := a.Deliver, a.Deliver.Receiver
	tls, err := tlsConfig(r)
	if err != nil {
		return nil, err
	}
	way := deliver.Receiver{Network: r.Server.Network, Addr: r.Server.Addr, TLS: tls, StartTLS: r.TLS == "starttls", Timeout: r.Timeout}
	if r.User != "" {
		var secret Secret
		if r.Secret.Kind != "" {
			if secret, err = readSecret(ctx, r, f.asker); err != nil {
				return nil, fmt.Errorf("deliver: %w", err) // the account has one, too
			}
		}
		var masks pop3.Client // without a connection: all it does is mask
		masks.Mask(secret.Reveal())
		mask(&masks, secret.Reveal())
		way.Redact = masks.Redact
		way.Login = func(_ context.Context, offers func(string) bool) (sasl.Client, error) {
			return r.mechanism(secret, offers)
		}
	}
	if d.Protocol == "imap" {
		return deliver.NewIMAP(deliver.IMAPOptions{Receiver: way, Folder: d.Mailbox, Flags: imapFlags(d.Flags), Create: create, SpoolDir: f.cfg.StateDir})
	}
	return deliver.NewSMTP(deliver.SMTPOptions{Receiver: way, LMTP: d.Protocol == "lmtp", Sender: d.Sender, Recipient: d.Recipient,
		SpoolDir: f.cfg.StateDir, Account: a.Name, User: a.User})
}

// imapFlags are what the letters of maildir stand for (RFC 3501, section 2.3.2; $Forwarded is of RFC
// 5788's registry).
func imapFlags(letters string) (flags []string) {
	names := map[rune]string{'D': `\Draft`, 'F': `\Flagged`, 'P': `$Forwarded`, 'R': `\Answered`, 'S': `\Seen`, 'T': `\Deleted`}
	for _, l := range letters {
		flags = append(flags, names[l])
	}
	return flags
}
