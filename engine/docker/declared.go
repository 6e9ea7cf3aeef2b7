package docker

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/tightship-dev/tightship/spec"
)

// declared says in our words what the engine reports. Where Docker knows more
// shades than we do, the weaker one is chosen.
func declared(in container.InspectResponse, podman bool) spec.Container {
	host, config := in.HostConfig, in.Config
	c := spec.Container{
		Image:      config.Image,
		Runtime:    host.Runtime,
		Entrypoint: config.Entrypoint,
		Cmd:        config.Cmd,
		WorkingDir: config.WorkingDir,
		User:       config.User,
		Groups:     host.GroupAdd,
		Env:        config.Env,
		Labels:     config.Labels,

		ReadonlyRootfs: host.ReadonlyRootfs,
		Tmpfs:          declaredTmpfs(host, podman),
		Mounts:         declaredMounts(in),
		ShmSize:        host.ShmSize,

		CapAdd:     capNames(host.CapAdd),
		CapDrop:    capNames(host.CapDrop),
		Privileged: host.Privileged,
		Sysctls:    host.Sysctls,

		Network:  network(in),
		PIDMode:  string(host.PidMode),
		IPCMode:  string(host.IpcMode),
		UTSMode:  string(host.UTSMode),
		CgroupNS: string(host.CgroupnsMode),

		OpenStdin: config.OpenStdin,
	}
	// null is the engine's default, which is no list where it is privileged.
	c.Unmasked = host.Privileged || host.MaskedPaths != nil && lacks(host.MaskedPaths, alwaysMasked) ||
		host.ReadonlyPaths != nil && lacks(host.ReadonlyPaths, alwaysReadonly)
	for _, d := range host.Devices {
		c.Devices = append(c.Devices, d.PathOnHost)
	}
	declaredLimits(&c, host)
	declaredSecurity(&c, host.SecurityOpt)
	return c
}

// network is the mode, or what was made of it since: a container that was made
// without a network can be taken out of "none" and connected to another.
func network(in container.InspectResponse) string {
	mode := networkMode(in.HostConfig)
	if mode == "none" && in.NetworkSettings != nil {
		for _, name := range slices.Sorted(maps.Keys(in.NetworkSettings.Networks)) {
			if name != mode && name != "" {
				return name
			}
		}
	}
	return mode
}

func networkMode(host *container.HostConfig) string {
	if mode := string(host.NetworkMode); mode != "default" && mode != "" {
		return mode
	}
	return "bridge"
}

func declaredLimits(c *spec.Container, host *container.HostConfig) {
	c.Memory = max(host.Memory, 0)
	switch {
	case c.Memory == 0, host.MemorySwap < 0:
		// Swap without a bound on memory has none either.
		c.Swap = spec.Unlimited
	case host.MemorySwap == 0:
		c.Swap = c.Memory // unset: Docker allows as much swap again
	case host.MemorySwap < host.Memory:
		c.Swap = spec.Unlimited // makes no sense
	default:
		c.Swap = host.MemorySwap - host.Memory
	}

	// Fractions round up: a limit below one thousandth must not become none.
	switch {
	case host.NanoCPUs > 0:
		c.MilliCPU = (host.NanoCPUs-1)/1e6 + 1
	case host.CPUQuota > 0 && host.CPUQuota < 1<<40:
		period := host.CPUPeriod
		if period <= 0 {
			period = cpuPeriod
		}
		c.MilliCPU = (host.CPUQuota*1000-1)/period + 1
	}

	if p := host.PidsLimit; p != nil && *p > 0 {
		c.PIDs = *p
	}
	for _, u := range host.Ulimits {
		if u == nil {
			continue
		}
		if c.Ulimits == nil {
			c.Ulimits = map[string]int64{}
		}
		// A process may raise its soft limit up to the hard one.
		name := strings.ToLower(strings.TrimPrefix(u.Name, "RLIMIT_")) // Podman's spelling
		c.Ulimits[name] = max(u.Hard, spec.Unlimited)
	}
}

// declaredSecurity reads the options that moby's parseSecurityOpt reads, with
// its old separator ":" too; a later one overrides an earlier one.
func declaredSecurity(c *spec.Container, options []string) {
	for _, o := range options {
		key, value, given := cutOption(o)
		switch key {
		case "no-new-privileges":
			on, err := strconv.ParseBool(value)
			c.NoNewPrivileges = !given || err == nil && on
		case "seccomp":
			c.Seccomp = value
			if value == "builtin" { // Docker's name for its default
				c.Seccomp = ""
			}
		}
	}
}

func cutOption(o string) (key, value string, given bool) {
	if key, value, given = strings.Cut(o, "="); given && !strings.Contains(key, ":") {
		return key, value, true
	}
	return strings.Cut(o, ":")
}

func declaredTmpfs(host *container.HostConfig, podman bool) map[string]spec.Tmpfs {
	out := map[string]spec.Tmpfs{}
	start := spec.Tmpfs{Exec: podman} // Podman's tmpfs is nosuid and nodev only
	for target, options := range tmpfsGiven(host) {
		out[target] = parseTmpfs(options, start)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// tmpfsGiven is the options that each tmpfs was asked for with, by clean target.
func tmpfsGiven(host *container.HostConfig) map[string]string {
	out := map[string]string{}
	for target, options := range host.Tmpfs {
		if host.ReadonlyRootfs && readOnly(options) {
			continue // no more can be written there than without it
		}
		out[path.Clean(target)] = options
	}
	for _, m := range host.Mounts {
		if m.Type != mount.TypeTmpfs {
			continue
		}
		var options []string
		if o := m.TmpfsOptions; o != nil {
			for _, words := range o.Options {
				options = append(options, strings.Join(words, "="))
			}
			if o.SizeBytes > 0 {
				options = append(options, fmt.Sprintf("size=%d", o.SizeBytes))
			}
			if o.Mode != 0 {
				options = append(options, fmt.Sprintf("mode=%o", o.Mode))
			}
		}
		out[path.Clean(m.Target)] = strings.Join(options, ",")
	}
	return out
}

// declaredMounts takes the list of what the engine really mounts, which also
// has the volumes that the image asks for, sorted by target.
func declaredMounts(in container.InspectResponse) []spec.Mount {
	var out []spec.Mount
	for _, m := range in.Mounts {
		if m.Type == mount.TypeTmpfs {
			continue
		}
		source := m.Source
		if m.Type == mount.TypeVolume {
			source = m.Name
		}
		out = append(out, spec.Mount{Kind: spec.MountKind(m.Type), Source: source, Target: m.Destination, ReadOnly: !m.RW, Propagation: propagation(m.Propagation)})
	}
	slices.SortFunc(out, func(a, b spec.Mount) int { return cmp.Compare(a.Target, b.Target) })
	return out
}

// propagation leaves out the default, which is said in two ways.
func propagation(p mount.Propagation) string {
	if p == mount.PropagationPrivate || p == mount.PropagationRPrivate {
		return ""
	}
	return string(p)
}

func capNames(caps []string) []string {
	set := map[string]bool{}
	for _, c := range caps {
		set[strings.TrimPrefix(strings.ToUpper(c), "CAP_")] = true
	}
	return slices.Sorted(maps.Keys(set))
}
