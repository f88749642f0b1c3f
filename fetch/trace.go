package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// deliveryID names one delivery of one message: the nonce of the state's Begin, then a hash of it
// with the unique-id and the copy number. The nonce in clear lets a target find what belongs to
// one run; the hash keeps the server's octets out of file names and header fields.
func deliveryID(nonce, uid string, copy int) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d\x00%s", nonce, copy, uid)
	return nonce + hex.EncodeToString(h.Sum(nil)[:deliveryHash/2])
}

// deliveryHash is how many hex digits of a delivery id are the hash.
const deliveryHash = 16

// hexSum is the form in which the state keeps a hash: 128 bits are enough to tell two messages
// of one maildrop apart, also when one of them was made for the purpose.
func hexSum(sum [32]byte) string { return hex.EncodeToString(sum[:16]) }

// received makes the trace field (RFC 5321, section 4.4) that says by which way the message came.
// Everything up to the delivery id stands on the first line, where a target looks for it.
func (r *run) received(id string, now time.Time) string {
	if r.opts.NoReceived {
		return ""
	}
	var b strings.Builder
	b.WriteString("Received: from " + clean(r.opts.Server, "unknown") + " by " + clean(r.host, "localhost") + " with POP3 id " + id)
	if r.opts.User != "" {
		b.WriteString("\n\tfor <" + clean(r.opts.User, "unknown") + ">")
	}
	b.WriteString("; " + now.Format("Mon, 2 Jan 2006 15:04:05 -0700") + "\n")
	return b.String()
}

// clean makes s fit to stand in a header field as one word.
func clean(s, otherwise string) string {
	s = strings.Map(func(c rune) rune {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune(`<>()[]\";,`, c) {
			return '_'
		}
		return c
	}, s)
	if s == "" {
		return otherwise
	}
	return s
}
