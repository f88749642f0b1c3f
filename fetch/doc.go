// Package fetch empties a maildrop into a target: it decides which messages to retrieve, has them
// delivered, records them, and only then deletes them.
//
// A message goes through four steps, and none begins before the one above it is complete:
//
//	retrieved    its text has arrived, to the final dot
//	delivered    the target has it on disk (file and directory synced), or has said yes to it
//	recorded     its unique-id is in the state file, on disk
//	deleted      the server has acknowledged QUIT
//
// DELE is sent only for unique-ids found in the state file (without UIDL: for numbers committed in
// this session). A run that follows an interrupted one therefore has a single special case,
// messages delivered but not yet recorded, and asks the target for those (see deliver.Finder).
//
// The way of one run, function by function:
//
//	Run        the order of things
//	list       STAT, UIDL and LIST: what is on the server
//	settle     what an interrupted run has delivered without recording it
//	claim      what of that was not listed before, and is now
//	plan       listing + state + options -> retrieve, identify, delete, skip (a pure function)
//	retrieval  RETR, stage, commit, record, batch after batch (retrieve.go, commit.go)
//	identify   is what is to be deleted still the message that was recorded?
//	quarantine the same steps into another maildir, for what the target refuses again and again
//	remove     DELE, STAT, QUIT, and the tombstones
//
// Where a large maildrop is kept and all of it is known, list says so and there is nothing to plan.
// A message that failed is recorded as such (leave.go) and tried less and less often (backoff.go), and
// told of all the same.
//
// item.go joins the listings to messages, clock.go says when the clock is believed. options.go is what is
// asked of a run, event.go what it tells, error.go what its errors mean, record.go what it writes into
// the state. A Comparison is no run: it changes nothing, and tells where server, state and destination
// disagree (compare.go, comparejudge.go).
//
// An account with several destinations is a Run for each, in one session: Others.More leaves it
// open, and the last Run, which deletes, is told by Others.Hold what the others do not have.
//
// Replies to RETR carry no number. Where commands are sent ahead, every 16th at the latest is
// followed by UIDL n, whose reply names number and unique-id: what lies between two right answers
// is proven to be in order, and only that is committed (pull.go, proof.go, commit.go).
//
// What is where when the program is stopped, and what the next run makes of it:
//
//	while retrieving           files in tmp/ or a spool; retrieved again, left-overs removed
//	within Commit              some delivered, none recorded; Find names them, the rest again
//	after Commit               all delivered, none recorded; as above (a command: one in doubt)
//	after Record, before QUIT  recorded; deleted without being retrieved
//	QUIT sent, reply lost      recorded; deleted if still listed, else forgotten
//	power lost within Record   a torn line does not count: as after Commit
//
// Each way ends with one copy, but for two: the message that a command was given is given to it again,
// marked as in doubt; and one that was moved out of Find's sight before it was recorded is retrieved
// again. There are two copies then, never none.
package fetch
