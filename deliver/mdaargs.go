package deliver

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// ErrArgument is matched by the errors of NewCommand, NewSMTP and NewIMAP: the destination was configured
// wrongly.
var ErrArgument = errors.New("cannot be used as it is written")

// What stands where the envelope is silent, or says what must not become an argument.
const (
	noSender = "MAILER-DAEMON" // RFC 5321, section 4.5.5: a null sender is of a notice that nobody may answer
	noUID    = "0"
)

// values are what placeholders stand for. All of it is from outside, and none has a NUL.
type values struct{ sender, recipient, account, uid string }

// placeholder returns the value of %c.
func (v *values) placeholder(c byte) (string, bool) {
	switch c {
	case 'F':
		return v.sender, true
	case 'T':
		return v.recipient, true
	case 'A':
		return v.account, true
	case 'U':
		return v.uid, true
	case '%':
		return "%", true
	}
	return "", false
}

// expand replaces the placeholders of one argument. What it returns is one argument: no shell
// and no splitting comes after it.
func (v *values) expand(arg string) (string, error) {
	if !strings.Contains(arg, "%") {
		return arg, nil
	}
	var b strings.Builder
	for {
		text, rest, found := strings.Cut(arg, "%")
		b.WriteString(text)
		if !found {
			return b.String(), nil
		}
		if rest == "" {
			return "", errors.New("a lone % at its end (%% is a percent sign)")
		}
		value, ok := v.placeholder(rest[0])
		if !ok {
			return "", fmt.Errorf("%q is none of %%F, %%T, %%A, %%U, %%%%", "%"+string([]rune(rest)[:1]))
		}
		b.WriteString(value)
		arg = rest[1:]
	}
}

// arguments expands all arguments. One that would become an option by what is in the message is
// made with safe in place of v. They were checked by checkArguments.
func arguments(args []string, v, safe *values) ([]string, error) {
	out := make([]string, len(args))
	for i, arg := range args {
		got, err := v.expand(arg)
		if err == nil && strings.HasPrefix(got, "-") && !strings.HasPrefix(arg, "-") {
			got, err = safe.expand(arg)
		}
		if err != nil {
			return nil, err
		}
		out[i] = got
	}
	return out, nil
}

// checkArguments refuses a command that could not be run with any message, or not safely.
func checkArguments(argv []string, o *CommandOptions) error {
	if len(argv) == 0 || argv[0] == "" {
		return fmt.Errorf("%w: no program", ErrArgument)
	}
	for _, s := range append([]string{o.Account, o.User}, argv...) {
		if strings.Contains(s, "\x00") {
			return fmt.Errorf("%w: a NUL in %q", ErrArgument, s)
		}
	}
	// An argument that the configuration's own names would make an option has no safe form.
	v := values{noSender, o.User, o.Account, noUID}
	for i, arg := range argv[1:] {
		got, err := v.expand(arg)
		if err == nil && strings.HasPrefix(got, "-") && !strings.HasPrefix(arg, "-") {
			err = fmt.Errorf("it would be the option %q", got)
		}
		if err != nil {
			return fmt.Errorf("%w: argument %d, %q: %w", ErrArgument, i+1, arg, err)
		}
	}
	if arg, ok := shellText(argv); ok && strings.Contains(strings.ReplaceAll(arg, "%%", ""), "%") {
		return fmt.Errorf("%w: a placeholder in the shell's %q would be run as a part of it: give it as an argument behind, and write \"$0\"", ErrArgument, arg)
	}
	return nil
}

var shells = map[string]bool{"sh": true, "ash": true, "bash": true, "dash": true, "fish": true, "ksh": true, "mksh": true, "zsh": true}

// shellText returns what a shell among argv is given to run by -c. What the message says must not
// stand in it: quotes do not help against quotes.
func shellText(argv []string) (string, bool) {
	for i := range argv {
		if !shells[path.Base(argv[i])] {
			continue
		}
		c := false
		for _, arg := range argv[i+1:] {
			if !strings.HasPrefix(arg, "-") || arg == "-" {
				if c {
					return arg, true
				}
				break
			}
			c = c || !strings.HasPrefix(arg, "--") && strings.Contains(arg, "c")
		}
	}
	return "", false
}

// escapeUID makes one word of a unique-id, which may be any octets: those outside 0x21 to 0x7E, and
// the percent sign, become %XX. RFC 1939, section 7, allows no others, and servers send them.
func escapeUID(uid string) string {
	var b strings.Builder
	for i := range len(uid) {
		if c := uid[i]; c < 0x21 || c > 0x7e || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
