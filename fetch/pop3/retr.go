package pop3

// A TextCmd is a RETR or a TOP.
type TextCmd struct{ command }

// Retr retrieves message num.
func (c *Client) Retr(num int) *TextCmd {
	cmd := &TextCmd{command{multi: true}}
	c.enqueueNum(&cmd.command, "RETR", num)
	return cmd
}

// Top retrieves the header of message num and so many lines of its body. Servers get it wrong in
// many ways: it is fit for a look at a header, not for retrieving messages.
func (c *Client) Top(num, lines int) *TextCmd {
	cmd := &TextCmd{command{multi: true}}
	c.enqueueNum(&cmd.command, "TOP", num, max(lines, 0))
	return cmd
}

// Body waits for the reply and returns the text that follows it, which is read while it arrives.
// An -ERR is about this message alone.
func (cmd *TextCmd) Body() (*Body, error) {
	if err := cmd.wait(); err != nil {
		return nil, err
	}
	if cmd.body.err == errDrained {
		return nil, errDrained
	}
	return cmd.body, nil
}
