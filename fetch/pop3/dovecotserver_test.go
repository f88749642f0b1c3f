package pop3_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"
	"time"
)

// A dovecot is a private instance that does all mechanisms which Dovecot has. Its users are "tim",
// whose password "tanstaaf" it knows, and "joe", of whose "tanstaaf" it has only a hash.
type dovecot struct {
	plain, tls string // addresses
	roots      *x509.CertPool
	client     tls.Certificate // of tim
}

const tokenKey = "key of the tests"

// token makes an access token that the instance takes until then.
func token(user string, until time.Time) string {
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	from := time.Now().Add(-2 * time.Hour).Unix()
	text := part(map[string]string{"alg": "HS256", "typ": "JWT"}) + "." +
		part(map[string]any{"sub": user, "iat": from, "nbf": from, "exp": until.Unix()})
	mac := hmac.New(sha256.New, []byte(tokenKey))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// startDovecot skips the test where there is no Dovecot, unless MAILHAUL_REAL is set: then that is
// a failure, so that no test is skipped unnoticed.
func startDovecot(t *testing.T) *dovecot {
	t.Helper()
	path, err := exec.LookPath("dovecot")
	if err != nil {
		path = "/usr/sbin/dovecot"
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("MAILHAUL_REAL") != "" {
			t.Fatal("MAILHAUL_REAL is set, and there is no dovecot")
		}
		t.Skip("no dovecot")
	}
	// The path is short, because it is that of sockets, and open to Dovecot's own users.
	dir, err := os.MkdirTemp("", "dp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	owner, err := user.Current()
	if err == nil && owner.Uid == "0" {
		owner, err = user.Lookup("nobody") // no session runs as root
	}
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(owner.Gid)
	if err != nil {
		t.Fatal(err)
	}
	d := &dovecot{roots: x509.NewCertPool()}
	for d.plain == d.tls {
		d.plain, d.tls = freeAddr(t), freeAddr(t)
	}
	d.certificates(t, dir)
	sub := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	for name, text := range map[string]string{
		"keys/default/HS256/default": base64.StdEncoding.EncodeToString([]byte(tokenKey)),
		"users":                      "tim:{PLAIN}tanstaaf\njoe:{SHA256}" + sha("tanstaaf") + "\n",
		"oauth2":                     "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix=" + sub("keys") + "/\nusername_attribute = sub\n",
		"conf":                       d.config(dir, owner, group.Name),
		"mail/cur/1.M1.host:2,":      "Subject: one\n\nhello\n",
	} {
		if err := os.MkdirAll(filepath.Dir(sub(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(sub(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() == 0 {
		if out, err := exec.Command("chown", "-R", "nobody:", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(path, "-F", "-c", sub("conf"))
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(sub("log"))
			t.Logf("%s", log)
		}
	})
	for until := time.Now().Add(time.Minute); ; {
		conn, err := net.DialTimeout("tcp", d.tls, time.Second)
		if err == nil {
			conn.Close()
			return d
		}
		if time.Now().After(until) {
			t.Fatalf("dovecot does not listen: %v\n%s", err, out.Bytes())
		}
	}
}

// freeAddr finds an address for a program that cannot be given one which is open. Its port is none of
// those that the kernel hands out, nor one of cmd/mailhaul: another test would have it before the
// program does.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprint("127.0.0.1:", 12_000+mathrand.IntN(8_000))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

func sha(password string) string {
	sum := sha256.Sum256([]byte(password))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (d *dovecot) config(dir string, owner *user.User, group string) string {
	port := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
	return fmt.Sprintf(`
base_dir = %[1]s/run
state_dir = %[1]s/run
protocols = pop3
listen = 127.0.0.1
log_path = %[1]s/log
mail_location = maildir:%[1]s/mail
first_valid_uid = 1
first_valid_gid = 1
ssl = yes
ssl_cert = <%[1]s/server.pem
ssl_key = <%[1]s/server.pem
ssl_ca = <%[1]s/ca.pem
ssl_dh =
ssl_require_crl = no
ssl_verify_client_cert = yes
auth_ssl_username_from_cert = yes
disable_plaintext_auth = no
auth_failure_delay = 0
mail_max_userip_connections = 0
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 apop oauthbearer xoauth2 external
default_login_user = %[2]s
default_internal_user = %[2]s
default_internal_group = %[3]s
passdb {
  driver = passwd-file
  mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 apop
  args = %[1]s/users
}
passdb {
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = %[1]s/oauth2
}
passdb {
  driver = static
  mechanisms = external
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=%[4]s gid=%[5]s home=%[1]s
}
service anvil {
  chroot =
  # else each refusal slows down the next login from here
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = %[6]s
  }
  inet_listener pop3s {
    port = %[7]s
    ssl = yes
  }
}
`, dir, owner.Username, group, owner.Uid, owner.Gid, port(d.plain), port(d.tls))
}

// certificates makes an authority, and what it has signed for the server and for tim.
func (d *dovecot) certificates(t *testing.T, dir string) {
	t.Helper()
	var ca *x509.Certificate
	var caKey *ecdsa.PrivateKey
	for i, name := range []string{"ca", "server", "tim"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{
			SerialNumber:          big.NewInt(int64(i + 1)),
			Subject:               pkix.Name{CommonName: name},
			NotBefore:             time.Now().Add(-time.Hour),
			NotAfter:              time.Now().Add(time.Hour),
			IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
			BasicConstraintsValid: true,
			KeyUsage:              x509.KeyUsageDigitalSignature,
			ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		if ca == nil {
			ca, caKey = c, key
			c.IsCA, c.KeyUsage, c.ExtKeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil
		}
		der, err := x509.CreateCertificate(rand.Reader, c, ca, key.Public(), caKey)
		if err != nil {
			t.Fatal(err)
		}
		pk, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pk})...)
		if err := os.WriteFile(filepath.Join(dir, name+".pem"), both, 0o600); err != nil {
			t.Fatal(err)
		}
		switch name {
		case "ca":
			d.roots.AppendCertsFromPEM(both)
		case "tim":
			if d.client, err = tls.X509KeyPair(both, both); err != nil {
				t.Fatal(err)
			}
		}
	}
}
