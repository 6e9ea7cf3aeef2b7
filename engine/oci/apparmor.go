//go:build linux

package oci

import (
	"os"
	"slices"
	"strings"
)

// loadedProfiles lists AppArmor's profiles in the kernel, a line each. Only root can
// read it; it is not there where AppArmor is off.
const loadedProfiles = "/sys/kernel/security/apparmor/profiles"

// engineProfiles are those that other engines of this machine load for their
// containers: Docker's, and those of Podman and CRI-O with their versions behind.
var engineProfiles = []string{"docker-default", "containers-default-", "crio-default"}

// confinement is the AppArmor profile for a container, "" where the kernel has none
// that would do. We load none of our own: what the kernel enforces on this machine is
// its owner's to say, and an engine that loads one says so in its documentation.
func (e *Engine) confinement() string {
	if !e.root {
		return ""
	}
	list, err := os.ReadFile(loadedProfiles)
	if err != nil {
		return ""
	}
	return enforced(string(list))
}

// enforced is the first of engineProfiles that is in the list and refuses things.
func enforced(list string) string {
	for _, want := range engineProfiles {
		var found []string
		for line := range strings.Lines(list) {
			name, ok := strings.CutSuffix(strings.TrimSpace(line), " (enforce)")
			if ok && (name == want || strings.HasSuffix(want, "-") && strings.HasPrefix(name, want)) {
				found = append(found, name)
			}
		}
		if len(found) > 0 {
			return slices.Max(found) // of several versions, always the same
		}
	}
	return ""
}
