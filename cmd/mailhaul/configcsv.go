package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// accounts_from makes accounts of a CSV file (RFC 4180): one a row, its columns named by the first.
// A column that is named like a key is that key of the account; the other keys of the table are a
// template for all of them, in whose strings {COLUMN} stands for the row's.

// manyProblems is how many are told of a CSV file: a mistake in the template is one in each row.
const manyProblems = 20

// byteOrderMark is what spreadsheets put in front of UTF-8.
const byteOrderMark = "\ufeff"

// csvKeys are the keys of [accounts_from] beside those of an account.
var csvKeys = []string{"file", "name"}

// csvTable is what [accounts_from] says.
type csvTable struct {
	file     string
	name     string         // template of the account's name, "" for the column name or user
	template map[string]any // keys of an account
}

// accountsFrom reads [accounts_from] and the file that it names.
func (l *loader) accountsFrom(cfg *Config, f *configFile, defaults map[string]any, needsSecret func(string) bool) *configFile {
	at := toml.Key{"accounts_from"}
	v, ok := f.table[at[0]]
	if !ok {
		return nil
	}
	table, ok := v.(map[string]any)
	if !ok {
		l.report(f, at, `want a table like { file = "accounts.csv", deliver = { maildir = "/srv/mail/{user}" } }`)
		return nil
	}
	t := csvTable{template: map[string]any{}}
	before := len(l.problems)
	for name, v := range table {
		var err error
		switch name {
		case "file":
			t.file, err = asPath(v, filepath.Dir(f.path))
		case "name":
			t.name, err = asText(v)
		default:
			t.template[name] = v
		}
		if err != nil {
			l.report(f, append(at, name), "%v", err)
		}
	}
	b := l.builder(f, at, t.template)
	b.also = csvKeys
	b.names()
	b.oneSecret()
	if t.file == "" && len(l.problems) == before {
		l.report(f, at, "file is missing: the CSV file with the accounts")
	}
	if len(l.problems) > before {
		return nil
	}
	return l.rows(cfg, f, t, defaults, needsSecret)
}

// rows makes an account of each row. The configFile is that of the CSV file, for its problems.
func (l *loader) rows(cfg *Config, f *configFile, t csvTable, defaults map[string]any, needsSecret func(string) bool) *configFile {
	rows := &configFile{path: t.file, lines: map[string]int{}}
	file, err := os.Open(t.file)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		l.report(rows, nil, "cannot be read: %v", err)
		return rows
	}
	defer file.Close()
	text := bufio.NewReader(file)
	if mark, err := text.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		_, _ = text.Discard(len(mark)) // before the reader sees it: a name in quotes may follow
	}
	r := csv.NewReader(text)
	r.ReuseRecord = true
	header, ok := l.header(rows, r, t)
	if !ok || !l.privateRows(rows, file, header, t) {
		return rows
	}
	before := len(l.problems)
	for len(l.problems)-before < manyProblems {
		record, err := r.Read()
		if err == io.EOF {
			return rows
		}
		if err != nil {
			l.problems = append(l.problems, csvProblem(t.file, err))
			return rows
		}
		line, _ := r.FieldPos(0)
		l.row(cfg, rows, row{header: header, cells: record, line: line, dir: filepath.Dir(f.path)}, t, defaults, needsSecret)
	}
	l.report(rows, nil, "there may be more; these come first")
	return rows
}

// header reads and checks the names of the columns: each is a key, or stands in the template.
func (l *loader) header(rows *configFile, r *csv.Reader, t csvTable) ([]string, bool) {
	record, err := r.Read()
	if err == io.EOF {
		l.report(rows, nil, "is empty: the first row names the columns")
		return nil, false
	}
	if err != nil {
		l.problems = append(l.problems, csvProblem(rows.path, err))
		return nil, false
	}
	header := slices.Clone(record)
	used := placeholders(t.name)
	walk(t.template, func(s string) { used = append(used, placeholders(s)...) })
	keys := append(keyNames(), "name", "maildir", "mbox")
	known := func(name string) bool {
		return slices.Contains(keys, name) || slices.Contains(used, name) || name == "email" || name == "local" || name == "domain"
	}
	separators := len(header) == 1 && strings.ContainsAny(header[0], ";\t")
	if !separators && !slices.ContainsFunc(header, known) {
		// An account's row, perhaps: what stands in it may be a password.
		l.report(rows, nil, "the first row names the columns, such as user,password: nothing in it is a key, or is in a template")
		return nil, false
	}
	good := true
	for i, name := range header {
		why := ""
		switch {
		case name == "":
			why = fmt.Sprintf("column %d has no name", i+1)
		case slices.Contains(header[:i], name):
			why = fmt.Sprintf("column %q stands twice", name)
		case known(name):
		case separators:
			why = "columns are separated by commas"
		default:
			why = fmt.Sprintf("column %q is no key, and no template has {%s}", name, name)
			if near := nearest(name, keys); near != "" {
				why += fmt.Sprintf("; did you mean %q?", near)
			}
		}
		if why != "" {
			l.problems = append(l.problems, Problem{File: rows.path, Line: 1, Text: why})
			good = false
		}
	}
	return header, good
}

