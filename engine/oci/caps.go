//go:build linux

package oci

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/sys/capability"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/tightship-dev/tightship/internal/text"
)

// defaultCaps are the capabilities of a container that asks for no others:
// Docker's, without the prefix. A test holds them to package check's.
var defaultCaps = []string{
	"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
	"NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}

const capPrefix = "CAP_"

// boundingSet combines the defaults with what is added and dropped, as Docker
// does: with ALL dropped only what is added is left.
func boundingSet(add, drop []string) ([]string, error) {
	supported, err := capability.ListSupported()
	if err != nil {
		return nil, fmt.Errorf("the kernel's capabilities cannot be read: %w", err)
	}
	var all []string
	for _, c := range supported {
		all = append(all, strings.ToUpper(c.String()))
	}
	clean := func(names []string) ([]string, error) {
		var out []string
		for _, n := range names {
			n = strings.TrimPrefix(strings.ToUpper(n), capPrefix)
			if n != "ALL" && !slices.Contains(all, n) {
				return nil, fmt.Errorf("%w: capability %q, which this kernel does not have", ErrInput, text.OneLine(n))
			}
			out = append(out, n)
		}
		return out, nil
	}
	if add, err = clean(add); err != nil {
		return nil, err
	}
	if drop, err = clean(drop); err != nil {
		return nil, err
	}
	var base []string
	switch {
	case slices.Contains(add, "ALL"):
		base, add = all, nil
	case !slices.Contains(drop, "ALL"):
		base = defaultCaps
	}
	set := []string{}
	for _, c := range base {
		if !slices.Contains(drop, c) {
			set = append(set, capPrefix+c)
		}
	}
	for _, c := range add {
		set = append(set, capPrefix+c)
	}
	slices.Sort(set)
	return slices.Compact(set), nil
}

// capabilities are a process's five sets. As with Docker only root has any that
// are in force; for others the bounding set is what a setuid program could give.
func capabilities(bounding []string, uid uint32) *specs.LinuxCapabilities {
	c := &specs.LinuxCapabilities{Bounding: bounding, Effective: []string{}, Permitted: []string{}, Inheritable: []string{}, Ambient: []string{}}
	if uid == 0 {
		c.Effective, c.Permitted = bounding, bounding
	}
	return c
}
