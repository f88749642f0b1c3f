package pop3

import "bytes"

// findStamp returns the first well-formed time stamp of a greeting, or "". RFC 1939, section 7
// demands an RFC 822 msg-id; a client that takes less can be made to hash what an attacker has
// chosen octet by octet (CVE-2007-1558).
func findStamp(greeting []byte) string {
	for {
		start := bytes.IndexByte(greeting, '<')
		if start < 0 {
			return ""
		}
		greeting = greeting[start:]
		if n := stampLen(greeting); n > 0 {
			return string(greeting[:n])
		}
		greeting = greeting[1:]
	}
}

// stampLen returns the length of the stamp at the beginning of b, which is a '<', or 0.
func stampLen(b []byte) int {
	at := 0
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '>':
			if at > 1 && i > at+1 {
				return i + 1
			}
			return 0
		case c == '@':
			if at > 0 {
				return 0
			}
			at = i
		case c <= ' ' || c > '~' || c == '<':
			return 0
		}
	}
	return 0
}
