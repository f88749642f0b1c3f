package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"mailhaul/fetch/pop3"
)

// soon is how long before its end a certificate is worth a warning.
const soon = 14 * 24 * time.Hour

// tls tells how the connection is protected, and by which certificate.
func (k *checker) tls(c *pop3.Client) {
	cs, ok := c.TLS()
	switch {
	case !ok && len(k.a.Tunnel) > 0:
		k.ok("tls", nil, "none, and the tunnel is taken to be safe")
		return
	case !ok && k.a.Private():
		k.ok("tls", nil, "none, and the server is on this machine")
		return
	case !ok:
		k.warn("tls", nil, "none: anyone on the way may read along")
		return
	}
	k.protection(tls.VersionName(cs.Version), tls.CipherSuiteName(cs.CipherSuite))
	if len(cs.PeerCertificates) == 0 {
		return
	}
	cert := cs.PeerCertificates[0]
	k.certificate(cert)
	k.key(pinOf(cert))
}

func (k *checker) protection(version, cipher string) {
	k.ok("tls", func(l *jsonLine) { l.text("tls_version", version); l.text("cipher", cipher) }, "%s, %s", version, cipher)
}

// key tells the line of the configuration by which no other key is accepted.
func (k *checker) key(pin string) {
	k.ok("pin", func(l *jsonLine) { l.text("pin", pin) }, "tls_pin = [%q]", pin)
}

// certificate tells whose the certificate is, and warns before it ends.
func (k *checker) certificate(cert *x509.Certificate) {
	fields := func(l *jsonLine) {
		l.list("names", certificateNames(cert))
		l.text("expires", cert.NotAfter.UTC().Format(time.RFC3339))
	}
	switch left := time.Until(cert.NotAfter); {
	case left < 0:
		k.warn("certificate", fields, "it has expired: %s", certificateText(cert))
	case left < soon:
		k.warn("certificate", fields, "it expires soon: %s", certificateText(cert))
	case k.a.TLSInsecure && len(k.a.TLSPin) == 0:
		k.warn("certificate", fields, "not checked (tls_insecure), anyone may read the password: %s", certificateText(cert))
	default:
		k.ok("certificate", fields, "%s", certificateText(cert))
	}
}

// connectFailed tells what went wrong, and of what it is about.
func (k *checker) connectFailed(err error) {
	var certificate *certificateError
	switch {
	case errors.As(err, &certificate):
		k.failed("certificate", err)
	case serverStatus(err) == exNoPerm || errors.Is(err, pop3.ErrPlaintext):
		k.failed("tls", err)
	default:
		k.failed("connection", err)
	}
}

// certificateNames are those that the certificate is for.
func certificateNames(cert *x509.Certificate) []string {
	names := append([]string(nil), cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && cert.Subject.CommonName != "" {
		names = []string{cert.Subject.CommonName}
	}
	return names
}

// certificateText tells a certificate's names, who has signed it and until when it is good.
func certificateText(cert *x509.Certificate) string {
	names := strings.Join(certificateNames(cert), ", ")
	if names == "" {
		names = "no name"
	}
	days := int(time.Until(cert.NotAfter) / (24 * time.Hour))
	end := fmt.Sprintf("until %s (%d days)", cert.NotAfter.Format(time.DateOnly), days)
	if days < 0 || time.Now().After(cert.NotAfter) {
		end = "until " + cert.NotAfter.Format(time.DateOnly)
	}
	return fmt.Sprintf("%s, by %s, %s", visible(names), visible(issuer(cert)), end)
}

func issuer(cert *x509.Certificate) string {
	switch name := cert.Issuer; {
	case cert.Issuer.String() == cert.Subject.String():
		return "itself"
	case name.CommonName != "":
		return name.CommonName
	default:
		return name.String()
	}
}
