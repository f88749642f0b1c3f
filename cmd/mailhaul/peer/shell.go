package peer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The other programs give commands to a shell; mailhaul runs them without one. What needs no
// shell becomes a list of arguments, the rest the text of a shell that is named.

// argv gives the arguments of a command that has no placeholders.
func argv(command string) []string {
	if words, ok := split(command); ok {
		return words
	}
	return []string{"sh", "-c", command}
}

// builtins are words that only a shell knows, or knows better.
var builtins = strings.Fields(". : [ alias bg break cd command continue do done elif else esac eval exec exit export fg fi for function getopts hash if in jobs local read readonly return select set shift source then time times trap type ulimit umask unalias unset until wait while { } !")

// split takes a command apart as a shell would, and says whether that is all a shell would do
// with it (POSIX, Shell Command Language, 2.2: quotes and backslashes, nothing expanded).
func split(command string) (words []string, ok bool) {
	var word strings.Builder
	begun := false
	end := func() {
		if begun {
			words = append(words, word.String())
			word.Reset()
			begun = false
		}
	}
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == ' ' || c == '\t':
			end()
			continue
		case c == '\'':
			n := strings.IndexByte(command[i+1:], '\'')
			if n < 0 {
				return nil, false
			}
			word.WriteString(command[i+1 : i+1+n])
			i += n + 1
		case c == '"':
			n := strings.IndexAny(command[i+1:], "\"$`\\")
			if n < 0 || command[i+1+n] != '"' {
				return nil, false
			}
			word.WriteString(command[i+1 : i+1+n])
			i += n + 1
		case c == '\\':
			if i++; i == len(command) || command[i] == '\n' {
				return nil, false
			}
			word.WriteByte(command[i])
		case strings.IndexByte("|&;<>()$`\n*?[]{}", c) >= 0,
			c == '#' && !begun,
			c == '=' && len(words) == 0,
			c == '~' && !begun && !(len(words) == 0 && strings.HasPrefix(command[i:], "~/")): // mailhaul expands it in the program alone
			return nil, false
		default:
			word.WriteByte(c)
		}
		begun = true
	}
	end()
	if len(words) == 0 || words[0] == "" || strings.HasPrefix(words[0], "-") || slices.Contains(builtins, words[0]) {
		return nil, false
	}
	return words, true
}

// What a placeholder of another program's command is in mailhaul: a mark while the command is
// taken apart, so that nothing in the command passes for one.
const (
	sender    = '\x01' // %F
	recipient = '\x02' // %T
	account   = '\x03' // %A
)

var placeholders = map[rune]string{sender: "%F", recipient: "%T", account: "%A"}

const marks = "\x01\x02\x03"

// errPasted says that the text of a message would become a part of a shell's text.
var errPasted = errors.New("a placeholder stands where a shell would run what a message says in its place")

// deliverArgv gives the arguments of a command that gets messages, with marks for placeholders.
// shell tells whether a shell runs it.
func deliverArgv(command string) (args []string, shell bool, err error) {
	if strings.ContainsFunc(command, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n"+marks, r) }) {
		return nil, false, errors.New("it has control characters")
	}
	if words, ok := split(command); ok {
		args, err = deliverWords(words)
		return args, false, err
	}
	text, used, err := parameters(command)
	if err != nil {
		return nil, true, err
	}
	args = []string{"sh", "-c", escapePercent(text)}
	if len(used) > 0 {
		args = append(args, "sh")
		for _, m := range used {
			args = append(args, placeholders[m])
		}
	}
	return args, true, nil
}

// deliverWords puts placeholders into arguments. mailhaul refuses one in the text that a shell is
// given: the message would write a part of it.
func deliverWords(words []string) ([]string, error) {
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("it is empty")
	}
	marked := strings.ContainsAny(strings.Join(words, ""), marks)
	if strings.ContainsAny(shellText(words), marks) || marked && slices.ContainsFunc(words, runsText) {
		return nil, errPasted
	}
	args := make([]string, len(words))
	for i, w := range words {
		args[i] = escapePercent(w)
		for mark, p := range placeholders {
			args[i] = strings.ReplaceAll(args[i], string(mark), p)
		}
	}
	return args, nil
}

// runsText tells whether a program gives its arguments to a shell, here or elsewhere.
func runsText(w string) bool {
	return slices.Contains([]string{"ssh", "rsh", "su", "eval"}, w[strings.LastIndexByte(w, '/')+1:])
}

// shellText is what a shell among the words is given to run by -c, "" if there is none.
func shellText(words []string) string {
	for i, w := range words {
		if w = w[strings.LastIndexByte(w, '/')+1:]; !strings.HasSuffix(w, "sh") {
			continue
		}
		c := false
		for _, arg := range words[i+1:] {
			if !strings.HasPrefix(arg, "-") {
				if c {
					return arg
				}
				break
			}
			c = c || strings.Contains(arg, "c")
		}
	}
	return ""
}

// parameters replaces the marks in the text of a shell by its positional parameters, which a
// shell does not take apart again: "$1" for the first that is used, in whatever quotes it stands.
func parameters(command string) (text string, used []rune, err error) {
	if !strings.ContainsAny(command, marks) {
		return command, nil, nil
	}
	// These read a text once more, and the parameter's value would be a part of it.
	if strings.Contains(command, "<<") || strings.Contains(command, "eval") || strings.Contains(command, "sh ") || strings.Contains(command, "-c") {
		return "", nil, errPasted
	}
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == '\\' && quote != '\'':
			b.WriteByte(c)
			if i++; i < len(command) {
				if strings.IndexByte(marks, command[i]) >= 0 {
					return "", nil, errPasted
				}
				b.WriteByte(command[i])
			}
			continue
		case quote == '"' && (c == '`' || strings.HasPrefix(command[i:], "$(")):
			return "", nil, errPasted // with quotes of its own
		case (c == '\'' || c == '"') && (quote == 0 || quote == c):
			quote ^= c
		case strings.IndexByte(marks, c) >= 0:
			n := slices.Index(used, rune(c))
			if n < 0 {
				n = len(used)
				used = append(used, rune(c))
			}
			switch quote {
			case 0:
				fmt.Fprintf(&b, `"$%d"`, n+1)
			case '"':
				fmt.Fprintf(&b, "${%d}", n+1)
			default:
				fmt.Fprintf(&b, `'"$%d"'`, n+1)
			}
			continue
		}
		b.WriteByte(c)
	}
	if quote != 0 {
		return "", nil, errors.New("a quote is not closed")
	}
	text = b.String()
	for i := range used { // '%F' is common
		text = strings.ReplaceAll(text, fmt.Sprintf(`''"$%d"''`, i+1), fmt.Sprintf(`"$%d"`, i+1))
	}
	return text, used, nil
}

// escapePercent makes a percent sign one for mailhaul, which looks for placeholders.
func escapePercent(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// shellWord quotes a word for a shell, if it needs it.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.,@%+/:") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// shellPath quotes a path for a shell, but not its ~.
func shellPath(p string) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		return "~/" + shellWord(rest)
	}
	return shellWord(p)
}
