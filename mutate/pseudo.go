package mutate

import "github.com/tightship-dev/tightship/spec"

// pseudoFiles weakens /proc, /sys, cgroups and devices.
func pseudoFiles() []Mutation {
	host := func(source, target string, readOnly bool) func(*spec.Container) {
		return func(c *spec.Container) {
			c.Mounts = append(c.Mounts, spec.Mount{Kind: spec.Bind, Source: source, Target: target, ReadOnly: readOnly})
		}
	}
	return []Mutation{
		{ID: "systempaths.unconfined", Title: "nothing of /proc and /sys is hidden or read-only", Apply: func(c *spec.Container) { c.Unmasked = true }},
		{ID: "mount.host-proc", Title: "the host's /proc is mounted, read-only", Apply: host("/proc", "/host/proc", true)},
		{ID: "mount.host-proc-sys", Title: "the host's /proc/sys is mounted, writable", Apply: host("/proc/sys", "/host/proc/sys", false)},
		{ID: "mount.host-sys", Title: "the host's /sys is mounted, writable", Apply: host("/sys", "/host/sys", false)},
		{ID: "mount.host-cgroup", Title: "the host's cgroup tree is mounted, writable", Apply: host("/sys/fs/cgroup", "/host/cgroup", false)},
		{
			// Every Linux host has it, and without CAP_SYSLOG it does not open.
			ID: "device.added", Title: "a device of the host, its kernel's log, is added", Apply: func(c *spec.Container) { c.Devices = append(c.Devices, "/dev/kmsg") },
			MayBeRefused: "an engine of an ordinary user's has no devices of the host to give",
		},
		{
			ID: "privileged", Title: "the container is privileged", Apply: func(c *spec.Container) { c.Privileged = true },
			MayBeRefused: "a privileged container gets every capability and device, and an engine that lacks one of them, in a container itself for example, cannot give it",
		},
	}
}
