package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A template has {NAME} in it; {{ and }} are braces. No error quotes it: it may be a password.

// eachPart calls text for what stands between placeholders and field for their names.
func eachPart(template string, text, field func(string)) error {
	for rest := template; rest != ""; {
		at := strings.IndexAny(rest, "{}")
		if at < 0 {
			text(rest)
			return nil
		}
		text(rest[:at])
		brace := rest[at : at+1]
		rest = rest[at+1:]
		if strings.HasPrefix(rest, brace) {
			text(brace)
			rest = rest[1:]
			continue
		}
		name, after, ok := strings.Cut(rest, "}")
		if brace == "}" || !ok || name == "" || strings.Contains(name, "{") {
			return errors.New("want {COLUMN}; a brace itself is written twice")
		}
		field(name)
		rest = after
	}
	return nil
}

// placeholders gives the names that stand in a template.
func placeholders(template string) (names []string) {
	_ = eachPart(template, func(string) {}, func(name string) { names = append(names, name) }) // told of when it is filled
	return names
}

// walk calls f for each string in a TOML value.
func walk(v any, f func(string)) {
	switch v := v.(type) {
	case string:
		f(v)
	case []any:
		for _, item := range v {
			walk(item, f)
		}
	case []map[string]any:
		for _, item := range v {
			walk(item, f)
		}
	case map[string]any:
		for _, item := range v {
			walk(item, f)
		}
	}
}

// fill gives a template with the row's cells in it. In a path no cell may lead elsewhere than to a
// name in its directory.
func (r row) fill(template string, path bool) (string, error) {
	var b strings.Builder
	var bad error
	err := eachPart(template, func(s string) { b.WriteString(s) }, func(name string) {
		cell, ok := r.cell(name)
		switch {
		case bad != nil:
		case !ok && (name == "local" || name == "domain"):
			bad = fmt.Errorf("{%s} is taken from user, which has no @ in it", name)
		case !ok:
			bad = fmt.Errorf("there is no column %q", name)
			if near := nearestOf(name, r.header); near != "" {
				bad = fmt.Errorf("%w; did you mean %q?", bad, near)
			}
		case cell == "":
			bad = fmt.Errorf("{%s} is empty in this row", name)
		case path && (strings.ContainsAny(cell, "/$\x00") || cell == "." || cell == ".." || strings.HasPrefix(cell, "~")):
			bad = fmt.Errorf("what {%s} stands for cannot be part of a path: it has a /, a $ or a ~ in it, or leads upwards", name)
		}
		b.WriteString(cell)
	})
	if err == nil {
		err = bad
	}
	return b.String(), err
}

// secretOf gives the key of a template that holds a secret with {column} in it, "" if there is none.
func secretOf(v any, column string) string {
	var parts []any
	switch v := v.(type) {
	case []any:
		parts = v
	case []map[string]any:
		for _, item := range v {
			parts = append(parts, item)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if name != "password" && name != "client_secret" && !(name == "proxy" && holdsPassword(v[name])) {
				parts = append(parts, v[name])
			} else if s, ok := v[name].(string); ok && slices.Contains(placeholders(s), column) {
				return name
			}
		}
	}
	for _, item := range parts {
		if key := secretOf(item, column); key != "" {
			return key
		}
	}
	return ""
}

// pathKeys are the keys that have a path for their value, beside those that end in _file.
var pathKeys = []string{"maildir", "mbox", "quarantine", "tls_ca", "tls_cert", "tls_key"}

// fillAll fills all strings of a TOML value. Those with a slash in them are taken for paths.
func (r row) fillAll(v any, path bool) (any, error) {
	switch v := v.(type) {
	case string:
		return r.fill(v, path || strings.Contains(v, "/"))
	case []any:
		return fillEach(r, v, path)
	case []map[string]any: // as the decoder has [[…]]
		return fillEach(r, v, path)
	case map[string]any:
		filled := make(map[string]any, len(v))
		for name, item := range v {
			is := path || strings.HasSuffix(name, "_file") || slices.Contains(pathKeys, name)
			var err error
			if filled[name], err = r.fillAll(item, is); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		return filled, nil
	}
	return v, nil
}

func fillEach[T any](r row, items []T, path bool) ([]any, error) {
	filled := make([]any, len(items))
	for i, item := range items {
		var err error
		if filled[i], err = r.fillAll(item, path); err != nil {
			return nil, err
		}
	}
	return filled, nil
}
