package pop3

import "bytes"

// readLine reads a line of at most limit octets and returns it without its line end; it is valid
// until the next read. A bare LF ends it too: some servers write their status lines so.
// what and name are for an error, see fill.
func (c *Client) readLine(limit int, what, name string) ([]byte, error) {
	for seen := 0; ; {
		data := c.buf[c.r:c.w]
		if i := bytes.IndexByte(data[seen:], '\n'); i >= 0 && seen+i < limit {
			line := data[:seen+i]
			c.r += seen + i + 1
			return bytes.TrimRight(line, "\r"), nil
		} else if i >= 0 || len(data) >= limit {
			return nil, c.fail(c.protocolError("%s%s is a line of more than %d octets", what, name, limit))
		}
		seen = len(data)
		if err := c.fill(what, name); err != nil {
			return nil, err
		}
	}
}
