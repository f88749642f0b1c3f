package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mailhaul/fetch/pop3/pop3test"
)

func TestMain(m *testing.M) {
	// Under the race detector each of the programs that the tests run sleeps a second before it
	// exits, which is three minutes in all. A race is reported, with status 66, all the same.
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	testscript.Main(m, map[string]func(){"mailhaul": main, "relay": relay, "terminal": onTerminal})
}

// TestScript runs testdata/script/*.txtar. Beside the commands of testscript there are:
//
//	status N COMMAND...              run it; its exit status must be N
//	server NAME [OPTION...]          start a POP3 server; $NAME is host:port, $NAMEPORT the port (see serverConfig)
//	fault NAME EFFECT PATTERN [TEXT] make it do something wrong (pop3test.Fault); TEXT may have \r, \n, \e
//	mend NAME                        no more of that
//	add NAME UID...                  put messages into its maildrop; %XX in a unique-id is an octet
//	await NAME PATTERN               wait until it has received such a command
//	await-file FILE                  wait until it exists
//	left NAME N                      so many messages are in its maildrop
//	[!] said NAME REGEXP             it has received a command like that
//	forget-log NAME                  only what comes from now on counts for said
//	config FILE...                   put $VARIABLES in, and make the file private
//	proxy NAME KIND [USER:PASSWORD]  start a proxy, "socks5" or "http"; $NAME is host:port
//	passed FILE DURATION             what a state file tells was so much earlier
//	mails DIR N                      so many messages are in the maildir's new/, none in tmp/
//	schema FILE...                   the lines are as the manual says of --json
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"MAILHAUL_CONFIG", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "STATE_DIRECTORY", "JOURNAL_STREAM", "NETRC"} {
				e.Setenv(name, "")
			}
			e.Setenv("HOME", e.WorkDir)
			pages, err := filepath.Abs("../../man")
			if err != nil {
				return err
			}
			e.Setenv("MANUAL", filepath.Join(pages, "mailhaul-state.5")) // whose example is compared
			e.Setenv("LC_ALL", "C")
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Values[serversKey{}] = map[string]*scriptServer{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": cmdStatus, "server": cmdServer, "fault": cmdFault, "mend": cmdMend, "add": cmdAdd, "await": cmdAwait, "await-file": cmdAwaitFile,
			"left": cmdLeft, "said": cmdSaid, "forget-log": cmdForgetLog, "config": cmdConfig, "mails": cmdMails,
			"proxy": cmdProxy, "jq": cmdJq, "schema": cmdSchema, "passed": cmdPassed,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "jq" {
				return haveJq(), nil
			}
			if shell, ok := strings.CutPrefix(cond, "shell:"); ok {
				return haveShell(shell)
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

type serversKey struct{}

type scriptServer struct {
	*pop3test.Server
	from int // where its log begins to count
}

func serverOf(ts *testscript.TestScript, args []string, least int) *scriptServer {
	if len(args) < least {
		ts.Fatalf("too few arguments")
	}
	srv := ts.Value(serversKey{}).(map[string]*scriptServer)[args[0]]
	if srv == nil {
		ts.Fatalf("no server %s", args[0])
	}
	return srv
}

func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// sampleText is a message with what gets lost easily: a line of dots, a From line, 8-bit octets,
// a bare CR, no Message-ID.
func sampleText(uid string, size int) string {
	text := "From: sender@example.com\r\nSubject: message " + uid + "\r\n\r\n.\r\n..\r\nFrom here\r\n\xe4\xf6 \r x\r\n"
	for len(text) < size {
		text += strings.Repeat("x", min(76, size-len(text))) + "\r\n"
	}
	return text
}

// serverConfig reads the options of `server`: n=COUNT messages with the unique-ids m1, m2, …,
// size=OCTETS each, tls or starttls (the certificate's authority is NAME.pem), nouidl, nocapa,
// notop, caps=A,B, expired.
func serverConfig(ts *testscript.TestScript, options []string) (pop3test.Config, []pop3test.Message) {
	var cfg pop3test.Config
	n, size := 0, 0
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		var err error
		switch name {
		case "n":
			n, err = strconv.Atoi(value)
		case "size":
			size, err = strconv.Atoi(value)
		case "tls":
			cfg.TLS = pop3test.ImplicitTLS
		case "starttls":
			cfg.TLS = pop3test.STLS
		case "nouidl":
			cfg.NoUIDL = true
		case "nocapa":
			cfg.NoCAPA = true
		case "notop":
			cfg.NoTOP = true
		case "caps":
			cfg.Caps = strings.Split(strings.ReplaceAll(value, "+", " "), ",")
		case "expired":
			cfg.Expired = true
		default:
			ts.Fatalf("server: unknown option %q", o)
		}
		ts.Check(err)
	}
	var msgs []pop3test.Message
	for i := 1; i <= n; i++ {
		uid := fmt.Sprint("m", i)
		msgs = append(msgs, pop3test.Message{UID: uid, Text: sampleText(uid, size)})
	}
	return cfg, msgs
}

func cmdServer(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: server NAME [OPTION...]")
	}
	cfg, msgs := serverConfig(ts, args[1:])
	srv, err := pop3test.NewServer(cfg, msgs...)
	ts.Check(err)
	ts.Defer(srv.Close)
	ts.Value(serversKey{}).(map[string]*scriptServer)[args[0]] = &scriptServer{Server: srv}
	ts.Setenv(args[0], srv.Addr)
	_, port, _ := strings.Cut(srv.Addr, ":")
	ts.Setenv(args[0]+"PORT", port)
	if cfg.TLS != pop3test.NoTLS {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pem"), srv.CAPEM(), 0o600))
	}
}

