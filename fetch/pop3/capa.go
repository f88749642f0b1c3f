package pop3

import (
	"slices"
	"strings"
)

const maxCapa = 64 << 10

// Caps are the capabilities that the server has announced (RFC 2449), one line each, such as
// "SASL PLAIN LOGIN". They hold for the state in which they were asked for: before TLS, before the
// login, after it. What is not announced may work all the same (RFC 2449, section 7).
type Caps []string

// Has tells whether name is announced. Case does not matter.
func (caps Caps) Has(name string) bool {
	_, ok := caps.find(name)
	return ok
}

// Args returns the arguments of name, nil if it has none or is not announced.
func (caps Caps) Args(name string) []string {
	fields, _ := caps.find(name)
	if len(fields) < 2 {
		return nil
	}
	return fields[1:]
}

// SASL tells whether a SASL mechanism is announced.
func (caps Caps) SASL(mech string) bool {
	for _, line := range caps {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.EqualFold(fields[0], "SASL") {
			continue
		}
		if slices.ContainsFunc(fields[1:], func(f string) bool { return strings.EqualFold(f, mech) }) {
			return true
		}
	}
	return false
}

// ExpiresRetrieved tells whether the server may delete at QUIT what was retrieved, without DELE
// (RFC 2449, section 6.7: EXPIRE 0).
func (caps Caps) ExpiresRetrieved() bool {
	args := caps.Args("EXPIRE")
	return len(args) > 0 && args[0] == "0"
}

func (caps Caps) find(name string) ([]string, bool) {
	for _, line := range caps {
		// Whole words: "X-NO-STLS" is not STLS.
		if fields := strings.Fields(line); len(fields) > 0 && strings.EqualFold(fields[0], name) {
			return fields, true
		}
	}
	return nil, false
}

// A CapaCmd is a CAPA.
type CapaCmd struct {
	command
	caps Caps
}

// Capa asks for the capabilities.
func (c *Client) Capa() *CapaCmd {
	cmd := &CapaCmd{command: command{multi: true}}
	cmd.read = cmd.parse
	c.enqueuePlain(&cmd.command, "CAPA")
	return cmd
}

// Wait returns the capabilities. An -ERR means that they are unknown, not that there are none
// (RFC 2449, section 5).
func (cmd *CapaCmd) Wait() (Caps, error) {
	if err := cmd.wait(); err != nil {
		return nil, err
	}
	return cmd.caps, nil
}

func (cmd *CapaCmd) parse(b *Body) error {
	var over error
	err := b.eachLine(0, func(line []byte) {
		if b.octets > maxCapa && over == nil {
			over = b.c.protocolError("CAPA has more than %d octets", maxCapa)
		}
		if len(line) > 0 && over == nil {
			cmd.caps = append(cmd.caps, string(line))
		}
	})
	if over != nil {
		return over
	}
	return err
}
