package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// A table prints the rows of `list` in one of three forms: aligned for a terminal, with tabs, or as
// JSON.
type table struct {
	out     *bufio.Writer
	account string
	st      *state.File
	json    bool
	headers bool
	screen  int // columns of the terminal; 0 = none
	num     int // columns of the widest number
	uid     int // … and unique-id
	headed  bool
	refused int   // headers that the server refused
	why     error // the first of them
}

const (
	sizeColumns   = 9  // "999.9 MB", "999 bytes"
	statusColumns = 9  // "delivered"
	dateColumns   = 16 // "2006-01-02 15:04"
	fromColumns   = 24
	leastSubject  = 20
)

func (m *program) newTable(a *Account, d *maildrop, st *state.File, headers bool) *table {
	t := &table{out: stdout(), account: a.Name, st: st, json: m.report.json, headers: headers, num: len("num"), uid: len("unique-id")}
	if !t.json && isTerminal(os.Stdout) {
		t.screen = screenColumns(os.Stdout)
		for _, m := range d.mails {
			t.num = max(t.num, len(strconv.Itoa(m.num)))
			t.uid = max(t.uid, len(state.Escape(m.uid)))
		}
	}
	return t
}

// rows prints all messages.
func (t *table) rows(c *pop3.Client, d *maildrop) (err error) {
	if t.headers {
		t.refused, t.why, err = d.headers(c, d.mails, t.row)
		return err
	}
	for _, m := range d.mails {
		if err := t.row(m, header{}, false); err != nil {
			return err
		}
	}
	return nil
}

// row prints one message. known tells whether h is its header.
func (t *table) row(m mail, h header, known bool) error {
	var line string
	switch {
	case t.json:
		line = t.jsonRow(m, h, known)
	case t.screen > 0:
		line = t.screenRow(m, h, known)
	default:
		line = t.tabRow(m, h)
	}
	_, err := t.out.WriteString(line + "\n")
	if err == nil && t.screen > 0 && t.headers {
		err = t.out.Flush() // each as it comes: a person waits
	}
	return err
}

func (t *table) flush() error { return t.out.Flush() }

// tabRow: what is not known is empty, so that it cannot be taken for a value.
func (t *table) tabRow(m mail, h header) string {
	size := ""
	if m.size >= 0 {
		size = strconv.FormatInt(m.size, 10)
	}
	fields := []string{strconv.Itoa(m.num), size, statusOfMail(t.st, m), state.Escape(m.uid)}
	if t.headers {
		date := ""
		if !h.date.IsZero() {
			date = h.date.Format(time.RFC3339)
		}
		fields = append(fields, date, visible(h.from), visible(h.subject))
	}
	return strings.Join(fields, "\t")
}

func (t *table) screenRow(m mail, h header, known bool) string {
	heading := ""
	if !t.headed {
		t.headed = true
		heading = t.columns("num", "size", "status", "unique-id", "date", "from", "subject") + "\n"
	}
	size, uid := "-", "-"
	if m.size >= 0 {
		size = sizeText(m.size)
	}
	if m.uid != "" {
		uid = state.Escape(m.uid)
	}
	date, from, subject := "-", "-", "-"
	if known {
		if !h.date.IsZero() {
			date = h.date.Local().Format("2006-01-02 15:04")
		}
		from, subject = visible(h.from), visible(h.subject)
	}
	return heading + t.columns(strconv.Itoa(m.num), size, statusOfMail(t.st, m), uid, date, from, subject)
}

// columns puts one line together. The subject gets what is left of the screen; where that is too
// little, the terminal wraps.
func (t *table) columns(num, size, status, uid, date, from, subject string) string {
	line := fmt.Sprintf("%*s  %*s  %-*s  ", t.num, num, sizeColumns, size, statusColumns, status)
	if !t.headers {
		return line + uid
	}
	line += pad(uid, t.uid) + "  " + pad(date, dateColumns) + "  " + pad(fit(from, fromColumns), fromColumns) + "  "
	return strings.TrimRight(line+fit(subject, max(t.screen-len([]rune(line)), leastSubject)), " ")
}

func (t *table) jsonRow(m mail, h header, known bool) string {
	l := newJSONLine("listed", time.Now())
	l.text("account", t.account)
	l.number("num", int64(m.num))
	l.text("uid", m.uid)
	if m.size >= 0 {
		l.number("size", m.size)
	}
	l.text("known", statusOfMail(t.st, m))
	if known {
		if !h.date.IsZero() {
			l.text("date", h.date.Format(time.RFC3339))
		}
		l.text("from", h.from)
		l.text("subject", h.subject)
	}
	return l.String()
}
