package prove

import (
	"maps"

	"github.com/tightship-dev/tightship/check"
)

// The accounts, each of which may show the loss of a protection by itself.
const (
	attempt = "attempt" // what was tried inside, and what came of it
	kernel  = "kernel"  // what the host's kernel says of the process and its cgroup
	engineS = "engine"  // what the engine says that it was told
)

// accounts are in the order in which they convince.
var accounts = []string{attempt, kernel, engineS}

// only is the baseline's evidence with one account taken from the mutant.
func only(account string, base, mutant *check.Input) *check.Input {
	in := *base
	in.Twins = maps.Clone(base.Twins)
	if account == engineS {
		in.Image = mutant.Image
	}
	for name, m := range mutant.Twins {
		b := base.Twins[name]
		if b == nil {
			continue
		}
		mixed := *b
		switch account {
		case attempt:
			mixed.Seen, mixed.Problem = m.Seen, m.Problem
			// How a sandbox ended that was to end is what came of the attempt.
			mixed.ExitCode, mixed.OOMKilled, mixed.Alive = m.ExitCode, m.OOMKilled, m.Alive
		case kernel:
			mixed.Kernel, mixed.KernelNote, mixed.After, mixed.Process = m.Kernel, m.KernelNote, m.After, m.Process
		case engineS:
			mixed.Declared, mixed.Undeclared, mixed.Other = m.Declared, m.Undeclared, m.Other
			mixed.Copied, mixed.CopiedOther = m.Copied, m.CopiedOther
		}
		in.Twins[name] = &mixed
	}
	return &in
}

// seenBy says which accounts of a mutant make a check fail by themselves.
func seenBy(c *check.Check, base, mutant *check.Input) []string {
	seen := []string{}
	for _, account := range accounts {
		if c.Judge(only(account, base, mutant)).Verdict == check.Fail {
			seen = append(seen, account)
		}
	}
	return seen
}
