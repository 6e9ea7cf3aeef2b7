package policy

import (
	"path"
	"strings"

	"github.com/tightship-dev/tightship/spec"
)

// Host is the size of the machine that a container is on, as far as it is known.
type Host struct {
	Memory   int64 // bytes of RAM
	MilliCPU int64 // thousandths of a CPU
}

// What a kernel allows everybody where nobody told it otherwise (pid_max in
// proc_sys_kernel(5), nr_open in proc_sys_fs(5)): a limit that is not below
// these bounds nothing.
const (
	mostPIDs  = 1<<15 - 1
	mostFiles = 1<<20 - 1
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
//
// A limit that lies above what the host has is one in name only, and is not
// taken over either. host says how large that one is; 0 is not known.
func ForContainer(c spec.Container, host Host) *Policy {
	p := DefaultFor(c.Runtime)
	p.Image, p.Runtime = c.Image, c.Runtime
	p.Environment = Environment{Commands: []Command{}, PythonPackages: []string{}}
	p.User.Name = ""

	take := func(bound, most int64, into *int64) {
		if bound > 0 && (most <= 0 || bound <= max(most, *into)) {
			*into = bound
		}
	}
	take(c.Memory, host.Memory, (*int64)(&p.Limits.Memory))
	take(c.MilliCPU, host.MilliCPU, (*int64)(&p.Limits.CPUs))
	take(c.PIDs, mostPIDs, (*int64)(&p.Limits.PIDs))
	take(c.Ulimits["nofile"], mostFiles, (*int64)(&p.Limits.NoFile))

	bar := p.Tmpfs["/tmp"]
	for target, t := range c.Tmpfs {
		mine := bar
		take(t.Size, host.Memory, (*int64)(&mine.Size))
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
