package main

import (
	"net/url"
	"testing"

	"golang.org/x/oauth2"
)

// What is known of the providers, as they document it.
func TestOAuthPresets(t *testing.T) {
	for _, tt := range []struct {
		keys, auth, token, device, redirect string
		scopes                              []string
	}{
		{"provider = 'google'", "https://accounts.google.com/o/oauth2/v2/auth", "https://oauth2.googleapis.com/token", "", "http://127.0.0.1", []string{"https://mail.google.com/"}},
		{"provider = 'microsoft'", "https://login.microsoftonline.com/common/oauth2/v2.0/authorize", "https://login.microsoftonline.com/common/oauth2/v2.0/token",
			"https://login.microsoftonline.com/common/oauth2/v2.0/devicecode", "http://localhost", []string{"https://outlook.office.com/POP.AccessAsUser.All", "offline_access"}},
		{"provider = 'microsoft'\ntenant = 'a/b'\nscopes = ['x']\ndevice_url = 'https://d/'", "https://login.microsoftonline.com/a%2Fb/oauth2/v2.0/authorize",
			"https://login.microsoftonline.com/a%2Fb/oauth2/v2.0/token", "https://d/", "http://localhost", []string{"x"}},
	} {
		cfg, err := load(t, head+"[accounts.work.oauth2]\nclient_id = 'c'\n"+tt.keys+"\n")
		if err != nil {
			t.Error(err)
			continue
		}
		o := cfg.Accounts[0].OAuth
		if o.AuthURL != tt.auth || o.TokenURL != tt.token || o.DeviceURL != tt.device || o.RedirectURL != tt.redirect || len(o.Scopes) != len(tt.scopes) || o.Scopes[0] != tt.scopes[0] {
			t.Errorf("%s: %+v", tt.keys, o)
		}
	}
	// Without these Google gives no refresh token.
	cfg, err := load(t, head+"oauth2 = { provider = 'google', client_id = 'c' }\n")
	if err != nil {
		t.Fatal(err)
	}
	o := cfg.Accounts[0].OAuth
	u, err := url.Parse((&oauth2.Config{Endpoint: oauth2.Endpoint{AuthURL: o.AuthURL}}).AuthCodeURL("s", o.AuthParams...))
	if err != nil || u.Query().Get("access_type") != "offline" || u.Query().Get("prompt") != "consent" {
		t.Errorf("%v %v", u, err)
	}
}

// An account's own password replaces an inherited table, and the other way round.
func TestOAuthInherited(t *testing.T) {
	cfg, err := load(t, "[defaults.oauth2]\nprovider = 'google'\nclient_id = 'c'\n"+head+"password = 'x'\n[accounts.b]\nserver='h'\nuser='u'\ndeliver={maildir='/x'}\n[accounts.c]\nserver='h'\nuser='u'\ndeliver={maildir='/x'}\n")
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := cfg.Accounts[0], cfg.Accounts[1], cfg.Accounts[2]
	if a.OAuth != nil || a.Secret.Kind != "password" || b.OAuth == nil || b.Secret.Kind != "oauth2" || b.OAuth.file == c.OAuth.file {
		t.Errorf("%+v %+v", a.Secret, b.OAuth)
	}
	if cfg, err = load(t, "[defaults]\npassword = 'x'\n"+head+"oauth2 = { provider = 'google', client_id = 'c' }\n"); err != nil || cfg.Accounts[0].Secret.Kind != "oauth2" {
		t.Errorf("%v", err)
	}
}
