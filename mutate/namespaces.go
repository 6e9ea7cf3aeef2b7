package mutate

import (
	"maps"
	"strings"

	"github.com/tightship-dev/tightship/spec"
)

// namespaces weakens what is shared with the host. The main twin alone shares
// it: what the others do without their protections stays away from the host.
func namespaces() []Mutation {
	return []Mutation{
		{ID: "ns.pid-host", Title: "the host's processes are visible", Apply: func(c *spec.Container) { c.PIDMode = "host" }},
		{
			ID: "ns.net-host", Title: "the host's network is shared", Abstract: true,
			Apply: func(c *spec.Container) {
				c.Network = "host"
				// Engines refuse to change what is the host's.
				maps.DeleteFunc(c.Sysctls, func(name, _ string) bool { return strings.HasPrefix(name, "net.") })
			},
			MayBeRefused: "gVisor does not start in the host's network unless its runtime is registered with --network=host",
		},
		{ID: "ns.ipc-host", Title: "the host's shared memory is shared", Apply: func(c *spec.Container) { c.IPCMode = "host" }},
		{ID: "ns.uts-host", Title: "the host's name is shared", Apply: func(c *spec.Container) { c.UTSMode = "host" }},
		{ID: "ns.cgroup-host", Title: "the host's cgroups are visible", Apply: func(c *spec.Container) { c.CgroupNS = "host" }},
	}
}
