package peer

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// columns is how wide comments are, in characters.
const columns = 88

// Print writes the accounts as TOML that mailhaul accepts, findings as comments beside them.
func (imp *Import) Print(w io.Writer) error {
	p := &printer{}
	p.comment("", fmt.Sprintf("mailhaul's configuration, made of %s's. Read what stands above each account, then try it: mailhaul check --config-only, mailhaul check, mailhaul fetch --dry-run.", imp.Program))
	if len(imp.Findings) > 0 {
		p.line("#")
		p.findings(imp.Findings, true)
	}
	told := map[string]bool{}
	for _, a := range imp.Accounts {
		p.line("")
		p.account(a)
		p.takeOver(imp.Program, a, told)
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

type printer struct{ b strings.Builder }

func (p *printer) line(s string) { p.b.WriteString(s + "\n") }

// comment writes text in lines that begin with "# ", those after the first indented.
func (p *printer) comment(indent, text string) {
	for paragraph := range strings.SplitSeq(text, "\n") {
		if command, ok := strings.CutPrefix(paragraph, "    "); ok { // to be copied as it is
			p.line("#     " + printable(command))
			continue
		}
		line := ""
		begin := "# "
		for word := range strings.FieldsSeq(paragraph) {
			word = printable(word)
			if line != "" && utf8.RuneCountInString(begin+line+word) >= columns {
				p.line(begin + line)
				line, begin = "", "# "+indent
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		p.line(strings.TrimRight(begin+line, " "))
	}
}

// findings writes one paragraph for each, and for several that say the same of one option. The
// file's name is in it if the account does not say it.
func (p *printer) findings(all []Finding, file bool) {
	told := map[Finding]bool{}
	for i, f := range all {
		same := f
		same.Line = 0
		if told[same] {
			continue
		}
		told[same] = true
		lines := strconv.Itoa(f.Line)
		for _, g := range all[i+1:] {
			if g.File == f.File && g.Option == f.Option && g.Text == f.Text && g.Line != f.Line {
				lines += ", " + strconv.Itoa(g.Line)
			}
		}
		what := ""
		switch {
		case file && f.Line > 0:
			what = f.File + ":" + lines
		case file:
			what = f.File
		case strings.Contains(lines, ","):
			what = "lines " + lines
		case f.Line > 0:
			what = "line " + lines
		}
		if f.Option != "" {
			what = strings.TrimPrefix(what+", "+f.Option, ", ")
		}
		if what != "" {
			what += ": "
		}
		p.comment("  ", "- "+what+f.Text)
	}
}

func (p *printer) account(a *Account) {
	p.comment("", fmt.Sprintf("%s (%s:%d)", a.From, a.File, a.Line))
	p.findings(a.Findings, false)
	p.line("[accounts." + key(a.Name) + "]")
	for _, s := range a.Settings {
		if s.Comment != "" {
			p.comment("", s.Comment)
		}
		p.line(s.Key + " = " + value(s.Value))
	}
}

// takeOver says how to take over what the program has seen, once for each file. fdm's does not say
// whose it is.
func (p *printer) takeOver(program Program, a *Account, told map[string]bool) {
	if a.IDFile == "" || told[a.IDFile] {
		return
	}
	told[a.IDFile] = true
	command := fmt.Sprintf("    mailhaul import %s --state %s", program, shellPath(a.IDFile))
	if program == Fdm {
		command += " --account " + shellWord(a.Name)
	}
	p.comment("", fmt.Sprintf("So that nothing is fetched again that %s has fetched (with --config FILE, if this file is not where mailhaul looks for it):\n%s", program, command))
}

// key writes a part of a key.
func key(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) || r == '-' || r == '_')
	}) {
		return s
	}
	return quote(s)
}

func value(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case []string:
		parts := make([]string, len(v))
		for i, s := range v {
			parts[i] = quote(s)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case Table:
		parts := make([]string, len(v))
		for i, s := range v {
			parts[i] = key(s.Key) + " = " + value(s.Value)
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	}
	return `""`
}

// quote writes a basic string (TOML 1.0.0, "String").
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f || !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// writable tells whether mailhaul takes a value: TOML is UTF-8, and only a command's arguments may
// have line breaks.
func writable(v any) bool {
	switch v := v.(type) {
	case string:
		return v != "" && utf8.ValidString(v) && !strings.ContainsAny(v, "\r\n\x00")
	case []string:
		return !slices.ContainsFunc(v, func(s string) bool { return !utf8.ValidString(s) || strings.ContainsRune(s, 0) })
	case Table:
		return !slices.ContainsFunc(v, func(s Setting) bool { return !writable(s.Value) })
	}
	return true
}

// printable makes text from outside fit for a comment and a terminal.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		s = s[n:]
	}
	return b.String()
}
