package state

// A record is the meaning of a line of an entry.
type record struct {
	slot    slot
	copy    int // 0: not said
	hasTime bool
	uid     []byte
	buf     []byte
}

// entry reads the fields of a line that begins with uid=. Every known field must be right and
// stand there once; unknown ones are kept.
func (r *record) entry(fields []field) bool {
	r.slot = slot{time: never, next: -1}
	r.copy, r.hasTime = 0, false
	m := more{absent: never, reported: never, next: never}
	var head, body []byte
	var seen uint
	var ok bool
	for i := range fields {
		f := &fields[i]
		var bit uint
		ok = true
		switch string(f.key) {
		case "uid":
			bit = 1
			r.uid, ok = appendUnescaped(r.uid[:0], f.value)
		case "status":
			bit = 2
			r.slot.status = codeOf(f.value)
			ok = r.slot.status != statusNone
		case "time":
			bit = 4
			r.slot.time, ok = parseMoment(f.value)
			r.hasTime = true
		case "size":
			bit = 8
			r.slot.size, ok = parseNumber(f.value)
		case "head":
			bit, head = 16, f.value
		case "body":
			bit, body = 32, f.value
		case "copy":
			bit = 64
			m.copy, ok = parseCount(f.value)
			r.copy = m.copy
		case "absent":
			bit = 128
			m.absent, ok = parseMoment(f.value)
		case "attempts":
			bit = 256
			m.attempts, ok = parseCount(f.value)
		case "reason":
			bit = 512
			m.reason, ok = unescaped(f.value)
		case "reported":
			bit = 1024
			m.reported, ok = parseMoment(f.value)
		case "next":
			bit = 2048
			m.next, ok = parseMoment(f.value)
		case "refused":
			bit = 4096
			m.refused, ok = parseCount(f.value)
		case "quarantine":
			bit = 8192
			m.aside, ok = unescaped(f.value)
		case "n", "crc":
			ok = false // not where they belong
		default:
			field := string(f.key) + "=" + string(f.value)
			ok = validRest(field)
			m.rest = append(m.rest, field)
		}
		if !ok || seen&bit != 0 {
			return false
		}
		seen |= bit
	}
	if r.slot.status == statusNone {
		return false
	}
	var err error
	if r.buf, err = r.slot.setText(r.buf, r.uid, head, body); err != nil {
		return false
	}
	r.slot.setMore(m)
	return true
}

// parseCount reads a number of at least 1.
func parseCount(b []byte) (int, bool) {
	v, ok := parseNumber(b)
	return int(v), ok && v > 0 && v < 1<<31
}

func unescaped(b []byte) (string, bool) {
	u, ok := appendUnescaped(nil, b)
	return string(u), ok
}

// identity reads "KEY=1 host=… user=…". Unknown fields are ignored: a newer minor form of the
// format may have some, a newer form that older programs must not touch has another number.
func identity(fields []field) (id Identity, ok bool) {
	values, ok := only(fields, "host", "user")
	return Identity{Host: values[0], User: values[1]}, ok
}

// only returns the values of at most three fields, each of which must stand there once.
func only(fields []field, names ...string) (values [3]string, ok bool) {
	var found [3]bool
	for _, f := range fields[1:] {
		for i, name := range names {
			if string(f.key) != name {
				continue
			}
			v, ok := unescaped(f.value)
			if !ok || found[i] {
				return values, false
			}
			values[i], found[i] = v, true
		}
	}
	for i := range names {
		if !found[i] {
			return values, false
		}
	}
	return values, true
}

// begin reads "begin=NONCE time=… hint=… next=…".
func begin(fields []field) (b Begin, ok bool) {
	values, ok := only(fields, "time", "hint", "next")
	if !ok {
		return b, false
	}
	seconds, ok := parseMoment([]byte(values[0]))
	if !ok {
		return b, false
	}
	b = Begin{Hint: values[1], Next: values[2], Time: utc(seconds)}
	b.Nonce, ok = unescaped(fields[0].value)
	return b, ok && b.Nonce != ""
}

// noteOf reads "note=NAME value=… time=…".
func noteOf(fields []field) (name string, n note, ok bool) {
	values, ok := only(fields, "value")
	if !ok {
		return "", n, false
	}
	n = note{values[0], never}
	if values, ok := only(fields, "time"); ok {
		if n.time, ok = parseMoment([]byte(values[0])); !ok {
			return "", n, false
		}
	}
	name, ok = unescaped(fields[0].value)
	return name, n, ok && name != ""
}
