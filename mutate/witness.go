package mutate

import "github.com/tightship-dev/tightship/check"

// Unmoved is a check that is graded exercised and that no loss of a protection
// makes fail by what was attempted alone, with the engine's and the kernel's
// words as they were before the loss: where and why that is so.
type Unmoved struct {
	Kernel string // as check.GVisor; "" is every one
	Check  string
	Reason string
}

// AttemptUnmoved is all of them. A check that is not in it and that its attempt
// alone never breaks is blind.
var AttemptUnmoved = []Unmoved{
	{check.GVisor, "limits.cpu", "a sandbox counts as its own the time that the host gave to others, so what came of the attempt is read from the host's counter"},
}

// WhyUnmoved is the reason that a check's attempt alone need not fail on a
// kernel; "" where it must.
func WhyUnmoved(kernel, id string) string {
	for _, u := range AttemptUnmoved {
		if (u.Kernel == "" || u.Kernel == kernel) && u.Check == id {
			return u.Reason
		}
	}
	return ""
}

// WhyNotShown is the reason that a mutation does not make a check fail on a
// kernel although the check names it; "" where it does.
func WhyNotShown(kernel, mutation, id string) string {
	for _, e := range Exceptions {
		if e.Kernel == kernel && e.Mutation == mutation && e.Check == id {
			return e.Reason
		}
	}
	return ""
}
