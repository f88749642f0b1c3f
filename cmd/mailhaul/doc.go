// Mailhaul retrieves mail from POP3 servers, delivers it, and deletes it there.
//
// The way of `mailhaul fetch`, file by file; each calls the next:
//
//	main       signals, and the exit status (exit.go: the only place that makes one of an error)
//	argv       the command line, options before or after names
//	fetch      the accounts that are meant (selection.go)
//	accounts   several at once, each with its own connection, states and targets
//	account    one account: a fetch.Run for each of its destinations, in one session
//	leg        one destination: its state (arranged.go, accountstate.go) and its target (target.go)
//	session    connect (way.go, tls.go), secret, login; remember has what is noted of the server
//
// Package fetch does the rest, and tells of it by events, which a report renders.
//
// The other files, by what they are about:
//
//	configuration   config reads it; configread, configline and include are its files, configkeys
//	                the keys of an account, deliverkeys, receiver and owner those of the table
//	                deliver, oauthkeys those of oauth2, configcheck what must fit together, configcsv
//	                and template accounts from a CSV file; value, duration, path and server are
//	                types, destination is where messages go
//	connection      way, tunnel, proxy, tls, certificate, alert, dialoguewriter; patience for what
//	                the server wants of us
//	secrets         secret keeps one out of what is printed, mask out of the dialogue; secretsource,
//	                netrc and keyring get it, asker from a person; oauth, oauthfile, renew and
//	                receiverlogin for tokens and mail servers
//	output          report has the rules at its top; reportjson, progress, total, wording, streak
//	                (failures that are not told yet), metrics and metricsfile; visible makes what
//	                comes from outside fit to print, columns and layout fit a terminal (terminal,
//	                terminal_bsd, terminal_linux), journal that of systemd
//	errors          exit gives the status, hint the cure
//	files           replace puts one in the place of another, lockfile keeps other runs out,
//	                writable tells whether it would work
//
// The commands beside fetch, each in a file of its name (help, version and demo, too), with:
//
//	list, show, delete, console   maildrop, pick, header, table; consoleinput, consolecommand and
//	                              consolereply
//	check                         checkserver, checktls, checkreport
//	verify                        verifyreport, manifest
//	report                        tally, tallyreport
//	init                          discovery, autoconfig, probe, initlogin, initwrite
//	login                         logincode
//	state                         stateforget, stateimport; statefiles (all of an account); arguments and input are shared with the others
//	import                        package peer; importstate, importfirst, seenlist and seenresolve
//	completion                    completionwords
package main
