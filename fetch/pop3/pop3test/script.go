package pop3test

import (
	"fmt"
	"strconv"
	"strings"
)

// A step is what one line of a script asks for.
type step struct {
	num  int // line of the script
	kind stepKind
	text string // octets
	raw  bool   // without a CRLF, and in a write of its own
}

type stepKind int

const (
	stepServer stepKind = iota
	stepClient
	stepEnd // by the client
	stepClose
	stepReset
)

// parse reads the script of a Dialogue.
func parse(script string) ([]step, error) {
	var steps []step
	width := -1 // spaces behind the colon that are not text
	lines := strings.Split(script, "\n")
	for i := 0; i < len(lines); i++ {
		num := i + 1
		text := strings.TrimSuffix(lines[i], "\r")
		trimmed := strings.TrimLeft(text, " \t")
		switch strings.TrimRight(trimmed, " \t") {
		case "", "...":
			continue
		case "close":
			steps = append(steps, step{num: num, kind: stepClose})
			continue
		case "reset":
			steps = append(steps, step{num: num, kind: stepReset})
			continue
		}
		if !marked(trimmed) {
			return nil, fmt.Errorf("line %d of the script: %q does not begin with S:, C: or S! as it must", num, trimmed)
		}
		mark, text := trimmed[:2], trimmed[2:]
		st := step{num: num, kind: stepServer, raw: mark == "S!"}
		if mark == "C:" {
			st.kind = stepClient
		}
		switch bare := strings.TrimSpace(text); {
		case bare == "<open connection>", strings.HasPrefix(bare, "<wait for "):
			continue
		case bare == "<close connection>" && mark == "C:":
			st.kind = stepEnd
			steps = append(steps, st)
			continue
		}
		spaces := len(text) - len(strings.TrimLeft(text, " "))
		if width < 0 {
			width = spaces
		}
		text = text[min(spaces, width):]
		for strings.HasPrefix(text, "<") && !strings.Contains(text, ">") && i+1 < len(lines) && !marked(strings.TrimSpace(lines[i+1])) {
			i++
			text += " " + strings.TrimSpace(lines[i])
		}
		octets, err := unescape(text)
		if err != nil {
			return nil, fmt.Errorf("line %d of the script: %q: %w", num, text, err)
		}
		if !st.raw {
			octets += "\r\n"
		}
		st.text = octets
		// Lines of the server in sequence are one write.
		if n := len(steps) - 1; n >= 0 && st.kind == stepServer && steps[n].kind == stepServer && !st.raw && !steps[n].raw {
			steps[n].text += octets
			continue
		}
		steps = append(steps, st)
	}
	if n := len(steps); n == 0 || steps[n-1].kind < stepEnd {
		steps = append(steps, step{num: len(lines), kind: stepEnd})
	}
	return steps, nil
}

// marked reports whether a line of a script says whose it is.
func marked(text string) bool {
	return strings.HasPrefix(text, "S:") || strings.HasPrefix(text, "C:") || strings.HasPrefix(text, "S!")
}

// unescape undoes the escapes of Go, without its quotes.
func unescape(text string) (string, error) {
	if !strings.Contains(text, `\`) {
		return text, nil
	}
	var b strings.Builder
	for text != "" {
		r, multibyte, rest, err := strconv.UnquoteChar(text, 0)
		if err != nil {
			return "", err
		}
		if multibyte {
			b.WriteRune(r)
		} else {
			b.WriteByte(byte(r))
		}
		text = rest
	}
	return b.String(), nil
}
