package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxAutoconfig bounds the configuration file for mail programs, in octets: real ones have some
// thousand.
const maxAutoconfig = 256 << 10

// newWebClient makes what asks for the configuration file. What came without TLS could be anyone's,
// so nothing does, also not by a redirect.
func newWebClient() *http.Client {
	return &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(),
		Timeout:   seek,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if r.URL.Scheme != "https" || len(via) > 3 {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

// autoconfig asks the domain's own web servers for the file that Thunderbird made usual. A place
// where it is not is no error.
// (https://benbucksch.github.io/autoconfig-spec/draft-ietf-mailmaint-autoconfig.html, section 4)
func (d *discovery) autoconfig(ctx context.Context, address, domain string) ([]proposal, error) {
	for _, at := range []string{
		"https://autoconfig." + domain + "/mail/config-v1.1.xml?emailaddress=" + url.QueryEscape(address),
		"https://" + domain + "/.well-known/autoconfig/mail/config-v1.1.xml",
	} {
		found, err := d.autoconfigAt(ctx, at, address)
		if err == nil && len(found) > 0 {
			return found, nil
		}
		var inside *autoconfigError
		if errors.As(err, &inside) {
			return nil, err
		}
	}
	return nil, nil
}

// An autoconfigError says that there is such a file, and that it cannot be used.
type autoconfigError struct {
	URL string
	Err error
}

func (e *autoconfigError) Error() string { return fmt.Sprintf("%s: %v", e.URL, e.Err) }

// Unwrap gives the cause.
func (e *autoconfigError) Unwrap() error { return e.Err }

func (d *discovery) autoconfigAt(ctx context.Context, at, address string) ([]proposal, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	answer, err := d.web.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	found, err := parseAutoconfig(io.LimitReader(answer.Body, maxAutoconfig), address)
	where, _, _ := strings.Cut(at, "?")
	if err != nil {
		return nil, &autoconfigError{where, err}
	}
	for i := range found {
		found[i].source = where
	}
	return found, nil
}

// A clientConfig is the part of the file that is of interest.
type clientConfig struct {
	XMLName   xml.Name `xml:"clientConfig"`
	Providers []struct {
		Incoming []struct {
			Type     string `xml:"type,attr"`
			Hostname string `xml:"hostname"`
			Port     string `xml:"port"`
			Socket   string `xml:"socketType"`
			User     string `xml:"username"`
		} `xml:"incomingServer"`
	} `xml:"emailProvider"`
}

// parseAutoconfig gives the POP3 servers with TLS, in the order of the file.
func parseAutoconfig(r io.Reader, address string) ([]proposal, error) {
	var file clientConfig
	if err := xml.NewDecoder(r).Decode(&file); err != nil {
		return nil, fmt.Errorf("not a configuration for mail programs: %w", err)
	}
	at := strings.LastIndexByte(address, '@')
	fill := strings.NewReplacer("%EMAILADDRESS%", address, "%EMAILLOCALPART%", address[:at], "%EMAILDOMAIN%", address[at+1:])
	var found []proposal
	for _, p := range file.Providers {
		for _, s := range p.Incoming {
			c := proposal{user: strings.TrimSpace(fill.Replace(s.User))}
			switch strings.ToLower(strings.TrimSpace(s.Socket)) {
			case "ssl", "tls":
				c.tls = "implicit"
			case "starttls":
				c.tls = "starttls"
			default: // "plain": no password goes that way
				continue
			}
			if !strings.EqualFold(strings.TrimSpace(s.Type), "pop3") || strings.ContainsAny(c.user, "\r\n\x00") {
				continue
			}
			if c.setServer(strings.TrimSpace(fill.Replace(s.Hostname)), strings.TrimSpace(s.Port)) == nil {
				found = append(found, c)
			}
		}
	}
	return found, nil
}
