package ledger

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// The kinds of record.
const (
	Intent  = "intent"  // a credential is about to be used
	Outcome = "outcome" // what came of an intent
	Denied  = "denied"  // a request that was refused
	Event   = "event"   // something else, which Entry.Event names
)

// Entry is what a caller has recorded. Texts may hold anything: what is not
// printable ASCII is escaped, and a byte that is not UTF-8 becomes U+FFFD. The
// caller leaves out what nobody may read, such as the values of a query.
type Entry struct {
	Kind  string
	Event string // an Event's name; those that begin with "ledger." are the log's own
	Of    uint64 // an Outcome's intent

	Sandbox    string // as the broker knows it, never as the caller says
	Container  string // the container's ID
	Credential string // its name
	Route      string
	Method     string
	Path       string

	Decision string
	Rule     string
	Reason   string

	Status     int
	BytesIn    int64         // from the sandbox
	BytesOut   int64         // to the sandbox
	Latency    time.Duration // recorded in microseconds
	Refs       []RefUpdate
	Redactions int
}

// RefUpdate is a git reference that a push changes, with its object IDs in hex.
type RefUpdate struct {
	Ref string `json:"ref"`
	Old string `json:"old"`
	New string `json:"new"`
}

// Record is an entry as it stands in the ledger.
type Record struct {
	Seq  uint64    // from 0; the index of the leaf in the tree
	Prev tlog.Hash // of the record before it, as RFC 6962 hashes a leaf
	// Checkpoint is the number of records that the newest durable checkpoint
	// covered when this one was written.
	Checkpoint uint64
	Time       time.Time     // wall clock, UTC
	Mono       time.Duration // since this run of the log began, by the monotonic clock
	Run        string        // names the run
	Entry
	Own

	// Line is the exact bytes, without the line feed.
	Line []byte
}

// Own is what the log's own events say.
type Own struct {
	Segment uint64 // packed: which one; dropped: the first that is kept
	Torn    int64  // opened: the bytes of a torn line that were cut off
	Digest  string // packed: SHA-256 of the packed file, in hex
	Boot    string // opened: the kernel's boot ID, where it has one
	Key     string // created: the verifier key
}

// The log's own events.
const (
	eventCreated = "ledger.created"
	eventOpened  = "ledger.opened"
	eventClosed  = "ledger.closed"
	eventPacked  = "ledger.packed"  // a segment was compressed
	eventDropped = "ledger.dropped" // old segments were dropped
)

// MaxRecord is how long a record's line may be, in bytes.
const MaxRecord = 1 << 20

// check refuses what would make a record that means nothing.
func (e *Entry) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrEntry, fmt.Sprintf(format, args...))
	}
	switch e.Kind {
	case Intent, Outcome, Denied, Event:
	default:
		return bad("there is no kind %q", e.Kind)
	}
	switch {
	case (e.Kind == Event) != (e.Event != ""):
		return bad("an event has a name, and nothing else has")
	case strings.HasPrefix(e.Event, "ledger."):
		return bad("the name %q is the ledger's own", e.Event)
	case (e.Kind == Outcome) != (e.Of != 0):
		return bad("an outcome names its intent, and nothing else does")
	case e.Status < 0 || e.BytesIn < 0 || e.BytesOut < 0 || e.Latency < 0 || e.Redactions < 0:
		return bad("a number is below zero")
	}
	return nil
}
