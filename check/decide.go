package check

import (
	"time"

	"github.com/tightship-dev/tightship/policy"
)

// Decide asks the judge, and turns a failure that the policy accepts in the open
// into that. now is what the dates of what is accepted are held against.
func (c *Check) Decide(in *Input, now time.Time) Result {
	res := c.Judge(in)
	if res.Verdict == "" {
		res.Verdict, res.Evidence, res.Reason = Inconclusive, NoGrade, "the judge gave no verdict"
	}
	if res.Verdict != Fail {
		return res
	}
	for _, a := range in.Policy.Accept {
		if a.Check != c.ID {
			continue
		}
		if !a.Active(now) {
			res.Reason += "; the policy accepted this until " + string(a.Until) + ", which is over"
			continue
		}
		res.Verdict = Accepted
		if a.Until == policy.Forever {
			res.Reason = "accepted by the built-in policy: " + a.Reason + " (" + res.Reason + ")"
			continue
		}
		res.Reason = "accepted until " + string(a.Until) + ": " + a.Reason + " (" + res.Reason + ")"
	}
	return res
}
