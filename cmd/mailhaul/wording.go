package main

import (
	"fmt"
	"strings"

	"mailhaul/deliver"
	"mailhaul/fetch"
)

// which names a message for a person.
func which(e fetch.Event) string {
	s := "message"
	if e.Num > 0 {
		s += fmt.Sprintf(" %d", e.Num)
	}
	if e.UID != "" {
		s += fmt.Sprintf(" (unique-id %s)", visible(e.UID))
	}
	if e.Size > 0 {
		s += ", " + sizeText(e.Size)
	}
	return s
}

// whose puts the destination that an event is about in front of a text that does not name it: that of one
// of several, or the quarantine.
func whose(e fetch.Event, text string) string {
	if e.Destination == "" || strings.Contains(text, e.Destination) || is[*deliver.Error](e.Err) {
		return text
	}
	return visible(e.Destination) + ": " + text
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func messages(n int) string { return counted(n, "message") }

// sizeText gives a size in the units of the configuration.
func sizeText(n int64) string {
	switch f := float64(n); {
	case n == 1:
		return "1 byte"
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case f < 999_950:
		return fmt.Sprintf("%.1f kB", f/1e3)
	case f < 999_950_000:
		return fmt.Sprintf("%.1f MB", f/1e6)
	default:
		return fmt.Sprintf("%.1f GB", f/1e9)
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
