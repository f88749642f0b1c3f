package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// asDuration reads Go's durations, and days: "90s", "1h30m", "30d", "1d12h".
func asDuration(v any) (time.Duration, error) {
	const how = `want a duration with its unit, like "60s", "5m", "12h" or "30d"`
	s, ok := v.(string)
	if !ok {
		if _, number := v.(int64); number {
			return 0, errors.New(how + ", not a bare number")
		}
		return 0, fmt.Errorf("%s, not %s", how, typeName(v))
	}
	return parseDuration(s, how)
}

// longest is a hundred years: what is printed in days must read back, and the sum of days and hours fit.
const longest = 36500 * 24 * time.Hour

func parseDuration(s, how string) (time.Duration, error) {
	var days time.Duration
	rest := s
	if number, after, ok := strings.Cut(s, "d"); ok {
		f, err := strconv.ParseFloat(number, 64)
		if err != nil || math.IsNaN(f) || f < 0 || f > 36500 || strings.ContainsAny(number, "eExXpPn_+iI") {
			return 0, errors.New(how)
		}
		days, rest = time.Duration(f*float64(24*time.Hour)), after
	}
	d := days
	if rest != "" || s == "" {
		more, err := time.ParseDuration(rest)
		if err != nil || more < 0 || more > longest || strings.ContainsAny(rest, "+") {
			return 0, errors.New(how)
		}
		d += more
	}
	if d > longest {
		return 0, errors.New(how)
	}
	if d <= 0 {
		return 0, errors.New("want more than nothing")
	}
	return d, nil
}

// durationText gives a duration in the form of the configuration: "30d", "1d12h", "5m".
func durationText(d time.Duration) string {
	const day = 24 * time.Hour
	text := ""
	if d >= day {
		text, d = fmt.Sprintf("%dd", d/day), d%day
	}
	if d > 0 || text == "" {
		text += d.String()
	}
	if s, ok := strings.CutSuffix(text, "m0s"); ok {
		text = s + "m"
	}
	if s, ok := strings.CutSuffix(text, "h0m"); ok {
		text = s + "h"
	}
	return text
}

// durationFlag reads an option's duration in the form of the configuration.
func durationFlag(c *cli.Context, name string) (time.Duration, error) {
	if !c.IsSet(name) {
		return 0, nil
	}
	d, err := parseDuration(c.String(name), `want a duration with its unit, like "60s", "5m" or "12h"`)
	if err != nil {
		return 0, usagef("option --%s: %v", name, err)
	}
	return d, nil
}
