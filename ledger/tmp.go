// Package ledger is a stand-in until its branch is merged.
package ledger

import "time"

const (
	Intent  = "intent"
	Outcome = "outcome"
	Denied  = "denied"
	Event   = "event"
)

type Entry struct {
	Kind  string
	Event string
	Of    uint64
	Sandbox, Container, Credential, Route, Method, Path string
	Decision, Rule, Reason string
	Status            int
	BytesIn, BytesOut int64
	Latency           time.Duration
	Refs              []RefUpdate
	Redactions        int
}
type RefUpdate struct{ Ref, Old, New string }
