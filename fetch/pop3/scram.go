package pop3

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
)

const (
	// maxIterations bounds the work that a server can make us do: some seconds. The lower bound
	// is the library's, the 4096 of RFC 5802, section 5.1: less makes what went over the line
	// cheap to guess passwords from.
	maxIterations = 10_000_000
	plusSuffix    = "-PLUS"
)

// scramHashes are the hashes of SCRAM (RFC 5802, RFC 7677), by the mechanism without channel
// binding.
var scramHashes = map[string]scram.HashGeneratorFcn{
	"SCRAM-SHA-1":   scram.SHA1,
	"SCRAM-SHA-256": scram.SHA256,
}

// scramClient is SCRAM. The password never goes out, and the server must prove that it knows it,
// too: in POP3 the proof comes as a challenge, is answered by an empty response, and only then is
// +OK believed.
type scramClient struct {
	name  string
	conv  *scram.ClientConversation
	nonce string // ours
	step  int
}

// newSCRAM makes the mechanism name. bind is asked for the channel binding (RFC 5802, section 6):
// a mechanism with -PLUS needs one. Without -PLUS, plusSeen says whether the server has announced
// the one with it.
func newSCRAM(name, user, pass string, plusSeen bool, bind func() (scram.ChannelBinding, error)) (*scramClient, error) {
	base, plus := strings.CutSuffix(name, plusSuffix)
	client, err := scramHashes[base].NewClient(user, pass, "")
	if err != nil {
		// Of an error of SASLprep (RFC 4013) only the fact is fit to be told.
		return nil, fmt.Errorf("%w: %s: the user name or the password has characters that it cannot take", ErrRefusedMechanism, name)
	}
	m := &scramClient{name: name}
	binding, err := bind()
	switch {
	case plus && err != nil:
		return nil, fmt.Errorf("%w: %s: no channel binding: %w", ErrRefusedMechanism, name, err)
	case plus:
		m.conv = client.NewConversationWithChannelBinding(binding)
	case err == nil && !plusSeen:
		// The server fails this if it did announce -PLUS, and somebody has taken it away.
		m.conv = client.NewConversationAdvertisingChannelBinding()
	default:
		// There is nothing to bind to, or the user does not want to.
		m.conv = client.NewConversation()
	}
	return m, nil
}

// preparable tells whether SCRAM can take a user name and a password: SASLprep (RFC 4013) refuses
// what is newer than Unicode 3.2, and what is no UTF-8.
func preparable(user, pass string) bool {
	_, err := scram.SHA256.NewClient(user, pass, "")
	return err == nil
}

func (m *scramClient) Start() (string, []byte, error) {
	first, err := m.conv.Step("")
	if err != nil {
		return "", nil, err
	}
	m.nonce = first[strings.LastIndex(first, ",r=")+len(",r="):]
	return m.name, []byte(first), nil
}

func (m *scramClient) Next(challenge []byte) ([]byte, error) {
	m.step++
	switch m.step {
	case 1:
		if err := m.checkFirst(string(challenge)); err != nil {
			return nil, err
		}
	case 2:
		if err := checkFinal(string(challenge)); err != nil {
			return nil, err
		}
	default:
		return nil, errChallenge
	}
	resp, err := m.conv.Step(string(challenge))
	if err != nil && m.step == 2 {
		return nil, errors.New("the server does not prove that it knows the password: its signature is wrong")
	}
	return []byte(resp), err
}

func (m *scramClient) finish() error {
	if !m.conv.Valid() {
		return errors.New("the server has not proved that it knows the password")
	}
	return nil
}

// bound tells that the mechanism binds the login to the connection. What fails so must not be done
// without (RFC 5802, section 6): it may have failed because there is someone in between.
func (m *scramClient) bound() bool { return strings.HasSuffix(m.name, plusSuffix) }

// checkFirst looks at the server-first-message before the library does. That one takes a nonce
// which is only ours and any number of iterations, and its errors repeat what the server said.
func (m *scramClient) checkFirst(msg string) error {
	if err := serverError(msg); err != nil {
		return err
	}
	f := strings.Split(msg, ",")
	if strings.HasPrefix(f[0], "m=") {
		return errors.New("the server demands an extension of SCRAM")
	}
	if len(f) < 3 || !strings.HasPrefix(f[0], "r=") || !strings.HasPrefix(f[1], "s=") || !strings.HasPrefix(f[2], "i=") {
		return errChallenge
	}
	if nonce := f[0][len("r="):]; !strings.HasPrefix(nonce, m.nonce) || len(nonce) == len(m.nonce) {
		return errors.New("the server has not extended the nonce")
	}
	if salt, err := base64.StdEncoding.DecodeString(f[1][len("s="):]); err != nil || len(salt) == 0 {
		return errors.New("the server has sent no salt")
	}
	n, err := strconv.ParseUint(f[2][len("i="):], 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && n > maxIterations:
		return fmt.Errorf("the server demands more than %d iterations", maxIterations)
	case err != nil || n == 0:
		return errChallenge
	}
	return nil
}

// checkFinal is for the server-final-message what checkFirst is for the first.
func checkFinal(msg string) error {
	if err := serverError(msg); err != nil {
		return err
	}
	v, _, _ := strings.Cut(msg, ",")
	sig, ok := strings.CutPrefix(v, "v=")
	if _, err := base64.StdEncoding.DecodeString(sig); !ok || err != nil {
		return errChallenge
	}
	return nil
}

// serverError makes an error of the server's (RFC 5802, section 7).
func serverError(msg string) error {
	text, ok := strings.CutPrefix(msg, "e=")
	if !ok {
		return nil
	}
	text, _, _ = strings.Cut(text, ",")
	return fmt.Errorf("the server says %q", text[:min(len(text), 60)])
}
