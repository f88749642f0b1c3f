package main

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	netmail "net/mail"
	"strings"
	"time"

	"golang.org/x/text/encoding/htmlindex"
)

// A header is what a listing shows of a message: text for people, decoded as far as it can be,
// still with whatever its sender put there. It is to be escaped like anything from outside.
type header struct {
	from    string
	subject string
	date    time.Time // zero if there is none that can be understood
}

// maxHeader bounds what is kept of a header. What is behind it is read and dropped.
const maxHeader = 256 << 10

// maxField bounds a field, for what takes it apart was not made for hostile lengths.
const maxField = 4 << 10

// readHeader reads the text to its end, which is the header of a message (TOP n 0) or, from
// servers that do not count, more than that. An error is one of the reader.
func readHeader(text io.Reader) (header, error) {
	buf, err := io.ReadAll(io.LimitReader(text, maxHeader))
	if err == nil {
		_, err = io.Copy(io.Discard, text)
	}
	if err != nil {
		return header{}, err
	}
	return parseHeader(buf), nil
}

// parseHeader finds the first field of each name. What is no field is passed over: a listing
// takes what it can get.
func parseHeader(text []byte) header {
	fields := map[string]string{"from": "", "subject": "", "date": ""}
	name := ""
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxHeader+1)
	for lines.Scan() {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" {
			break
		}
		if line[0] == ' ' || line[0] == '\t' { // folded (RFC 5322, section 2.2.3)
			if name != "" && len(fields[name]) < maxField {
				fields[name] += " " + strings.TrimLeft(line, " \t")
			}
			continue
		}
		field, value, ok := strings.Cut(line, ":")
		name = strings.ToLower(strings.TrimRight(field, " \t"))
		if had, wanted := fields[name]; !ok || !wanted || had != "" {
			name = ""
			continue
		}
		fields[name] = strings.TrimSpace(value)
	}
	for name, value := range fields {
		fields[name] = value[:min(len(value), maxField)]
	}
	return header{from: decodeFrom(fields["from"]), subject: decodeWords(fields["subject"]), date: parseDate(fields["date"])}
}

// words decodes encoded words (RFC 2047). A character set that nobody knows costs the letters that
// are not ASCII, not the field.
var words = mime.WordDecoder{CharsetReader: func(charset string, text io.Reader) (io.Reader, error) {
	if enc, err := htmlindex.Get(charset); err == nil {
		return enc.NewDecoder().Reader(text), nil
	}
	b, err := io.ReadAll(text)
	b = bytes.Map(func(r rune) rune {
		if r >= 0x80 {
			return '\ufffd'
		}
		return r
	}, b)
	return bytes.NewReader(b), err
}}

// decodeWords gives the text of an unstructured field, on one line.
func decodeWords(s string) string {
	if text, err := words.DecodeHeader(s); err == nil {
		s = text
	}
	return strings.Join(strings.Fields(s), " ")
}

// decodeFrom gives the addresses of a field with their names decoded; if they cannot be taken
// apart, the field as text.
func decodeFrom(s string) string {
	p := netmail.AddressParser{WordDecoder: &words}
	list, err := p.ParseList(s)
	if err != nil {
		return decodeWords(s)
	}
	var all []string
	for _, a := range list {
		text := a.Address
		if a.Name != "" {
			text = a.Name + " <" + a.Address + ">"
		}
		all = append(all, strings.Join(strings.Fields(text), " "))
	}
	return strings.Join(all, ", ")
}

// parseDate understands RFC 5322 with its obsolete forms, and RFC 3339.
func parseDate(s string) time.Time {
	s = strings.Join(strings.Fields(s), " ")
	if t, err := netmail.ParseDate(s); err == nil {
		return t
	}
	t, _ := time.Parse(time.RFC3339, s)
	return t
}
