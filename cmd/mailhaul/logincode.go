package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// A consentAnswer is what the provider's page leads back with.
type consentAnswer struct {
	code string
	err  error
}

// browserConsent is the authorization code flow with PKCE (RFC 7636) and a redirect to the loopback
// interface (RFC 8252, section 7.3). The address that a browser on another machine ends at can be
// pasted instead. An answer counts only with the state that we sent.
func (m *program) browserConsent(ctx context.Context, a *Account, cfg *oauth2.Config) (*oauth2.Token, error) {
	redirect, err := url.Parse(a.OAuth.RedirectURL)
	if err != nil {
		return nil, err
	}
	port := redirect.Port()
	if port == "" {
		port = "0"
	}
	host := redirect.Hostname()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	defer l.Close()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	redirect.Host = net.JoinHostPort(redirect.Hostname(), port)
	if redirect.Path == "" {
		redirect.Path = "/"
	}
	cfg.RedirectURL = redirect.String()

	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	answers := make(chan consentAnswer, 2)
	server := &http.Server{Handler: answerPage(redirect.Path, state, answers), ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l) // until the answer has come
	defer func() {
		// The page is to be shown before the program ends.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}()

	opts := append([]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("login_hint", a.User)}, a.OAuth.AuthParams...)
	m.report.say("open this page in a browser:")
	m.report.say("%s", cfg.AuthCodeURL(state, opts...))
	m.report.say("if the browser is on another machine, paste the address here that it shows in the end:")
	go pasted(os.Stdin, state, answers, m.report) // a read from a terminal cannot be interrupted

	select {
	case answer := <-answers:
		if answer.err != nil {
			return nil, answer.err
		}
		got, err := cfg.Exchange(ctx, answer.code, oauth2.VerifierOption(verifier))
		if err != nil {
			return nil, providerError(err, answer.code, verifier, cfg.ClientSecret)
		}
		return got, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// answerPage takes the redirect. A request with another state is somebody else's: it is refused, and
// the wait goes on.
func answerPage(path, state string, answers chan<- consentAnswer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Connection", "close")
		if r.URL.Path != path || r.Method != http.MethodGet {
			http.Error(w, "not found", http.StatusNotFound)
			return
		}
		answer, ok := readAnswer(r.URL.Query(), state)
		if !ok {
			http.Error(w, "This is not the answer that mailhaul waits for.", http.StatusBadRequest)
			return
		}
		text := "mailhaul has what it needs. This window can be closed.\n"
		if answer.err != nil {
			text = "The provider has refused. mailhaul says more.\n"
		}
		_, _ = io.WriteString(w, text)
		select {
		case answers <- answer:
		default: // it has one
		}
	})
}

// readAnswer reads the parameters of the redirect (RFC 6749, section 4.1.2).
func readAnswer(q url.Values, state string) (consentAnswer, bool) {
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
		return consentAnswer{}, false
	}
	if code := q.Get("error"); code != "" {
		text := "the provider refuses: " + brief(code)
		if d := q.Get("error_description"); d != "" {
			text += ": " + brief(d)
		}
		return consentAnswer{err: needsLogin(text)}, true
	}
	if q.Get("code") == "" {
		return consentAnswer{}, false
	}
	return consentAnswer{code: q.Get("code")}, true
}

// pasted reads addresses from r until one is the answer.
func pasted(r io.Reader, state string, answers chan<- consentAnswer, rep *report) {
	lines := bufio.NewScanner(io.LimitReader(r, maxSecret))
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err == nil {
			var answer consentAnswer
			var ok bool
			if answer, ok = readAnswer(u.Query(), state); ok {
				answers <- answer
				return
			}
			err = errors.New("it has no code, or is of another attempt")
		} else {
			err = errors.New("it is no address") // what url.Parse says quotes it
		}
		rep.complain(prioWarning, fmt.Sprintf("this is not the address that is waited for: %v", err))
	}
}
