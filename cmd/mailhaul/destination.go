package main

import (
	"fmt"
	"io/fs"

	"mailhaul/deliver"
)

// A Destination is where an account's messages go: exactly one of Maildir, Mbox, Command, Receiver.
type Destination struct {
	Maildir string // of the folder, where there is one
	Mbox    string
	Lock    []string // of Mbox; nil = the default
	Command []string

	Folder bool        // Maildir is a subfolder
	Mode   fs.FileMode // 0 = the default
	Owner  *deliver.Owner
	Flags  string
	UIDL   deliver.KeepUIDL

	Protocol          string   // of Receiver: "lmtp", "smtp" or "imap"
	Receiver          *Account // how the mail server is reached that takes the messages
	Sender, Recipient string   // of the envelope, with placeholders
	Mailbox           string   // on an IMAP server
}

// String names the destination as the state and messages do.
func (d Destination) String() string {
	switch {
	case d.Maildir != "":
		return "maildir " + d.Maildir
	case d.Mbox != "":
		return "mbox " + d.Mbox
	case len(d.Command) > 0:
		return "command " + d.Command[0]
	case d.Protocol == "imap":
		return fmt.Sprintf("imap %s@%s %s", d.Receiver.User, d.Receiver.Server.Addr, d.Mailbox)
	case d.Receiver != nil:
		return d.Protocol + " " + d.Receiver.Server.Addr
	}
	return ""
}

// places names all destinations.
func (a *Account) places() string {
	all := a.Deliver.String()
	for _, d := range a.Also {
		all += " and " + d.String()
	}
	return all
}

// Readable tells whether it can be read what stands there.
func (d Destination) Readable() bool { return d.Maildir != "" || d.Mbox != "" }

// templates tells what is wrong with the placeholders of a command or an envelope, which may be a matter of
// the account's name and user.
func (d Destination) templates(a *Account) (err error) {
	switch {
	case len(d.Command) > 0:
		_, err = deliver.NewCommand(d.Command, deliver.CommandOptions{Account: a.Name, User: a.User})
	case d.Recipient != "":
		_, err = deliver.NewSMTP(deliver.SMTPOptions{Sender: d.Sender, Recipient: d.Recipient, Account: a.Name, User: a.User})
	}
	return err
}
