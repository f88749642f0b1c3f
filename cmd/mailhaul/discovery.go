package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A discovery looks for the POP3 servers of a mail address. It tells nobody more than the address'
// domain, and that domain's own web server the address.
type discovery struct {
	resolver *net.Resolver
	web      *http.Client // see newWebClient
}

// A proposal is a server that may have the address' maildrop. Nothing that found it proves that it
// may be given the password: a person says so.
type proposal struct {
	server Server
	tls    string // "implicit" or "starttls"; "none" only where a person has said so
	user   string // "" if it is not known: the address, or what is before its @
	source string // what names it, for a person
	named  bool   // a person named it
}

// seek is how long each step of the search may take.
const seek = 10 * time.Second

// stages yields what each place says, the best first, so that a later one is asked only where what
// the earlier ones say does not work: SRV records, the domain's own configuration file for mail
// programs, the usual names. An error tells why a place said nothing.
func (d *discovery) stages(ctx context.Context, address, domain string) iter.Seq2[[]proposal, error] {
	return func(yield func([]proposal, error) bool) {
		for _, place := range []func(context.Context, string, string) ([]proposal, error){d.records, d.autoconfig, usualNames} {
			found, err := place(ctx, address, domain)
			if ctx.Err() != nil {
				return
			}
			if !yield(found, err) {
				return
			}
		}
	}
}

// records asks for the SRV records of RFC 6186, section 3.3: _pop3s is implicit TLS, and of _pop3
// STLS is demanded here. The resolver has them in the order of RFC 2782. A target of "." says that
// there is no such service.
func (d *discovery) records(ctx context.Context, _, domain string) ([]proposal, error) {
	var found []proposal
	var errs []error
	for _, s := range []struct{ service, tls string }{{"pop3s", "implicit"}, {"pop3", "starttls"}} {
		limited, cancel := context.WithTimeout(ctx, seek)
		_, records, err := d.resolver.LookupSRV(limited, s.service, "tcp", domain+".") // of no search list
		cancel()
		var none *net.DNSError
		if err != nil && !(errors.As(err, &none) && none.IsNotFound) {
			errs = append(errs, err)
		}
		for _, r := range records {
			host := strings.TrimSuffix(r.Target, ".")
			if host == "" || r.Port == 0 {
				continue
			}
			c := proposal{tls: s.tls, source: fmt.Sprintf("SRV record _%s._tcp.%s", s.service, domain)}
			if c.setServer(host, strconv.Itoa(int(r.Port))) == nil {
				found = append(found, c)
			}
		}
	}
	return found, errors.Join(errs...)
}

// usualNames guesses, TLS from the first octet before STLS (RFC 8314, section 3).
func usualNames(_ context.Context, _, domain string) ([]proposal, error) {
	var found []proposal
	for _, mode := range []string{"implicit", "starttls"} {
		for _, host := range []string{"pop." + domain, "pop3." + domain, "mail." + domain, domain} {
			c := proposal{tls: mode, source: "a usual name"}
			if c.setServer(host, "") == nil {
				found = append(found, c)
			}
		}
	}
	return found, nil
}

// setServer takes host and port as something outside has said them; an empty port is the usual one.
func (c *proposal) setServer(host, port string) error {
	if port != "" {
		host = net.JoinHostPort(host, port)
	}
	if err := setServer(&c.server, host); err != nil {
		return err
	}
	c.server.setPort(c.tls)
	return nil
}

// isWithin tells whether a host is of a domain.
func isWithin(host, domain string) bool {
	return strings.EqualFold(host, domain) || strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(domain))
}
