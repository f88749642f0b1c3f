package main

import (
	"testing"
	"time"
)

// What is printed is in the form of the configuration, and reads back.
func TestDurationText(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		30 * day: "30d", day + 12*time.Hour: "1d12h", 5 * time.Minute: "5m", time.Hour: "1h", 90 * time.Minute: "1h30m",
		10 * time.Second: "10s", 20 * time.Minute: "20m", day + time.Second: "1d1s", 3*time.Hour + time.Second: "3h0m1s", 1500 * time.Millisecond: "1.5s",
	} {
		got := durationText(d)
		if got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
		if back, err := parseDuration(got, "how"); back != d || err != nil {
			t.Errorf("%s: %v, %v", got, back, err)
		}
	}
}
