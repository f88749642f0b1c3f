package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a TOML value becomes. No error quotes the value.

func typeName(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "a whole number"
	case float64:
		return "a decimal number"
	case bool:
		return "true or false"
	case time.Time:
		return "a date"
	case []any:
		return "an array"
	case map[string]any, []map[string]any:
		return "a table"
	}
	return "something else"
}

func asText(v any) (string, error) {
	s, ok := v.(string)
	switch {
	case !ok:
		return "", fmt.Errorf(`want a string in "quotes", not %s`, typeName(v))
	case s == "":
		return "", errors.New("is empty")
	}
	return s, nil
}

// asLine gives a string that may stand on a command line of the protocol: CR, LF and NUL would
// be a second command (RFC 1939, section 3).
func asLine(v any) (string, error) {
	s, err := asText(v)
	if err == nil && strings.ContainsAny(s, "\r\n\x00") {
		return "", errors.New("has a line break or a NUL in it")
	}
	return s, err
}

func asBool(v any) (bool, error) {
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("want true or false without quotes, not %s", typeName(v))
	}
	return b, nil
}

func asTexts(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf(`want an array of strings, ["a", "b"], not %s`, typeName(v))
	}
	if len(list) == 0 {
		return nil, errors.New("is empty")
	}
	texts := make([]string, len(list))
	for i, item := range list {
		s, ok := item.(string)
		if !ok {
			return nil, fmt.Errorf(`want an array of strings, ["a", "b"]; element %d is %s`, i+1, typeName(item))
		}
		texts[i] = s
	}
	return texts, nil
}

// asCommand gives an argument list. Its program is a path if it has a slash in it; the arguments
// stay as they are.
func asCommand(v any, dir string) ([]string, error) {
	argv, err := asTexts(v)
	if err != nil {
		if _, ok := v.(string); ok {
			return nil, errors.New(`want an array, ["program", "argument"]: no shell takes a string apart`)
		}
		return nil, err
	}
	if slices.ContainsFunc(argv, func(s string) bool { return strings.Contains(s, "\x00") }) {
		return nil, errors.New("has a NUL in it")
	}
	if argv[0] == "" {
		return nil, errors.New("its program is empty")
	}
	if strings.Contains(argv[0], "/") {
		argv[0], err = expandPath(argv[0], dir)
	}
	return argv, err
}

var sizeUnits = map[string]float64{
	"": 1, "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}

// asSize reads octets: 500000, "50MB", "1.5GiB".
func asSize(v any) (int64, error) {
	const how = `want a size, like 500000 (bytes), "50MB" or "50MiB" (kB, MB, GB; KiB, MiB, GiB)`
	switch v := v.(type) {
	case int64:
		if v < 1 {
			return 0, errors.New("want more than nothing")
		}
		return v, nil
	case string:
		digits := strings.TrimRight(v, "BGKMbgikm")
		unit, ok := sizeUnits[v[len(digits):]]
		digits = strings.TrimRight(digits, " ")
		f, err := strconv.ParseFloat(digits, 64)
		if !ok || err != nil || strings.Trim(digits, "0123456789.") != "" || f*unit > 1<<62 {
			return 0, errors.New(how)
		}
		if f*unit < 1 {
			return 0, errors.New("want more than nothing")
		}
		return int64(f * unit), nil
	}
	return 0, fmt.Errorf("%s, not %s", how, typeName(v))
}

func setPassword(a *Account, v any, _ string) error {
	s, ok := v.(string)
	switch {
	case !ok:
		return fmt.Errorf(`want a string in "quotes", not %s`, typeName(v))
	case s == "":
		return errors.New("is empty")
	case strings.ContainsAny(s, "\r\n\x00"):
		return errors.New("has a line break or a NUL in it")
	}
	a.Secret = SecretSource{Kind: "password", Value: NewSecret(s)}
	return nil
}

func setCommand(s *SecretSource, v any, dir string) (err error) {
	s.Argv, err = asCommand(v, dir)
	return err
}

func setPathName(s *SecretSource, v any, dir string) (err error) {
	s.Name, err = asPath(v, dir)
	return err
}

func setVariable(s *SecretSource, v any, _ string) (err error) {
	s.Name, err = asText(v)
	switch {
	case err != nil:
	case strings.HasPrefix(s.Name, "$"):
		err = errors.New("want the variable's name alone, without $")
	case strings.ContainsAny(s.Name, "=\x00"):
		err = errors.New("is no name of a variable")
	}
	return err
}

func setCredential(s *SecretSource, v any, _ string) (err error) {
	s.Name, err = asText(v)
	if err == nil && (strings.ContainsAny(s.Name, "/\x00") || s.Name == "." || s.Name == "..") {
		err = errors.New("want the name of a credential, not a path")
	}
	return err
}

func setNetrc(a *Account, v any, _ string) error {
	b, err := asBool(v)
	if b {
		a.Secret = SecretSource{Kind: "netrc"}
	}
	return err
}

// setPins reads pins as curl writes them: sha256// and the base64 of the SHA-256 of the public
// key (SubjectPublicKeyInfo).
func setPins(a *Account, v any, _ string) error {
	pins, err := asTexts(v)
	if err != nil {
		return err
	}
	for _, pin := range pins {
		sum, ok := strings.CutPrefix(pin, "sha256//")
		raw, err := base64.StdEncoding.DecodeString(sum)
		if !ok || err != nil || len(raw) != 32 {
			return errors.New(`want "sha256//" and the base64 of a SHA-256 (44 characters)`)
		}
	}
	a.TLSPin = pins
	return nil
}
