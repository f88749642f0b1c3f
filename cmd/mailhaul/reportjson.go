package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"mailhaul/fetch"
)

// A jsonLine is one object of --json, its fields in the order of the manual. Fields are only ever
// added to the format; "v" says which one it is.
type jsonLine struct{ buf []byte }

func newJSONLine(typ string, t time.Time) *jsonLine {
	l := &jsonLine{buf: []byte(`{"v":1`)}
	l.text("type", typ)
	l.moment("time", t)
	return l
}

func (l *jsonLine) moment(name string, t time.Time) {
	l.text(name, t.UTC().Format("2006-01-02T15:04:05.000Z"))
}

func (l *jsonLine) name(name string) { l.buf = append(l.buf, `,"`+name+`":`...) }

// text adds a string that is not empty. Octets that are no UTF-8 cannot stand in JSON: they are
// replaced there, and NAME_base64 has the whole as it is.
func (l *jsonLine) text(name, s string) {
	if s == "" {
		return
	}
	l.name(name)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(strings.ToValidUTF8(s, "\ufffd")) // a string can always be encoded
	l.buf = append(l.buf, bytes.TrimRight(b.Bytes(), "\n")...)
	if !utf8.ValidString(s) {
		l.text(name+"_base64", base64.StdEncoding.EncodeToString([]byte(s)))
	}
}

func (l *jsonLine) number(name string, n int64) {
	l.name(name)
	l.buf = strconv.AppendInt(l.buf, n, 10)
}

// seconds adds a number of them, with three decimal places.
func (l *jsonLine) seconds(name string, d time.Duration) {
	l.name(name)
	l.buf = strconv.AppendFloat(l.buf, d.Round(time.Millisecond).Seconds(), 'f', 3, 64)
}

// flag adds a field that stands only where it is true.
func (l *jsonLine) flag(name string, b bool) {
	if b {
		l.name(name)
		l.buf = append(l.buf, "true"...)
	}
}

func (l *jsonLine) String() string { return string(l.buf) + "}" }

func (r *report) jsonEvent(e fetch.Event) {
	l := newJSONLine(string(e.Type), e.Time)
	l.text("account", e.Account)
	if e.Type == fetch.Account {
		l.number("messages", int64(e.Messages))
		if e.Octets >= 0 {
			l.number("octets", e.Octets)
		}
		l.number("retrieve", int64(e.Retrieve))
		l.text("destination", e.Destination)
		l.flag("first", e.First)
		l.flag("planned", r.dryRun)
		r.write(r.out, l.String())
		return
	}
	if e.Num > 0 {
		l.number("num", int64(e.Num))
	}
	l.text("uid", e.UID)
	if e.Num > 0 || e.UID != "" {
		l.number("size", e.Size)
	}
	l.text("destination", e.Destination)
	if e.Type == fetch.Failed {
		l.text("reason", failureText(e))
	} else {
		l.text("reason", e.Reason)
	}
	if e.Attempts > 0 {
		l.number("attempts", int64(e.Attempts))
	}
	if !e.Next.IsZero() {
		l.moment("next", e.Next)
	}
	l.flag("planned", e.Planned)
	l.flag("in_doubt", e.InDoubt)
	l.flag("warning", e.Warning)
	l.flag("repeated", e.Repeated)
	r.write(r.out, l.String())
}

// jsonError is an error event about an account, or about none.
func (r *report) jsonError(account, text string, err error, a *Account) {
	l := newJSONLine("error", time.Now())
	l.text("account", account)
	if of, ok := errors.AsType[*legError](err); ok {
		l.text("destination", of.destination)
	}
	l.text("reason", text)
	l.number("status", int64(exitStatus(err)))
	l.text("hint", strings.Join(r.cures.hints(err, a), "; "))
	r.write(r.out, l.String())
}

func (l *jsonLine) summary(sum fetch.Summary, status int) {
	l.number("messages", int64(sum.Messages))
	l.number("delivered", int64(sum.Delivered))
	l.number("octets", sum.Octets)
	l.number("deleted", int64(sum.Deleted))
	l.number("skipped", int64(sum.Skipped))
	l.number("quarantined", int64(sum.Quarantined))
	l.number("left", int64(sum.Left))
	l.number("status", int64(status))
}

// jsonSummary ends one account.
func (r *report) jsonSummary(account string, sum fetch.Summary, status int, took time.Duration) {
	l := newJSONLine("summary", time.Now())
	l.text("account", account)
	l.summary(sum, status)
	l.flag("planned", r.dryRun)
	l.seconds("seconds", took)
	r.write(r.out, l.String())
}

// list adds an array of texts. Octets that are no UTF-8 are escaped in it.
func (l *jsonLine) list(name string, texts []string) {
	shown := make([]string, len(texts))
	for i, s := range texts {
		if shown[i] = s; !utf8.ValidString(s) {
			shown[i] = visible(s)
		}
	}
	b, _ := json.Marshal(shown) // strings can always be encoded
	l.name(name)
	l.buf = append(l.buf, b...)
}

// accountsTotal is the last line of --json of a command that goes through accounts and moves no mail.
func (r *report) accountsTotal(accounts, failed, status int) {
	if !r.json {
		return
	}
	l := newJSONLine("summary", time.Now())
	l.number("accounts", int64(accounts))
	l.number("failed", int64(failed))
	l.number("status", int64(status))
	r.write(r.out, l.String())
}
