package pop3

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A dialogue tells what both sides say, and knows what must not be told. A command that is secret
// hands over a masked line; what a server echoes is masked by its value.
type dialogue struct {
	w       io.Writer // nil: nobody listens
	secrets []string
	queued  []byte // lines of commands that are not yet written
}

const masked = "****"

// command notes a command line, to be told when it is written.
func (d *dialogue) command(shown string) {
	if d.w != nil {
		d.queued = append(d.queued, "C: "+escape(shown)+"\n"...)
	}
}

// written tells the command lines noted.
func (d *dialogue) written() {
	if d.w != nil && len(d.queued) > 0 {
		d.w.Write(d.queued)
		d.queued = d.queued[:0]
	}
}

// line tells one line of the server.
func (d *dialogue) line(b []byte) {
	if d.w != nil {
		fmt.Fprintf(d.w, "S: %s\n", escape(d.redact(string(b))))
	}
}

// status tells a status line. Of a challenge only the size: it may hold a token or a salt.
func (d *dialogue) status(line []byte, kind statusKind, text []byte) {
	if kind == statusChallenge && len(text) > 0 {
		d.line(fmt.Appendf(nil, "+ (%d octets)", len(text)))
		return
	}
	d.line(line)
}

// text stands for the text of a message.
func (d *dialogue) text(octets int64) {
	if d.w != nil {
		fmt.Fprintf(d.w, "S: (%d octets)\n", octets)
	}
}

// note says something that neither side said.
func (d *dialogue) note(s string) {
	if d.w != nil {
		fmt.Fprintf(d.w, "-- %s\n", s)
	}
}

// Mask makes the Client mask secret wherever the server says it: in the dialogue and in errors.
// Methods that are given a password or a token do it by themselves.
func (c *Client) Mask(secret string) {
	if secret == "" {
		return
	}
	c.dialogue.secrets = append(c.dialogue.secrets, secret)
	// The longest first: what has another one in it would not be found once that is masked.
	slices.SortStableFunc(c.dialogue.secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// Redact masks the secrets in what the server says, as in the dialogue: for text that Do has brought
// and that is no message.
func (c *Client) Redact(s string) string { return c.dialogue.redact(s) }

// shortSecret is the length below which a secret is masked only as a whole word: the places where
// a single letter is missing would tell it, and what is left would tell nothing.
const shortSecret = 4

// redact masks the secrets in s.
func (d *dialogue) redact(s string) string {
	for _, secret := range d.secrets {
		if !strings.Contains(s, secret) {
			continue
		}
		if len(secret) >= shortSecret {
			s = strings.ReplaceAll(s, secret, masked)
			continue
		}
		words := strings.Split(s, " ")
		for i, w := range words {
			if strings.Trim(w, `"'()<>.,:;`) == secret {
				words[i] = masked
			}
		}
		s = strings.Join(words, " ")
	}
	return s
}

// escape makes octets fit for a terminal: what is not printable ASCII becomes \xNN.
func escape(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			b.WriteString(`\\`)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