var effects = map[string]pop3test.Effect{
	"refuse": pop3test.Refuse, "answer": pop3test.Answer, "drop": pop3test.Drop, "swap": pop3test.Swap,
	"stall": pop3test.Stall, "cut": pop3test.Cut, "mute": pop3test.Mute, "insert": pop3test.Insert,
}

// cmdFault: cut and stall strike before anything of the reply is sent, and the command is not
// carried out; drop and swap strike once.
func cmdFault(ts *testscript.TestScript, _ bool, args []string) {
	srv := serverOf(ts, args, 3)
	name, firstOnly := strings.CutSuffix(args[1], "-once")
	effect, ok := effects[name]
	if !ok {
		ts.Fatalf("no effect %q", args[1])
	}
	text := strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\e`, "\x1b").Replace(strings.Join(args[3:], " "))
	f := pop3test.Fault{Do: effect, On: args[2], Text: text}
	switch effect {
	case pop3test.Stall, pop3test.Cut:
		f.Skip = true
	case pop3test.Drop, pop3test.Swap:
		f.Nth = 1 // what follows is to come out right
	case pop3test.Insert:
		f.After = pop3test.Whole
	}
	if firstOnly {
		f.Nth = 1
	}
	ts.Check(srv.Inject(f))
}

func cmdMend(ts *testscript.TestScript, _ bool, args []string) { serverOf(ts, args, 1).Mend() }

func cmdAdd(ts *testscript.TestScript, _ bool, args []string) {
	srv := serverOf(ts, args, 2)
	for _, uid := range args[1:] {
		uid = unescaped(uid)
		srv.Add(pop3test.Message{UID: uid, Text: sampleText(uid, 0)})
	}
}

func cmdAwait(ts *testscript.TestScript, _ bool, args []string) {
	srv := serverOf(ts, args, 2)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ts.Check(srv.Await(ctx, strings.Join(args[1:], " "), 1))
}

func cmdAwaitFile(ts *testscript.TestScript, _ bool, args []string) {
	for until := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(until) {
			ts.Fatalf("there is still no %s", args[0])
		}
	}
}

func cmdLeft(ts *testscript.TestScript, _ bool, args []string) {
	srv := serverOf(ts, args, 2)
	srv.Wait()
	if n := len(srv.Maildrop()); strconv.Itoa(n) != args[1] {
		ts.Fatalf("%d messages in the maildrop: %v", n, srv.UIDs())
	}
}

func cmdSaid(ts *testscript.TestScript, neg bool, args []string) {
	srv := serverOf(ts, args, 2)
	re, err := regexp.Compile(strings.Join(args[1:], " "))
	ts.Check(err)
	log := srv.Log()[srv.from:]
	for _, line := range log {
		_, command, _ := strings.Cut(line, " ")
		if re.MatchString(command) {
			if neg {
				ts.Fatalf("it was told %q", command)
			}
			return
		}
	}
	if !neg {
		ts.Fatalf("it was told only\n%s", strings.Join(log, "\n"))
	}
}

func cmdForgetLog(ts *testscript.TestScript, _ bool, args []string) {
	srv := serverOf(ts, args, 1)
	srv.from = len(srv.Log())
}

func cmdConfig(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
		ts.Check(os.Chmod(ts.MkAbs(name), 0o600))
	}
}

func cmdMails(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: mails DIR N")
	}
	for sub, want := range map[string]string{"new": args[1], "tmp": "0"} {
		files, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), sub, "*"))
		ts.Check(err)
		if strconv.Itoa(len(files)) != want {
			ts.Fatalf("%d files in %s/%s, want %s", len(files), args[0], sub, want)
		}
	}
}
