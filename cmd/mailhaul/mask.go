package main

import (
	"encoding/base64"

	"mailhaul/fetch/pop3"
)

// mask makes the client mask a secret also where the server repeats it in base64, with whatever
// stands before and behind it there, as in the responses of SASL.
func mask(c *pop3.Client, secret string) {
	const least = 4 // shorter ones would be found everywhere
	for before := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s := enc.EncodeToString(append(make([]byte, before), secret...))
			// The characters at the ends have bits of the neighbours in them.
			if from, to := (before*8+5)/6, (before+len(secret))*8/6; to-from >= least {
				c.Mask(s[from:to])
			}
		}
	}
}
