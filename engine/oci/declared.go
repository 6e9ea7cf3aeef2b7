//go:build linux

package oci

import (
	"cmp"
	"encoding/json"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/tightship-dev/tightship/spec"
)

// declared says in our words what the runtime was told. It reads the bundle,
// not what the bundle was made from.
func (e *Engine) declared(r record, s *specs.Spec) spec.Container {
	c := spec.Container{
		Image: r.Image, Runtime: r.Runtime, Labels: r.Labels, OpenStdin: r.OpenStdin,
		CapDrop: []string{"ALL"}, Privileged: false, Seccomp: unconfined,
		Network: "host", PIDMode: "host", IPCMode: "host", UTSMode: "host", CgroupNS: "host",
		Tmpfs: map[string]spec.Tmpfs{}, Swap: spec.Unlimited,
	}
	if p := s.Process; p != nil {
		c.Entrypoint, c.Env, c.WorkingDir, c.User = p.Args, p.Env, p.Cwd, ids(p.User)
		c.NoNewPrivileges = p.NoNewPrivileges
		for _, g := range p.User.AdditionalGids {
			c.Groups = append(c.Groups, strconv.FormatUint(uint64(g), 10))
		}
		for _, l := range p.Rlimits {
			if c.Ulimits == nil {
				c.Ulimits = map[string]int64{}
			}
			// A process may raise its soft limit up to the hard one.
			c.Ulimits[strings.ToLower(strings.TrimPrefix(l.Type, "RLIMIT_"))] = int64(l.Hard)
		}
		if p.Capabilities != nil {
			for _, set := range [][]string{p.Capabilities.Bounding, p.Capabilities.Effective, p.Capabilities.Permitted, p.Capabilities.Inheritable, p.Capabilities.Ambient} {
				for _, name := range set {
					c.CapAdd = append(c.CapAdd, strings.TrimPrefix(name, capPrefix))
				}
			}
			slices.Sort(c.CapAdd)
			c.CapAdd = slices.Compact(c.CapAdd)
		}
	}
	if s.Root != nil {
		c.ReadonlyRootfs = s.Root.Readonly
	}
	e.declaredMounts(&c, r, s.Mounts)
	if s.Linux != nil {
		declaredLinux(&c, s.Linux)
	}
	return c
}

func (e *Engine) declaredMounts(c *spec.Container, r record, mounts []specs.Mount) {
	for _, m := range mounts {
		target := path.Clean(m.Destination)
		switch {
		case m.Type == "bind" && slices.Contains(r.Own, m.Destination):
		case m.Destination == hostShm.Destination && m.Source == hostShm.Source: // said by the IPC namespace
		case m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind"):
			d := spec.Mount{Kind: spec.Bind, Source: m.Source, Target: target, ReadOnly: slices.Contains(m.Options, "ro"), Propagation: propagation(m.Options)}
			if e.store.isVolume(m.Source) {
				d.Kind, d.Source = spec.Volume, filepath.Base(filepath.Dir(m.Source))
			}
			c.Mounts = append(c.Mounts, d)
		case m.Type != "tmpfs" || target == "/dev":
		case m.Source == "shm":
			c.ShmSize = parseTmpfs(m.Options).Size
		default:
			c.Tmpfs[target] = parseTmpfs(m.Options)
		}
	}
	slices.SortFunc(c.Mounts, func(a, b spec.Mount) int { return cmp.Compare(a.Target, b.Target) })
}

func declaredLinux(c *spec.Container, l *specs.Linux) {
	for _, n := range l.Namespaces {
		mode := "private"
		if n.Path != "" {
			mode = n.Path // somebody else's
		}
		switch n.Type {
		case specs.NetworkNamespace:
			if c.Network = mode; mode == "private" {
				c.Network = "none"
			}
		case specs.PIDNamespace:
			c.PIDMode = mode
		case specs.IPCNamespace:
			c.IPCMode = mode
		case specs.UTSNamespace:
			c.UTSMode = mode
		case specs.CgroupNamespace:
			c.CgroupNS = mode
		}
	}
	c.Sysctls = l.Sysctl
	lacks := func(have, need []string) bool {
		return slices.ContainsFunc(need, func(p string) bool { return !slices.Contains(have, p) })
	}
	c.Unmasked = lacks(l.MaskedPaths, maskedPaths) || lacks(l.ReadonlyPaths, readonlyPaths)
	for _, d := range l.Devices {
		c.Devices = append(c.Devices, d.Path)
	}
	if l.Seccomp != nil {
		if profile, err := json.Marshal(l.Seccomp); err == nil {
			c.Seccomp = string(profile)
		}
	}
	res := l.Resources
	if res == nil {
		return
	}
	if m := res.Memory; m != nil && m.Limit != nil && *m.Limit > 0 {
		c.Memory = *m.Limit
		if m.Swap != nil && *m.Swap >= *m.Limit {
			c.Swap = *m.Swap - *m.Limit
		}
	}
	if p := res.CPU; p != nil && p.Quota != nil && *p.Quota > 0 && p.Period != nil && *p.Period > 0 && *p.Quota < 1<<40 {
		// A fraction rounds up: a limit below one thousandth must not become none.
		c.MilliCPU = (*p.Quota*1000-1)/int64(*p.Period) + 1
	}
	if res.Pids != nil && res.Pids.Limit > 0 {
		c.PIDs = res.Pids.Limit
	}
}
