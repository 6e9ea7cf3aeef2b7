package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Variables is what the programs in a container need to be told to use the
// credentials, as NAME=VALUE, sorted, where the forwarder in the container listens on the
// port of 127.0.0.1. It is what Credential.Sets says, and for git (2.31 or newer) that
// what lies at an upstream is to be asked for at its route, so that addresses stay as they
// are. Nothing of it is secret.
func (p *Policy) Variables(port int) []string {
	all := map[string]string{}
	routes := 0
	for _, c := range p.Credentials {
		for name, value := range c.Sets {
			all[name] = strings.ReplaceAll(value, portPlaceholder, strconv.Itoa(port))
		}
		if c.Git == nil {
			continue
		}
		all[fmt.Sprintf("GIT_CONFIG_KEY_%d", routes)] = fmt.Sprintf("url.http://127.0.0.1:%d%s/.insteadOf", port, strings.TrimSuffix(c.Route.Listen, "/"))
		all[fmt.Sprintf("GIT_CONFIG_VALUE_%d", routes)] = c.Route.Upstream + "/"
		routes++
	}
	if routes > 0 {
		all["GIT_CONFIG_COUNT"] = strconv.Itoa(routes)
	}
	out := make([]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, name+"="+all[name])
	}
	return out
}
