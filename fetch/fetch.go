package fetch

import "time"

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
	NoReceived  bool          // put no Received field in front
	DryRun      bool          // list and plan only, change nothing
	Pipelining  bool          // send ahead where the server announces PIPELINING
	Events      func(Event)   // told of everything that happens; nil = nobody
}
