package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailhaul/fetch/pop3/pop3test"
)

// demoDir is the maildir of the demo, in the current directory.
const demoDir = "mailhaul-demo"

func (m *program) demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "fetch sample mail from a server of its own, and show what happens",
		Description: `Starts a POP3 server on the loopback interface with sample mail, and fetches it into the
maildir ./mailhaul-demo. It needs no configuration, and can be run again.`,
		Action: m.demo,
	}
}

// demo shows the plan, the delivery, a second run that finds nothing new, and where the mail lies.
func (m *program) demo(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("demo takes no argument")
	}
	srv, err := pop3test.NewServer(pop3test.Config{}, pop3test.SampleMail()...)
	if err != nil {
		return err
	}
	defer srv.Close()
	stateDir, err := os.MkdirTemp("", "mailhaul-demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stateDir)
	maildir, err := filepath.Abs(demoDir)
	if err != nil {
		return err
	}
	a := &Account{Name: "demo", TLS: "none", Auth: "auto", User: "user", Timeout: time.Minute,
		Secret:  SecretSource{Kind: "password", Value: NewSecret("secret")},
		Deliver: Destination{Maildir: maildir}}
	if err := setServer(&a.Server, srv.Addr); err != nil {
		return err
	}
	a.Server.setPort(a.TLS)

	m.report.verbose = max(m.report.verbose, 1)
	f := m.newFetcher(&Config{StateDir: stateDir, Accounts: []*Account{a}})
	fmt.Printf(`A POP3 server with sample mail listens on %s. This is the configuration:

    [accounts.demo]
    server   = "%s"
    tls      = "none"
    user     = "user"
    password = "secret"
    deliver  = { maildir = "%s" }

The plan, as by "mailhaul fetch --dry-run":

`, srv.Addr, srv.Addr, maildir)
	if err := f.demoRun(c.Context, a, true); err != nil {
		return err
	}
	fmt.Print("\nThe run, as by \"mailhaul fetch -v\": retrieve, deliver, record, delete.\n\n")
	if err := f.demoRun(c.Context, a, false); err != nil {
		return err
	}
	fmt.Print("\nA second run finds nothing new:\n\n")
	if err := f.demoRun(c.Context, a, false); err != nil {
		return err
	}
	return showMail(maildir)
}

// demoRun is one run of the account, its lines indented.
func (f *fetcher) demoRun(ctx context.Context, a *Account, dryRun bool) error {
	f.dryRun, f.report.dryRun = dryRun, dryRun
	if r := f.guarded(ctx, a); r.err != nil {
		return &toldError{r.err}
	}
	return nil
}

// showMail tells where the mail lies, and what is in it.
func showMail(maildir string) error {
	files, err := filepath.Glob(filepath.Join(maildir, "new", "*"))
	if err != nil {
		return err
	}
	fmt.Printf("\nThe mail lies in %s, %d messages in new/:\n\n", maildir, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Printf("    %s\n", visible(decodeWords(subject(string(text)))))
	}
	fmt.Printf("\nRead it with:  mutt -f %s\n", maildir)
	return nil
}

// subject gives the first line of the Subject field.
func subject(message string) string {
	header, _, _ := strings.Cut(message, "\n\n")
	for line := range strings.SplitSeq(header, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Subject") {
			return strings.TrimSpace(value)
		}
	}
	return "(no subject)"
}
