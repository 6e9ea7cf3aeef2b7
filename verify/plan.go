package verify

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// selected returns the checks that --only and --skip leave, and an error for a
// pattern that matches nothing: a typing error must not verify nothing.
func selected(all []*check.Check, only, skip []string) ([]*check.Check, error) {
	for _, pattern := range slices.Concat(only, skip) {
		if !slices.ContainsFunc(all, func(c *check.Check) bool { return Match(pattern, c.ID) }) {
			ids := make([]string, len(all))
			for i, c := range all {
				ids[i] = c.ID
			}
			return nil, fmt.Errorf("%w: %q (nearest is %q)", ErrNoCheck, pattern, policy.Nearest(pattern, ids))
		}
	}
	in := func(list []string, id string) bool {
		return slices.ContainsFunc(list, func(pattern string) bool { return Match(pattern, id) })
	}
	var kept []*check.Check
	for _, c := range all {
		if (len(only) == 0 || in(only, c.ID)) && !in(skip, c.ID) {
			kept = append(kept, c)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("%w: every check is skipped", ErrNoCheck)
	}
	return kept, nil
}

// brackets makes those of a template stand for themselves.
var brackets = strings.NewReplacer("[", `\[`, "]", `\]`)

// Match says whether a pattern means a check's ID: equal, a glob (fs.*), or a
// template, whose brackets are no character class here.
func Match(pattern, id string) bool {
	if pattern == id {
		return true
	}
	ok, err := path.Match(brackets.Replace(pattern), id)
	return err == nil && ok
}

// order is the order of probes within a process: what others build on first,
// what takes longest last.
var order = []string{
	"marker", "ids", "suid.plant", "tmp.stat", "fs.create", "dev.create", "tmp.write", "tmp.exec", "workspace",
	"bind", "escalate", "rlimit.nofile", "rlimit.core", "secrets.env", "secrets.files", "secrets.canary", "memfd", "net.interfaces", "net.route", "net.host", "net.dns", "syscall.filter", "syscall.sweep", "kernel.free", "kernel.caps", "net.packet", "proc.masked", "proc.write", "sys.write", "cgroup.write", "dev.list", "dev.make",
	"net.admin", "caps.acts", "dev.open", "namespaces", "mounts", "fs.sweep", "sockets",
	"exhaust.tmpfs", "exhaust.memory", "exhaust.cpu", "exhaust.pids",
	"suid.run", "env.python", "env.commands", "env.git",
}

// late are the user's probes that wait for the auditor to have finished: one
// builds on what it planted, and beside the others it could not run.
var late = []string{"suid.run", "exhaust.memory", "exhaust.cpu", "exhaust.pids"}

// prerequisites are probes that another one builds on, in the same twin.
var prerequisites = map[string]check.Need{
	"suid.run": {Role: probe.Auditor, Probe: "suid.plant"},
}

// probesFor collects what a twin's two processes have to do for these checks.
func probesFor(checks []*check.Check, t check.Twin) map[probe.Role][]string {
	want := map[probe.Role]map[string]bool{probe.User: {}, probe.Auditor: {}}
	for _, c := range checks {
		for _, n := range c.Needs {
			if n.Twin != t {
				continue
			}
			want[n.Role][n.Probe] = true
			if pre, ok := prerequisites[n.Probe]; ok {
				want[pre.Role][pre.Probe] = true
			}
		}
	}
	if t == check.Main {
		// Every account of declared and kernel is the main twin's, whatever the
		// checks attempt elsewhere; the rest is for the residual risks.
		for _, name := range []string{"ids", "memfd", "dev.create"} {
			want[probe.User][name] = true
		}
	}
	out := map[probe.Role][]string{}
	for role, set := range want {
		for name := range set {
			out[role] = append(out[role], name)
		}
		sort.Slice(out[role], func(i, j int) bool {
			return slices.Index(order, out[role][i]) < slices.Index(order, out[role][j])
		})
	}
	return out
}

// fromPolicy is what the twins of an image are made from. The workspace is an
// empty stand-in: what the user has in it is not for the probes.
func (r *run) fromPolicy() spec.Container {
	c := r.wanted.Clone()
	c.Image = r.image.ID
	for i, m := range c.Mounts {
		s := standIn{volume: r.prefix() + "-workspace", target: m.Target, uid: -1, gid: -1, mode: 0o755}
		r.standIns = append(r.standIns, s)
		c.Mounts[i] = spec.Mount{Kind: spec.Volume, Source: s.volume, Target: m.Target, ReadOnly: m.ReadOnly}
	}
	return c
}

// prefix starts the name of everything that this run makes.
func (r *run) prefix() string { return "tightship-" + r.lock.id }

func (r *run) guestVolume() string { return r.prefix() + "-guest" }

// settings derives one twin's launch settings. weaken comes before the twin's
// own adjustments, so that a limit it took away stays away through the scaling.
func (r *run) settings(t check.Twin) spec.Container {
	c := r.base.Clone()
	if r.opts.Weaken != nil {
		r.opts.Weaken(&c)
	}
	if t != check.Main {
		alone(&c)
	}
	switch t {
	case check.Isolate:
		isolate(&c, r.prefix())
		// Burning is done here: throttling would slow the exhaustion of the rest.
		c.MilliCPU = check.ScaleCPU(int64(r.opts.Policy.Limits.CPUs), c.MilliCPU, r.info.NCPU, r.opts.FullScale)
	case check.Exhaust:
		r.scaleDown(&c)
	case check.Doomed["exhaust.memory"], check.Doomed["exhaust.pids"]:
		memory, swap := c.Memory, c.Swap
		r.scaleDown(&c)
		c.Memory, c.Swap = memory, swap // many processes of a sandbox take much of it
		if t == check.Doomed["exhaust.memory"] {
			c.Memory = check.ScaleSandboxMemory(int64(r.opts.Policy.Limits.Memory), memory, r.opts.FullScale)
			c.Swap = min(swap, 0)
		}
	}
	// The isolating twin brings the guest in, and runs nothing but it.
	c.Mounts = append(c.Mounts, spec.Mount{Kind: spec.Volume, Source: r.guestVolume(), Target: guestDir, ReadOnly: t != check.Isolate, Suid: true})
	c.Entrypoint, c.Cmd = []string{guestDir + "/guest"}, nil
	c.OpenStdin = true
	c.Labels = r.labels()
	return c
}

// alone takes away what a container shares with its host. The main twin has it,
// whose attempts act on nothing that is not their own; the others give up
// protections that would stand between what they do and the host.
func alone(c *spec.Container) {
	for _, ns := range []struct {
		mode  *string
		apart string
	}{{&c.PIDMode, ""}, {&c.IPCMode, "private"}, {&c.UTSMode, ""}, {&c.Network, "none"}} {
		if *ns.mode == "host" {
			*ns.mode = ns.apart
		}
	}
	c.Mounts = slices.DeleteFunc(c.Mounts, func(m spec.Mount) bool { return m.Kind == spec.Bind })
}

// ofTheHost is the mount points behind which a container has the host's own
// files.
func ofTheHost(c spec.Container) []string {
	var all []string
	if c.IPCMode == "host" {
		all = append(all, "/dev/shm")
	}
	for _, m := range c.Mounts {
		if m.Kind == spec.Bind {
			all = append(all, m.Target)
		}
	}
	return all
}

// isolate removes the protections that hide the ones under test: noexec and
// no-new-privileges hide nosuid, the missing CAP_MKNOD hides nodev, and the
// core limit's own effect shows only where it is gone. What is hidden of /proc
// is seen, which shows that it is there. The capabilities are the
// control of caps.exercised. The root file system is writable for the guest to
// be copied in, and so are the stand-ins, whose names start with ours.
func isolate(c *spec.Container, ours string) {
	c.NoNewPrivileges, c.ReadonlyRootfs, c.Seccomp = false, false, unconfined
	c.Unmasked = true
	for i, m := range c.Mounts {
		c.Mounts[i].ReadOnly = m.ReadOnly && !(m.Kind == spec.Volume && strings.HasPrefix(m.Source, ours))
	}
	for dir, t := range c.Tmpfs {
		t.Exec = true
		c.Tmpfs[dir] = t
	}
	for _, name := range check.DefaultCaps {
		if !slices.Contains(c.CapAdd, name) {
			c.CapAdd = append(c.CapAdd, name)
		}
	}
	slices.Sort(c.CapAdd)
	if c.Ulimits == nil {
		c.Ulimits = map[string]int64{}
	}
	c.Ulimits["core"] = -1
}

// unconfined is how engines spell a container without a system call filter.
const unconfined = "unconfined"

// scaleDown makes the disposable twin's limits quick to reach. The capability
// acts are made there: no-new-privileges would refuse them to uid 0 as well, and
// the default filter denies most of the calls unless the capability is there.
func (r *run) scaleDown(c *spec.Container) {
	c.NoNewPrivileges, c.Seccomp = false, unconfined
	l, full := r.opts.Policy.Limits, r.opts.FullScale
	c.Memory = check.ScaleMemory(int64(l.Memory), c.Memory, full)
	if c.Swap > 0 {
		c.Swap = check.ScaleMemory(int64(l.Memory), c.Swap, full)
	}
	c.PIDs = check.ScalePIDs(int64(l.PIDs), c.PIDs, full)
	for dir, t := range c.Tmpfs {
		t.Size = check.ScaleTmpfs(int64(r.opts.Policy.Tmpfs[dir].Size), t.Size)
		c.Tmpfs[dir] = t
	}
}

// params is what the probes of a twin are told.
func (r *run) params(t check.Twin) probe.Params {
	p := r.opts.Policy
	reach := check.ReachFor(int64(p.Limits.Memory), int64(p.Limits.CPUs), int64(p.Limits.PIDs), int64(p.Limits.NoFile), r.info.NCPU, r.opts.FullScale)
	out := probe.Params{
		Workspace: r.workspace(), PythonPackages: p.Environment.PythonPackages,
		CommandTimeout: r.opts.CommandTimeout.Milliseconds(), HashKey: r.hashKey,
		Canary: r.canary, Listeners: r.planted.Listeners,
		Memory: reach.Memory, PIDs: reach.PIDs, TmpfsFill: reach.TmpfsFill, NoFile: reach.NoFile,
		MilliCPU: reach.MilliCPU, Threads: reach.Threads, Host: ofTheHost(r.settings(t)),
	}
	for dir := range p.Tmpfs {
		out.Tmpfs = append(out.Tmpfs, dir)
	}
	sort.Strings(out.Tmpfs)
	for _, c := range p.Environment.Commands {
		out.Commands = append(out.Commands, c.Run)
	}
	return out
}

// workspace is its mount point, "" when the policy has none.
func (r *run) workspace() string {
	if w := r.opts.Policy.Workspace; w.Mode != policy.WorkspaceNone {
		return w.Target
	}
	return ""
}
