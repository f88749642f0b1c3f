//go:build linux || darwin

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// onTerminal is the program "terminal FILE COMMAND...", which runs the command on a terminal into which
// the file is typed. What comes to the terminal it prints on standard error, all of it: ttyin and ttyout
// of testscript close the terminal when the command has ended, and what was not read by then is lost.
func onTerminal() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fatal(err)
	}
	// A blocking read: it ends when the last process has closed the other side.
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		fatal(err)
	}
	name, err := terminalOf(int(screen.Fd()))
	if err != nil {
		fatal(err)
	}
	tty, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		fatal(err)
	}
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		fatal(err)
	}
	tty.Close()
	const endOfInput = "\x04"
	go io.WriteString(screen, string(text)+endOfInput) // while it is read: what is typed is echoed
	_, _ = io.Copy(os.Stderr, screen)                  // EIO at the end
	_ = cmd.Wait()
	os.Exit(cmd.ProcessState.ExitCode())
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(7)
}
