package fetch

import (
	"sync/atomic"
	"time"

	"mailhaul/fetch/pop3"
	"mailhaul/fetch/state"
)

// Options are the wishes of one run. The zero value means: retrieve all, delete all, one Received
// field in front, one command at a time.
type Options struct {
	Account     string        // name of the account, for events and the delivery
	Server      string        // host name of the server, for the Received field
	User        string        // for the Received field
	Keep        bool          // leave delivered messages on the server
	DeleteAfter time.Duration // with Keep: delete them when they were delivered so long ago; 0 = never
	MaxSize     int64         // octets; larger messages stay and are reported; 0 = no limit
	MaxMessages int           // retrieve at most so many; 0 = no limit
	Quarantine  Quarantine    // for messages that t refuses again and again
	Retry       bool          // try what failed before now, and not when its time has come
	NoReceived  bool          // put no Received field in front
	DryRun      bool          // list and plan only, change nothing
	Pipelining  bool          // send ahead where the server announces PIPELINING
	Caps        pop3.Caps     // what the server announced before the login, or in an earlier session
	NoCapa      bool          // the server does not know CAPA, or hangs up on it: do not ask again
	Others      Others        // the Runs for other destinations in this session
	Begin       func() error  // called before the state is told that deliveries begin; nil = nothing
	Record      func() error  // called before the state is told of what was delivered to t; nil = nothing
	Events      func(Event)   // told of everything that happens; nil = nobody
	NoSkipped   bool          // nobody wants to hear of messages that are left on purpose
	Came        *atomic.Int64 // octets of the texts to be delivered are added as they come, and taken off if they have to come again; nil = nobody looks
}

// Others is what a Run is told of those for other destinations in the same session. The zero value
// says that there are none.
type Others struct {
	More      bool                     // one follows: with Keep, the session is left open for it (see Summary.Open)
	Undone    bool                     // one before has left what it retrieved undelivered
	Retrieved func(uid string) bool    // tells whether one before has retrieved a message; nil = none has
	Hold      func(e state.Entry) bool // tells whether another lacks what is recorded here, so that it may not be deleted; nil = none does
}
