package mutate

import (
	"testing"

	"github.com/tightship-dev/tightship/check"
)

// An exception is about a mutation and a check that exist, says why, and is one:
// without it something else would be expected.
func TestExceptions(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Exceptions {
		m, ok := ByID(e.Mutation)
		if _, known := check.ByID(e.Check); !ok || !known || e.Reason == "" || e.Kernel != check.GVisor {
			t.Errorf("%+v is about nothing, or says not why", e)
			continue
		}
		if Expected("", m, e.Check) == e.Want {
			t.Errorf("%s under %s is no exception", e.Check, e.Mutation)
		}
		if Expected(e.Kernel, m, e.Check) != e.Want {
			t.Errorf("%s under %s is not what the exception says", e.Check, e.Mutation)
		}
		if seen[e.Kernel+e.Mutation+e.Check] {
			t.Errorf("%s under %s is there twice", e.Check, e.Mutation)
		}
		seen[e.Kernel+e.Mutation+e.Check] = true
	}
}

// On every kernel, every check that has mutations is still broken by one: what
// cannot be shown of it one way is shown another.
func TestExceptionsLeaveEachCheckBreakable(t *testing.T) {
	for _, c := range check.Catalogue() {
		broken := c.NoMutation != "" || check.Lacking(check.GVisor, c.ID) != ""
		for _, m := range All() {
			broken = broken || Expected(check.GVisor, m, c.ID) == check.Fail
		}
		if !broken {
			t.Errorf("nothing breaks %s on gVisor", c.ID)
		}
	}
}
