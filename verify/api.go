// Package verify runs one verification from a policy to a report, one way and
// without going back: plan, run the twins, judge, report.
package verify

import (
	"time"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/spec"
)

// Options is what a verification may be told.
type Options struct {
	Policy *policy.Policy // with Image and Runtime settled
	Guest  []byte         // the tightship-guest binary for the engine's platform
	// Only and Skip select checks by ID or glob ("fs.*"); empty Only is all.
	Only, Skip []string
	FullScale  bool // exhaust memory and CPU at the declared size
	// Timeout bounds one verification; 0 is DefaultTimeout.
	Timeout time.Duration
	// CommandTimeout bounds each environment command; 0 is DefaultCommandTimeout.
	CommandTimeout time.Duration
	// Progress is called, one call at a time, as sections finish. May be nil.
	Progress func(Event)
	// Weaken alters the settings of every twin just before it is created, while
	// the policy stays as it is: how a mutation is applied. May be nil.
	Weaken func(*spec.Container)
	// Twins is shared by verifications that may use each other's twins; nil shares
	// nothing.
	Twins *Twins
	// Record is given what was judged and by which checks, once all of it is there,
	// so that it can be judged again. Neither may be changed. May be nil.
	Record func(*check.Input, []*check.Check)
	// Now is the clock, for the dates of accepted checks; nil is time.Now.
	Now func() time.Time
}

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

// DefaultTimeout bounds a verification whose Options name no other time.
const DefaultTimeout = 5 * time.Minute

// DefaultCommandTimeout bounds an environment command. A cold start of a large
// program on a small machine takes seconds; a hang takes for ever.
const DefaultCommandTimeout = 30 * time.Second

// Event is progress: a section whose checks are all judged.
type Event struct {
	Section check.Section
	Checks  []report.Check
	// Pending is the sections still to come, in order.
	Pending []check.Section
}
