package fetch

import "time"

// An Event is one thing that happened in a run. Text, JSON and progress are renderings of the
// one stream of events.
type Event struct {
	Type    EventType
	Time    time.Time
	Account string

	Num         int    // message number in this session; 0 if none
	UID         string // as the server sent it: opaque and hostile octets
	Size        int64  // octets
	Destination string // where it was delivered, or what the receiver answered; of a Failed event: the quarantine
	Reason      string // why it was skipped, deleted or failed; clear text for a person
	Err         error  // of a Failed event
	InDoubt     bool   // a Message that may have been delivered by a run that died
	Repeated    bool   // a Failed event that was told of within the last day for the same reason
	Warning     bool   // a Failed event that leaves nothing undone and does not change the exit status
	Planned     bool   // a dry run: it would be so

	Attempts int       // of a Failed event about a message: how often it was tried
	Next     time.Time // of a Failed event about a message: not tried before; zero: in the next run

	Messages int   // of an Account event: messages on the server
	Octets   int64 // of an Account event: their octets, -1 if unknown
	Retrieve int   // of an Account event: how many are to be retrieved
	First    bool  // of an Account event: the account had no state before

	RetrieveOctets int64 // of an Account event: octets of what is to be retrieved, -1 if unknown
}

// An EventType says what an Event tells.
type EventType string

// The types of events. Their names are those of the JSON output.
const (
	Account EventType = "account" // the listing is known: Messages, Octets, Retrieve
	Message EventType = "message" // delivered and recorded
	Skipped EventType = "skipped" // left on the server on purpose, with the reason (verbose, dry run)
	Deleted EventType = "deleted" // the server has confirmed the deletion by its answer to QUIT
	Failed  EventType = "error"   // about one message, or a warning about the account
)

// A Summary counts what a run did.
type Summary struct {
	Messages    int   // on the server at the start
	Delivered   int   // delivered and recorded
	Octets      int64 // of those
	Deleted     int   // confirmed by QUIT
	Skipped     int   // left on purpose: kept, seen, too many for this run
	Quarantined int   // delivered to the quarantine, and recorded
	Left        int   // left although wanted: failed, refused, too large
	Undone      bool  // something was retrieved and not delivered
	Open        bool  // the session goes on: see Others.More
}
