// Mailhaul retrieves mail from POP3 servers, delivers it, and deletes it there.
//
// The way of `mailhaul fetch`, file by file; each calls the next:
//
//	main       signals, and the exit status (exit.go: the only place that makes one of an error)
//	argv       the command line, options before or after names
//	fetch      the accounts that are meant (selection.go), several at once
//	account    one account: states, destinations, login, a fetch.Run for each destination (leg.go)
//	session    connect (way.go, tls.go), secret, login, and what is remembered of the server
//
// Package fetch does the rest, and tells of it by events, which report.go renders as text, JSON
// (reportjson.go) or a bar (progress.go); its rules of output stand at its top. A streak of temporary
// failures is kept quiet by streak.go, and metrics.go writes what a collector reads.
//
// The configuration is read by config.go: configread.go decodes, configkeys.go has a line for each key
// of an account, value.go the types, destination.go and receiver.go the table deliver, configcheck.go
// what must fit together, configcsv.go accounts from a CSV file.
//
// The other commands are files of their names. list, show, delete and console share maildrop.go, what
// takes over other programs' configuration and state uses package peer, verify compares by
// fetch.Comparison.
package main
