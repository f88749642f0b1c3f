package main

import (
	"fmt"
	"strings"
	"time"
)

// ok tells that an aspect of the account is as it should be. fields, if not nil, adds to the JSON.
func (k *checker) ok(aspect string, fields func(*jsonLine), format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if k.report.json {
		k.jsonLine(aspect, "ok", text, fields)
		return
	}
	if k.report.verbose >= 0 {
		k.report.say("%s: %s: %s", visible(k.a.Name), aspect, text)
	}
}

// warn tells of something that stops nothing now.
func (k *checker) warn(aspect string, fields func(*jsonLine), format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if k.report.json {
		k.jsonLine(aspect, "warning", text, fields)
	}
	if k.report.verbose >= 0 {
		k.report.complain(prioWarning, fmt.Sprintf("warning: %s: %s: %s", visible(k.a.Name), aspect, text))
	}
}

// failed tells what would make fetch fail, with the cures that are known.
func (k *checker) failed(aspect string, err error) {
	k.errs = append(k.errs, err)
	cures := k.report.cures.hints(err, k.a)
	if k.report.json {
		k.jsonLine(aspect, "failed", err.Error(), func(l *jsonLine) {
			l.number("status", int64(exitStatus(err)))
			l.text("hint", strings.Join(cures, "; "))
		})
	}
	k.report.complain(prioError, fmt.Sprintf("%s: %s: %s", visible(k.a.Name), aspect, err))
	for _, h := range cures {
		k.report.hint(h)
	}
}

func (k *checker) jsonLine(aspect, result, text string, fields func(*jsonLine)) {
	l := newJSONLine("check", time.Now())
	l.text("account", k.a.Name)
	l.text("aspect", aspect)
	l.text("result", result)
	l.text("reason", text)
	if fields != nil {
		fields(l)
	}
	k.report.write(k.report.out, l.String())
}
