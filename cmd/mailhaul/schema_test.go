package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A documented is what the manual says of one type of object: the names of its fields, and whether
// each is always there.
type documented map[string]bool

// schema reads the manual's table of types. The summary of an account is "summary", that of the run
// is "summary of the run".
func schema() (map[string]documented, error) {
	_, text, _ := strings.Cut(string(manualText), "\n.Sh JSON\n")
	text, _, _ = strings.Cut(text, "\n.Sh ")
	all := map[string]documented{}
	item := regexp.MustCompile(`(?m)^\.It Li (.+)\n((?:[^.].*\n|\.(?:Va|Li) .*\n)*?)Always there:\n\.Va (.+) \.\nAt times:\n\.Va (.+) \.$`)
	for _, m := range item.FindAllStringSubmatch(text, -1) {
		d := documented{"v": true, "type": true, "time": true}
		for i, always := range []bool{true, false} {
			for name := range strings.SplitSeq(m[3+i], " , ") {
				if _, ok := d[name]; ok {
					return nil, fmt.Errorf("%s has %s twice", m[1], name)
				}
				d[name] = always
			}
		}
		all[strings.TrimSuffix(strings.Replace(m[1], " No", "", 1), " of an account")] = d
	}
	return all, nil
}

// fits tells what is wrong with an object by the manual; "" is nothing.
func fits(all map[string]documented, object map[string]any) string {
	typ, _ := object["type"].(string)
	if _, ok := object["account"]; typ == "summary" && !ok {
		typ = "summary of the run"
	}
	d := all[typ]
	if d == nil {
		return fmt.Sprintf("the manual has no type %q", typ)
	}
	for name, always := range d {
		if _, ok := object[name]; always && !ok {
			return fmt.Sprintf("%s without %s", typ, name)
		}
	}
	for name, v := range object {
		if _, ok := d[strings.TrimSuffix(name, "_base64")]; !ok {
			return fmt.Sprintf("%s with %s", typ, name)
		}
		if why := fitsValue(name, v); why != "" {
			return why
		}
	}
	return ""
}

var (
	wholeFields = []string{"v", "num", "size", "attempts", "status", "messages", "octets", "retrieve", "accounts", "failed", "delivered", "deleted", "skipped", "quarantined", "left"}
	trueFields  = []string{"planned", "in_doubt", "warning", "repeated", "first"}
	timeFields  = []string{"time", "next"}
)

func fitsValue(name string, v any) string {
	ok := false
	switch v := v.(type) {
	case float64:
		ok = name == "seconds" || slices.Contains(wholeFields, name) && v == math.Trunc(v) && v >= 0
	case bool:
		ok = v && slices.Contains(trueFields, name)
	case string:
		ok = v != "" && name != "seconds" && !slices.Contains(wholeFields, name) && !slices.Contains(trueFields, name)
		if slices.Contains(timeFields, name) {
			t, err := time.Parse(time.RFC3339, v)
			ok = err == nil && t.Location() == time.UTC
		}
	}
	if !ok {
		return fmt.Sprintf("%s is %v", name, v)
	}
	return ""
}

// cmdSchema checks files with the JSON of runs against the manual: schema FILE...
func cmdSchema(ts *testscript.TestScript, neg bool, args []string) {
	all, err := schema()
	ts.Check(err)
	for _, file := range args {
		text := ts.ReadFile(file)
		if text == "" {
			ts.Fatalf("%s is empty", file)
		}
		for line := range strings.Lines(text) {
			var object map[string]any
			ts.Check(json.Unmarshal([]byte(line), &object))
			if why := fits(all, object); why != "" {
				ts.Fatalf("%s: %s", why, line)
			}
		}
	}
}

// TestSchema: every kind of object is as the manual says, each field of each kind included.
func TestSchema(t *testing.T) {
	all, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"account", "deleted", "error", "message", "skipped", "summary", "summary of the run"}
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, want) {
		t.Fatalf("the manual has %q", got)
	}
	for _, line := range everyJSONLine(t) {
		if why := fits(all, line); why != "" {
			t.Errorf("%s: %v", why, line)
		}
	}
	types := regexp.MustCompile(`(?s)\n\.Va (v , num , .*?)\nare whole numbers`).FindStringSubmatch(string(manualText))
	if types == nil {
		t.Fatal("the manual does not say what is a number")
	}
	compare(t, "whole number", sorted(slices.Clone(wholeFields)), sorted(regexp.MustCompile(`[a-z]{3,}|\bv\b`).FindAllString(strings.Replace(types[1], "and", "", 1), -1)))
	for _, wrong := range []map[string]any{
		{"v": 1.0, "type": "new", "time": "2025-03-04T04:06:07.089Z"},
		{"v": 1.0, "type": "error", "time": "2025-03-04T04:06:07.089Z"},
		{"v": 1.0, "type": "error", "time": "2025-03-04T04:06:07.089+01:00", "reason": "r"},
		{"v": 1.0, "type": "error", "time": "2025-03-04T04:06:07.089Z", "reason": ""},
		{"v": 1.0, "type": "error", "time": "2025-03-04T04:06:07.089Z", "reason": "r", "warning": false},
		{"v": 1.0, "type": "error", "time": "2025-03-04T04:06:07.089Z", "reason": "r", "size": 1.5},
		{"v": 1.0, "type": "error", "time": "2025-03-04T04:06:07.089Z", "reason": "r", "delivered": 1.0},
	} {
		if fits(all, wrong) == "" {
			t.Errorf("fits: %v", wrong)
		}
	}
}
