package policy

import (
	"path"
	"strings"

	"github.com/tightship-dev/tightship/spec"
)

// ForContainer is the policy for a container that somebody else made and nobody
// wrote one for: the built-in bar, with the parameters that the bar leaves open
// taken from what the container declares. How much memory, which uid, where the
// workspace is: that is for its owner to say. Whether there is a limit, whether
// the uid is root, whether the root file system is writable is not: a setting
// that is below the bar is never taken over, so that its check fails.
//
// The environment section is empty: what must work inside is for a policy to
// say. The user is the caller's to fill in, who can look a name up in the image.
func ForContainer(c spec.Container) *Policy {
	p := DefaultFor(c.Runtime)
	p.Image, p.Runtime = c.Image, c.Runtime
	p.Environment = Environment{Commands: []Command{}, PythonPackages: []string{}}
	p.User.Name = ""

	take := func(bound int64, into *int64) {
		if bound > 0 {
			*into = bound
		}
	}
	take(c.Memory, (*int64)(&p.Limits.Memory))
	take(c.MilliCPU, (*int64)(&p.Limits.CPUs))
	take(c.PIDs, (*int64)(&p.Limits.PIDs))
	take(c.Ulimits["nofile"], (*int64)(&p.Limits.NoFile))

	bar := p.Tmpfs["/tmp"]
	for target, t := range c.Tmpfs {
		mine := bar
		take(t.Size, (*int64)(&mine.Size))
		p.Tmpfs[target] = mine
	}
	if m, ok := workspaceOf(c, p.Workspace.Target); ok {
		p.Workspace = Workspace{Source: m.Source, Target: m.Target, Mode: WorkspaceRW}
		if m.ReadOnly {
			p.Workspace.Mode = WorkspaceRO
		}
	}
	return p
}

// workspaceOf finds the mount that the container works in: the one at the usual
// place, else the innermost that holds its working directory.
func workspaceOf(c spec.Container, usual string) (spec.Mount, bool) {
	var best spec.Mount
	for _, m := range c.Mounts {
		if m.Target == usual {
			return m, true
		}
		dir := path.Clean("/" + c.WorkingDir)
		if (dir == m.Target || strings.HasPrefix(dir, m.Target+"/")) && len(m.Target) > len(best.Target) {
			best = m
		}
	}
	return best, best.Target != ""
}
