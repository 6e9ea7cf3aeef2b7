package verify

import (
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// A weakened verification runs the twins that its weakening changes, and those
// alone; what else it judges was seen without it.
func TestUnweakenedTwins(t *testing.T) {
	unconfine := func(c *spec.Container) { c.Seccomp = unconfined }
	for _, row := range []struct {
		name   string
		weaken func(*spec.Container)
		first  func(*Options) // of the verification before
		then   func(*Options)
		ran    []check.Twin
	}{
		{name: "what only the main twin has", weaken: unconfine, ran: []check.Twin{check.Main}},
		{name: "what the isolating twin has anyway", weaken: func(c *spec.Container) { c.CapAdd = append(c.CapAdd, "CHOWN") }, ran: []check.Twin{check.Exhaust, check.Main}},
		{name: "a limit of all of them", weaken: func(c *spec.Container) { c.MilliCPU = 0 }, ran: []check.Twin{check.Exhaust, check.Isolate, check.Main}},
		{name: "an environment of all of them", weaken: func(c *spec.Container) { c.Env = append(c.Env, "A=b") }, ran: []check.Twin{check.Exhaust, check.Isolate, check.Main}},
		{name: "nothing shared", weaken: unconfine, then: func(o *Options) { o.Twins = nil }, ran: []check.Twin{check.Exhaust, check.Isolate, check.Main}},
		{name: "less was asked before", weaken: unconfine, first: func(o *Options) { o.Only = []string{"kernel.*"} }, ran: []check.Twin{check.Exhaust, check.Isolate, check.Main}},
		{name: "more was asked before", weaken: unconfine, then: func(o *Options) { o.Skip = []string{"env.*"} }, ran: []check.Twin{check.Main}},
		{name: "another scale", weaken: unconfine, then: func(o *Options) { o.FullScale = true }, ran: []check.Twin{check.Exhaust, check.Isolate, check.Main}},
		{name: "another policy", weaken: unconfine, then: func(o *Options) { p := policy.Default(); p.Limits.PIDs = 50; o.Policy = p }, ran: []check.Twin{check.Exhaust, check.Isolate, check.Main}},
		{name: "weakened before as well", weaken: unconfine, first: func(o *Options) { o.Weaken = unconfine }, ran: []check.Twin{check.Exhaust, check.Isolate, check.Main}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFake(t)
			var mu sync.Mutex
			var ran []check.Twin
			f.guest = func(twin check.Twin, role probe.Role, in io.Reader, out io.Writer) int {
				mu.Lock()
				if !slices.Contains(ran, twin) {
					ran = append(ran, twin)
				}
				mu.Unlock()
				return f.honest(twin, role, in, out)
			}
			o := f.options()
			o.Twins = &Twins{}
			first := o
			if row.first != nil {
				row.first(&first)
			}
			if _, err := Image(t.Context(), f, first); err != nil {
				t.Fatal(err)
			}
			ran = nil
			o.Weaken = row.weaken
			if row.then != nil {
				row.then(&o)
			}
			var recorded *check.Input
			o.Record = func(in *check.Input, _ []*check.Check) { recorded = in }
			r, err := Image(t.Context(), f, o)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(ran)
			if !slices.Equal(ran, row.ran) {
				t.Errorf("ran %v", ran)
			}
			for _, c := range r.Checks {
				if c.Verdict == "inconclusive" {
					t.Errorf("%s: %s", c.ID, c.Reason)
				}
			}
			if recorded == nil || len(recorded.Twins) < 3 || len(recorded.Exits) != 3 {
				t.Errorf("recorded %+v", recorded)
			}
			if left := f.left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// A twin that fell silent is run again.
func TestUnweakenedAfterTrouble(t *testing.T) {
	f := newFake(t)
	silent := true
	var n atomic.Int32
	f.guest = func(twin check.Twin, role probe.Role, in io.Reader, out io.Writer) int {
		if twin == check.Exhaust {
			n.Add(1)
			if silent {
				return 1
			}
		}
		return f.honest(twin, role, in, out)
	}
	o := f.options()
	o.Twins = &Twins{}
	if _, err := Image(t.Context(), f, o); err != nil {
		t.Fatal(err)
	}
	before := n.Load()
	silent = false
	o.Weaken = func(c *spec.Container) { c.Seccomp = unconfined }
	if _, err := Image(t.Context(), f, o); err != nil {
		t.Fatal(err)
	}
	if before == 0 || n.Load() == before {
		t.Errorf("the silent twin ran %d times, then %d", before, n.Load())
	}
}