// privateRows refuses a file with secrets in it that others can read.
func (l *loader) privateRows(rows *configFile, file *os.File, header []string, t csvTable) bool {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 {
		return true
	}
	for _, column := range header {
		at := slices.IndexFunc(accountKeys, func(k configKey) bool { return k.name == column })
		of := ""
		if at < 0 {
			if of = secretOf(t.template, column); of == "" {
				continue
			}
			of = ", which " + of + " is made of,"
		} else if accountKeys[at].plain == nil {
			continue
		}
		l.problems = append(l.problems, Problem{File: rows.path, Line: 1, Text: fmt.Sprintf(
			"the file has a column %s%s and is open to others (mode %04o); chmod 600 it", column, of, info.Mode().Perm())})
		return false
	}
	return true
}

// A row is one account to be.
type row struct {
	header, cells []string
	line          int
	dir           string // of the configuration: what relative paths are relative to
}

// cell gives what {name} stands for.
func (r row) cell(name string) (string, bool) {
	if i := slices.Index(r.header, name); i >= 0 {
		return r.cells[i], true
	}
	if name != "local" && name != "domain" {
		return "", false
	}
	for _, column := range []string{"email", "user"} {
		whole, _ := r.cell(column)
		if at := strings.LastIndexByte(whole, '@'); at >= 0 && name == "local" {
			return whole[:at], true
		} else if at >= 0 {
			return whole[at+1:], true
		}
	}
	return "", false
}

// row makes the account of one row.
func (l *loader) row(cfg *Config, rows *configFile, r row, t csvTable, defaults map[string]any, needsSecret func(string) bool) {
	complain := func(format string, args ...any) {
		l.problems = append(l.problems, Problem{File: rows.path, Line: r.line, Text: fmt.Sprintf(format, args...)})
	}
	if t.name == "" {
		t.name = "{user}"
		if slices.Contains(r.header, "name") {
			t.name = "{name}"
		}
	}
	name, err := r.fill(t.name, false)
	if err != nil {
		complain("the account's name: %v", err)
		return
	}
	if why := badAccountName(name); why != "" {
		complain("%s", why)
		return
	}
	if other := l.named[name]; other != nil {
		complain("account %q is also in %s, line %d", name, other.file, other.line)
		return
	}
	own, err := r.fillAll(t.template, false)
	if err != nil {
		complain("%v", err)
		return
	}
	keys := own.(map[string]any)
	for i, column := range r.header {
		r.set(keys, t.template, column, r.cells[i])
	}
	at := toml.Key{"accounts", name}
	rows.lines[joinKey(at)] = r.line
	b := l.builder(rows, at, keys)
	b.inherited, b.dir, b.base = defaults, r.dir, r.dir
	l.add(cfg, b.account(needsSecret))
}

// set makes a cell the key that its column is named like. An empty cell says nothing, and the
// template's word for the key comes first: it may be made of the cell.
func (r row) set(keys, template map[string]any, column, cell string) {
	if cell == "" {
		return
	}
	if column == "maildir" || column == "mbox" {
		if _, ok := template["deliver"]; !ok {
			keys["deliver"] = map[string]any{column: cell}
		}
		return
	}
	at := slices.IndexFunc(accountKeys, func(k configKey) bool { return k.name == column })
	if _, ok := template[column]; ok || at < 0 {
		return
	}
	keys[column] = cell
	if accountKeys[at].set(new(Account), cell, r.dir) == nil {
		return
	}
	// A cell has no type: what is wrong as a string may be right as what it looks like.
	if b, err := strconv.ParseBool(cell); err == nil && (cell == "true" || cell == "false") {
		keys[column] = b
	} else if n, err := strconv.ParseInt(cell, 10, 64); err == nil {
		keys[column] = n
	}
}

// csvProblem tells where a CSV file is broken, and nothing of what stands there.
func csvProblem(path string, err error) Problem {
	var pe *csv.ParseError
	if !errors.As(err, &pe) {
		return Problem{File: path, Text: fmt.Sprintf("cannot be read: %v", err)}
	}
	text := pe.Err.Error()
	if errors.Is(pe.Err, csv.ErrFieldCount) {
		text = "has more or fewer columns than the first row"
	}
	return Problem{File: path, Line: pe.Line, Text: text}
}
