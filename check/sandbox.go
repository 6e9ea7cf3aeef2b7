package check

import (
	"fmt"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
)

// A sandbox that reaches a limit of the host's ends as a whole, and with it
// whoever would report it. So each such attempt has a disposable twin of its
// own there; what it did below the limit is reported first, and the host says
// what ended it.

// Doomed is the probes that end a sandbox where the limit holds, each with the
// twin that it has to itself there.
var Doomed = map[string]Twin{"exhaust.memory": "memory", "exhaust.pids": "pids"}

// BelowLimit is the key under which TwinState.Seen holds what a doomed probe saw
// when it stayed below the limit.
func BelowLimit(probe string) string { return probe + " below the limit" }

// attemptedIn is the twin in which a probe of Doomed was made.
func (in *Input) attemptedIn(name string) Twin {
	if t := Doomed[name]; in.Twins[t] != nil && in.Sandboxed() {
		return t
	}
	return Exhaust
}

// sandboxEnded judges an attempt that ended its sandbox. It is nil where the
// sandbox lived, or is none: the attempt reports for itself then. act is the
// control that must have succeeded below the limit; read is the host's counter
// that must have moved, called name.
func (a account) sandboxEnded(in *Input, id, doomed, act, name string, read func(kernel.Cgroup) int64) *Result {
	t := Doomed[doomed]
	tw := in.Twins[t]
	if !in.takes(id, SandboxEnds) || tw == nil || tw.Problem == "" {
		return nil
	}
	if _, reported := tw.Seen[probe.User][doomed]; reported {
		return nil
	}
	below := tw.Seen[probe.User][BelowLimit(doomed)]
	_, ok := control(below, act)
	counter := moved(in, t, read)
	said := []string{counterText("count of "+name+"s", counter)}
	if tw.OOMKilled && doomed == "exhaust.memory" {
		counter, said = on, append(said, "the engine says that it ran out of memory")
	}
	seen := fmt.Sprintf("below the limit: %s; past it the sandbox ended (exit code %d); %s", show(below.Attempts...), tw.ExitCode, strings.Join(said, "; "))
	switch beside := in.Twins[Exhaust]; {
	case !ok || below.Error != "":
		return new(a.decide(silent, NoGrade, seen, "the control failed: the same attempt below the limit did not succeed"))
	case tw.Alive:
		return new(a.decide(silent, NoGrade, seen, "the sandbox did not report, and had not ended either: "+tw.Problem))
	case counter != on:
		return new(a.decide(silent, NoGrade, seen, "the sandbox ended, but nothing shows that this limit ended it"))
	case beside == nil || beside.Problem != "":
		return new(a.decide(silent, NoGrade, seen, "the sandbox beside it did not live on"))
	}
	return new(a.decide(on, Exercised, seen, "past the limit the whole sandbox ended, and the host says that this limit did it; the sandbox beside it lived on"))
}
