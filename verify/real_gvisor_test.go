package verify

import (
	"slices"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/policy"
)

// gvisor is real on runsc, with the built-in policy for it.
func gvisor(t *testing.T) (engine.Engine, Options) {
	t.Helper()
	eng, o := real(t)
	info, err := eng.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(info.Runtimes, "runsc") {
		t.Skip("SKIPPED: the engine has no runtime runsc (make build, then scripts/setup.sh engine)")
	}
	o.Policy = policy.DefaultFor("runsc")
	return eng, o
}

// Every seed is shown on gVisor too, but for the one protection that gVisor
// lacks and the built-in policy accepts in the open.
func TestRealGVisorIsProven(t *testing.T) {
	eng, o := gvisor(t)
	r, err := Image(t.Context(), eng, o)
	if err != nil {
		t.Fatal(err)
	}
	proven, accepted := map[string]bool{}, []string{}
	for _, c := range r.Checks {
		switch c.Verdict {
		case "pass":
			for _, s := range c.Seed {
				proven[s] = true
			}
		case "accepted":
			accepted = append(accepted, c.Seed...)
		default:
			if absent(check.GVisor, c) {
				continue
			}
			explain(t, r, c.ID)
			t.Errorf("%s is %s", c.ID, c.Verdict)
		}
	}
	if !slices.Equal(accepted, []string{"no_privileged_port_bind"}) {
		t.Errorf("accepted: %v", accepted)
	}
	for _, s := range seeds {
		if !proven[s] && !slices.Contains(accepted, s) {
			t.Errorf("seed %s is not shown by any check", s)
		}
	}
	if r.Summary.Verdict != "proven" || len(proven) != 27 {
		t.Errorf("verdict %s with %d seeds shown", r.Summary.Verdict, len(proven))
	}
	nothingLeft(t, eng, r.RunID)
}

// What one real hardened run on gVisor saw is the fixture of what is judged
// differently there.
func TestRealGVisorFixture(t *testing.T) {
	eng, o := gvisor(t)
	fixture(t, eng, o, "gvisor.json")
}
