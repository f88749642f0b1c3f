package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/creack/pty"
)

// onTerminal is the program "terminal FILE COMMAND...", which runs the command on a terminal into which
// the file is typed. What comes to the terminal it prints on standard error, all of it: ttyin and ttyout
// of testscript close the terminal when the command has ended, and what was not read by then is lost.
func onTerminal() {
	fatal := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(7)
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fatal(err)
	}
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	screen, err := pty.Start(cmd)
	if err != nil {
		fatal(err)
	}
	const endOfInput = "\x04"
	go io.WriteString(screen, string(text)+endOfInput) // while it is read: what is typed is echoed
	_, _ = io.Copy(os.Stderr, screen)                  // an error (EIO) when the last process has closed it
	_ = cmd.Wait()
	os.Exit(cmd.ProcessState.ExitCode())
}
