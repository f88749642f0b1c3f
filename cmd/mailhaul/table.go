package main

import (
	"bufio"
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
	known   known
	json    bool
	headers bool
	cols    []column // on a terminal; nil elsewhere
	headed  bool
	date    string // form of the date
	from    int    // columns of the sender
	refused int    // headers that the server refused
	why     error  // the first of them
}

// Where a window has fewer columns, dates have no time of day and senders are cut.
const wideScreen = 110

func (m *program) newTable(a *Account, d *maildrop, k known, headers bool) *table {
	t := &table{out: stdout(), account: a.Name, known: k, json: m.report.json, headers: headers}
	if !t.json && isTerminal(os.Stdout) {
		t.cols = layout(t.columns(d, screenColumns(os.Stdout)), screenColumns(os.Stdout))
	}
	return t
}

// columns are those of the maildrop, each as wide as its widest text.
func (t *table) columns(d *maildrop, screen int) []column {
	num, size, status, uid := len("num"), len("size"), len("status"), len("unique-id")
	for _, m := range d.mails {
		texts := t.texts(m, header{}, false)
		num, size = max(num, len(texts["num"])), max(size, len(texts["size"]))
		status, uid = max(status, len(texts["status"])), max(uid, len(texts["unique-id"]))
	}
	cols := []column{
		{name: "num", width: num, right: true},
		{name: "size", width: size, right: true, leave: 2},
		{name: "status", width: status, leave: 3},
	}
	if !t.headers {
		return append(cols, column{name: "unique-id", width: uid, least: 12})
	}
	t.date, t.from = time.DateOnly, 16
	if screen >= wideScreen {
		t.date, t.from = "2006-01-02 15:04", 24
	}
	return append(cols,
		column{name: "unique-id", width: min(uid, 24), leave: 1},
		column{name: "date", width: len(t.date), leave: 4},
		column{name: "from", width: t.from, leave: 5},
		column{name: "subject", least: 16})
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
	case t.cols != nil:
		line = t.screenRow(m, h, known)
	default:
		line = t.tabRow(m, h)
	}
	_, err := t.out.WriteString(line + "\n")
	if err == nil && t.cols != nil && t.headers {
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
	fields := []string{strconv.Itoa(m.num), size, t.known.status(m), state.Escape(m.uid)}
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
		names := map[string]string{}
		for _, c := range t.cols {
			names[c.name] = c.name
		}
		heading = screenLine(t.cols, names) + "\n"
	}
	return heading + screenLine(t.cols, t.texts(m, h, known))
}

// texts gives what a terminal shows of a message, by the name of the column.
func (t *table) texts(m mail, h header, known bool) map[string]string {
	texts := map[string]string{"num": strconv.Itoa(m.num), "size": "-", "status": t.known.status(m), "unique-id": "-",
		"date": "-", "from": "-", "subject": "-"}
	if m.size >= 0 {
		texts["size"] = sizeText(m.size)
	}
	if m.uid != "" {
		texts["unique-id"] = state.Escape(m.uid)
	}
	if known {
		if !h.date.IsZero() {
			texts["date"] = h.date.Local().Format(t.date)
		}
		texts["from"], texts["subject"] = orDash(visible(h.from)), orDash(visible(h.subject))
	}
	return texts
}

// orDash shows a person that there is nothing.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (t *table) jsonRow(m mail, h header, known bool) string {
	l := newJSONLine("listed", time.Now())
	l.text("account", t.account)
	l.number("num", int64(m.num))
	l.text("uid", m.uid)
	if m.size >= 0 {
		l.number("size", m.size)
	}
	l.text("known", t.known.status(m))
	if known {
		if !h.date.IsZero() {
			l.text("date", h.date.Format(time.RFC3339))
		}
		l.text("from", h.from)
		l.text("subject", h.subject)
	}
	return l.String()
}
