package main

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"mailhaul/fetch/state"
)

// metricPrefix begins the name of each metric.
const metricPrefix = "mailhaul_"

// A family is a metric of an account as Prometheus knows it: its text stands in the file.
type family struct{ name, kind, help string }

// families are all there are, in the order of the file and of the manual.
var families = []family{
	{"mailhaul_up", "gauge", "Whether the last run was told by the server what is in the maildrop."},
	{"mailhaul_exit_status", "gauge", "How the last run ended, as an exit status of sysexits.h; 0 is success."},
	{"mailhaul_last_run_timestamp_seconds", "gauge", "When the last run ended."},
	{"mailhaul_last_success_timestamp_seconds", "gauge", "When the last run with status 0 ended."},
	{"mailhaul_duration_seconds", "gauge", "How long the last run took."},
	{"mailhaul_messages", "gauge", "Messages on the server, as the last run that was up found them."},
	{"mailhaul_left_messages", "gauge", "Messages that the last run that was up wanted, and had to leave on the server."},
	{"mailhaul_runs_total", "counter", "Runs."},
	{"mailhaul_failed_runs_total", "counter", "Runs with another status than 0."},
	{"mailhaul_delivered_messages_total", "counter", "Messages delivered."},
	{"mailhaul_delivered_octets_total", "counter", "Octets of the messages delivered."},
	{"mailhaul_deleted_messages_total", "counter", "Messages deleted on the server."},
}

// samples are the values of one account, by the name of the family. What is unknown is missing.
type samples map[string]float64

// An outcome is how the run of one account ended.
type outcome struct {
	account string
	result
	up bool
}

// update takes in a run. What counts up goes on from what was there.
func (s samples) update(o outcome) {
	status := exitStatus(o.err)
	set := func(name string, v float64) { s[metricPrefix+name] = v }
	set("up", 0)
	if o.up {
		set("up", 1)
		set("messages", float64(o.sum.Messages))
		set("left_messages", float64(o.sum.Left))
	}
	at := float64(o.ended.Unix())
	set("exit_status", float64(status))
	set("last_run_timestamp_seconds", at)
	if status == exOK {
		set("last_success_timestamp_seconds", at)
	}
	set("duration_seconds", o.took.Round(time.Millisecond).Seconds())
	count := func(name string, v float64) { s[metricPrefix+name] += v }
	count("runs_total", 1)
	failed := 0.0
	if status != exOK {
		failed = 1
	}
	count("failed_runs_total", failed)
	count("delivered_messages_total", float64(o.sum.Delivered))
	count("delivered_octets_total", float64(o.sum.Octets))
	count("deleted_messages_total", float64(o.sum.Deleted))
}

// merge puts outcomes into what an earlier run wrote. Accounts that did not take part keep theirs,
// but those that are fetched no more are taken out: their last run would grow old for ever.
func merge(all map[string]samples, cfg *Config, outcomes []outcome) {
	kept := make(map[string]bool, len(cfg.Accounts))
	for _, a := range cfg.Accounts {
		kept[accountLabel(a.Name)] = !a.Disabled
	}
	maps.DeleteFunc(all, func(label string, _ samples) bool { return !kept[label] })
	for _, o := range outcomes {
		if errors.Is(o.err, state.ErrLocked) {
			continue // the run that holds it has its own to tell
		}
		label := accountLabel(o.account)
		if all[label] == nil {
			all[label] = samples{}
		}
		all[label].update(o)
	}
}

// exposition is the text of the metrics (Prometheus text format 0.0.4).
func exposition(all map[string]samples) string {
	var b strings.Builder
	names := slices.Sorted(maps.Keys(all))
	for _, f := range families {
		begun := false
		for _, name := range names {
			v, ok := all[name][f.name]
			if !ok {
				continue
			}
			if !begun {
				begun = true
				b.WriteString("# HELP " + f.name + " " + f.help + "\n# TYPE " + f.name + " " + f.kind + "\n")
			}
			b.WriteString(f.name + `{account="` + labelEscaper.Replace(name) + `"} ` + strconv.FormatFloat(v, 'f', -1, 64) + "\n")
		}
	}
	return b.String()
}

// accountLabel is what tells an account in the file, which has to be UTF-8.
func accountLabel(account string) string {
	if utf8.ValidString(account) {
		return account
	}
	return visible(account)
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
