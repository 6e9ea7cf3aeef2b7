package mutate

import (
	"slices"

	"github.com/tightship-dev/tightship/check"
)

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
	{check.GVisor, "fs.tmp-writable", emptyTmp + ", which is writable as well: only the engine's account tells the two apart"},
	{check.GVisor, "ns.pid", ownNamespaces},
	{check.GVisor, "ns.ipc", ownNamespaces},
	{check.GVisor, "ns.uts", ownNamespaces},
	{check.GVisor, "mounts.no-runtime-socket", "runsc connects nobody to a socket of the host's unless its runtime is registered with --host-uds"},
	{check.GVisor, "limits.cpu", "a sandbox counts as its own the time that the host gave to others, so what came of the attempt is read from the host's counter"},
}

const ownNamespaces = "a sandbox has a kernel and namespaces of its own whatever it is told of the host's, so that only the engine's word changes"

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
	p, _ := pair(mutation)
	for _, e := range Exceptions {
		if e.Kernel == kernel && slices.Contains([]string{mutation, p.A, p.B}, e.Mutation) && e.Check == id {
			return e.Reason
		}
	}
	return ""
}
