package docker

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"

	"github.com/tightship-dev/tightship/internal/text"
)

// What every engine hides from a container, or shows it read-only, unless it is
// told not to (moby's oci/defaults.go). Versions differ in the rest of the list.
var (
	alwaysMasked   = []string{"/proc/kcore", "/proc/keys", "/proc/timer_list"}
	alwaysReadonly = []string{"/proc/sys", "/proc/sysrq-trigger"}
)

// others lists the settings that spec.Container has no word for. They are
// reported so that a container which differs only in these never looks the same.
func others(in container.InspectResponse) []string {
	host := in.HostConfig
	var out []string
	add := func(format string, args ...any) { out = append(out, text.OneLine(fmt.Sprintf(format, args...))) }
	each := func(name string, values []string) {
		for _, v := range values {
			add("%s=%s", name, v)
		}
	}
	text := func(name, value string) {
		if value != "" {
			add("%s=%s", name, value)
		}
	}

	for _, o := range host.SecurityOpt {
		if key, _, _ := cutOption(o); key != "no-new-privileges" && key != "seccomp" {
			add("%s", o)
		}
	}
	// null is the default, an empty list is none at all: Unmasked says that.
	if p := host.MaskedPaths; len(p) > 0 && lacks(p, alwaysMasked) {
		add("masked-paths=%s", strings.Join(p, ","))
	}
	if p := host.ReadonlyPaths; len(p) > 0 && lacks(p, alwaysReadonly) {
		add("readonly-paths=%s", strings.Join(p, ","))
	}
	text("userns", string(host.UsernsMode))
	text("cgroup", string(host.Cgroup))
	text("cgroup-parent", host.CgroupParent)
	each("volumes-from", host.VolumesFrom)
	each("link", host.Links)
	each("device-cgroup-rule", host.DeviceCgroupRules)
	for _, d := range host.DeviceRequests {
		add("device-request=%s", d.Driver)
	}
	for port := range host.PortBindings {
		add("publish=%s", port)
	}
	if host.PublishAllPorts {
		add("publish-all")
	}
	if host.OomKillDisable != nil && *host.OomKillDisable {
		add("oom-kill-disable")
	}
	if host.OomScoreAdj != 0 {
		add("oom-score-adj=%d", host.OomScoreAdj)
	}
	for _, key := range slices.Sorted(maps.Keys(host.Annotations)) {
		add("annotation=%s=%s", key, host.Annotations[key])
	}
	if in.Config.Tty {
		add("tty")
	}
	if in.NetworkSettings != nil {
		for name := range in.NetworkSettings.Networks {
			if mode := string(host.NetworkMode); name != mode && (name != "bridge" || mode != "default" && mode != "") {
				add("network=%s", name)
			}
		}
	}
	return out
}

func lacks(have, need []string) bool {
	return slices.ContainsFunc(need, func(p string) bool { return !slices.Contains(have, p) })
}
