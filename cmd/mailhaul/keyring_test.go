package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"mailhaul/fetch/pop3/pop3test"
)

// A secretService is as much of the Secret Service as looking something up takes, with the items
// by "service user".
type secretService struct {
	mu    sync.Mutex
	items map[string]bool
}

type secretStruct struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

const aliasPath, sessionPath = dbus.ObjectPath("/org/freedesktop/secrets/aliases/default"), dbus.ObjectPath("/org/freedesktop/secrets/session/s1")

func (s *secretService) OpenSession(string, dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	return dbus.MakeVariant(""), sessionPath, nil
}

func (s *secretService) Unlock(paths []dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	return paths, "/", nil
}

func (s *secretService) Close() *dbus.Error { return nil }

func (s *secretService) SearchItems(attributes map[string]string) ([]dbus.ObjectPath, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items[attributes["service"]+" "+attributes["username"]] && len(attributes) == 2 {
		return []dbus.ObjectPath{"/item/" + dbus.ObjectPath(attributes["username"])}, nil
	}
	return nil, nil
}

// keyringItem is one item.
type keyringItem struct{ secret string }

func (k *keyringItem) GetSecret(session dbus.ObjectPath) (secretStruct, *dbus.Error) {
	return secretStruct{Session: session, Value: []byte(k.secret), ContentType: "text/plain"}, nil
}

// startBus starts a bus of its own, skipped where there is no dbus-daemon, unless MAILHAUL_REAL is set.
func startBus(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		if os.Getenv("MAILHAUL_REAL") != "" {
			t.Fatal("MAILHAUL_REAL is set, and there is no dbus-daemon")
		}
		t.Skip("no dbus-daemon")
	}
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

func TestKeyring(t *testing.T) {
	srv, config, _ := patient(t, pop3test.Config{}, "")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(strings.Replace(string(text), `password = "secret"`, "keyring = true\ntimeout = '10s'", 1)), 0o600); err != nil {
		t.Fatal(err)
	}

	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
	if _, stderr, status := mailhaul(t, "-c", config, "fetch"); status != exConfig || !strings.Contains(stderr, "keyring: it cannot be asked: ") {
		t.Errorf("without a bus: status %d: %s", status, stderr)
	}

	address := startBus(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &secretService{items: map[string]bool{"127.0.0.1 other": true}}
	for path, names := range map[dbus.ObjectPath]string{"/org/freedesktop/secrets": "Service", aliasPath: "Collection", sessionPath: "Session"} {
		if err := conn.Export(s, path, "org.freedesktop.Secret."+names); err != nil {
			t.Fatal(err)
		}
	}
	for user, secret := range map[string]string{"user": "secret", "other": "wrong"} {
		if err := conn.Export(&keyringItem{secret}, "/item/"+dbus.ObjectPath(user), "org.freedesktop.Secret.Item"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.RequestName("org.freedesktop.secrets", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := mailhaul(t, "-c", config, "fetch"); status != exConfig ||
		!strings.Contains(stderr, `it has no password of user "user" at "127.0.0.1"`) || !strings.Contains(stderr, "hint: to put it there: secret-tool store --label mailhaul service 127.0.0.1 username user\n") {
		t.Errorf("without an item: status %d: %s", status, stderr)
	}
	if srv.Sessions() != 0 {
		t.Error("a session was opened in vain")
	}
	s.mu.Lock()
	s.items["127.0.0.1 user"] = true
	s.mu.Unlock()
	if stdout, stderr, status := mailhaul(t, "-c", config, "fetch"); status != 0 || stderr != "" {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
}
