package state

import "time"

// parseMoment reads a time in RFC 3339 form, of a year that can be written again in UTC.
func parseMoment(b []byte) (seconds int64, ok bool) {
	if seconds, ok = parseOwnMoment(b); ok {
		return seconds, true
	}
	t, err := time.Parse(time.RFC3339, string(b))
	if year := t.UTC().Year(); err != nil || year < 1 || year > 9999 {
		return 0, false
	}
	return t.Unix(), true
}

// parseOwnMoment reads a time as we write it, 2006-01-02T15:04:05Z, which time.Parse does at a tenth
// of the speed.
func parseOwnMoment(b []byte) (seconds int64, ok bool) {
	if len(b) != 20 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[19] != 'Z' {
		return 0, false
	}
	var v [6]int
	for i, at := range [...]struct{ from, to int }{{0, 4}, {5, 7}, {8, 10}, {11, 13}, {14, 16}, {17, 19}} {
		n, ok := parseNumber(b[at.from:at.to])
		if !ok {
			return 0, false
		}
		v[i] = int(n)
	}
	if v[0] < 1 || v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 28 || v[3] > 23 || v[4] > 59 || v[5] > 59 {
		return 0, false // the last days of a month too: time.Parse knows how many there are
	}
	return time.Date(v[0], time.Month(v[1]), v[2], v[3], v[4], v[5], 0, time.UTC).Unix(), true
}
