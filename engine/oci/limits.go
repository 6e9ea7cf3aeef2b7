//go:build linux

package oci

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/spec"
)

// cgroupRoot is where cgroups are mounted.
const cgroupRoot = "/sys/fs/cgroup"

// cpuPeriod is the scheduler's period in microseconds: the kernel's default.
const cpuPeriod = 100_000

func cgroupVersion() string {
	var s unix.Statfs_t
	if unix.Statfs(cgroupRoot, &s) == nil && s.Type == unix.CGROUP2_SUPER_MAGIC {
		return "2"
	}
	return "1"
}

// cgroupHybrid says whether version 2 is mounted beside version 1.
func cgroupHybrid() bool {
	var s unix.Statfs_t
	return cgroupVersion() == "1" && unix.Statfs(filepath.Join(cgroupRoot, "unified"), &s) == nil && s.Type == unix.CGROUP2_SUPER_MAGIC
}

// controller says why a cgroup controller cannot be used, "" when it can.
func (e *Engine) controller(name string) string {
	if !e.root {
		return "an ordinary user may not set it"
	}
	dir := filepath.Join(cgroupRoot, name)
	if cgroupVersion() == "2" {
		dir = cgroupRoot
		have, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
		if err != nil || !strings.Contains(" "+strings.TrimSpace(string(have))+" ", " "+name+" ") {
			return "this machine's cgroups have no controller " + name
		}
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return fmt.Sprintf("the cgroup controller %s cannot be written here: %v", name, err)
	}
	return ""
}

// setLimits hands over what this machine's cgroups can enforce. The rest is
// left out, so that it is not declared either, with a line that says why.
func (e *Engine) setLimits(r *record, s *specs.Spec, c spec.Container) {
	res := s.Linux.Resources
	set := func(name, controller string, wanted bool, f func()) {
		if !wanted {
			return
		}
		if why := e.controller(controller); why != "" {
			r.Other = append(r.Other, fmt.Sprintf("limit-not-set=%s: %s", name, why))
			return
		}
		f()
	}
	set("memory", "memory", c.Memory > 0, func() {
		limit := c.Memory
		res.Memory = &specs.LinuxMemory{Limit: &limit}
		swap := limit + c.Swap
		if c.Swap == spec.Unlimited {
			swap = -1
		}
		if cgroupVersion() == "1" {
			if _, err := os.Stat(filepath.Join(cgroupRoot, "memory", "memory.memsw.limit_in_bytes")); err != nil {
				r.Other = append(r.Other, "limit-not-set=swap: this kernel does not account for swap")
				return
			}
		}
		res.Memory.Swap = &swap
	})
	set("cpus", "cpu", c.MilliCPU > 0, func() {
		quota, period := c.MilliCPU*(cpuPeriod/1000), uint64(cpuPeriod)
		res.CPU = &specs.LinuxCPU{Quota: &quota, Period: &period}
	})
	set("pids", "pids", c.PIDs > 0, func() { res.Pids = &specs.LinuxPids{Limit: c.PIDs} })
	// Every machine has the pids controller: where not even that can be used, as
	// for root in a container, no cgroup can be made.
	if e.controller("pids") == "" {
		r.CgroupPath = "/tightship-" + r.ID
		s.Linux.CgroupsPath = r.CgroupPath
		return
	}
	// Without a cgroup there is no device filter; what is not there cannot be
	// opened, though, and nobody may make devices.
	s.Linux.Resources = &specs.LinuxResources{}
}

// checkLimits refuses what makes no sense.
func checkLimits(c spec.Container) error {
	switch {
	case c.Memory < 0, c.MilliCPU < 0, c.MilliCPU > 1<<40, c.PIDs < 0, c.Swap < spec.Unlimited, c.ShmSize < 0:
		return fmt.Errorf("%w: negative or impossible limit", ErrInput)
	case c.Memory == 0 && c.Swap > 0:
		return fmt.Errorf("%w: a bound on swap needs one on memory", ErrInput)
	case c.Memory+max(c.Swap, 0) < 0:
		return fmt.Errorf("%w: memory and swap are too large", ErrInput)
	}
	return nil
}
