package policy

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tightship-dev/tightship/spec"
)

// ComposeSeccomp is the file that a Compose file refers to for SeccompDefault; it
// has to hold SeccompProfile of the policy's runtime.
const ComposeSeccomp = "tightship-seccomp.json"

// Compose returns a Compose file with one service that has every setting of the
// policy. It belongs beside the policy file: Compose, too, counts relative paths from
// the directory of its file. The error is an Errors about what Compose has no words
// for.
func (p *Policy) Compose() ([]byte, error) {
	c, err := p.Container()
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	line := func(indent int, format string, args ...any) {
		fmt.Fprintf(&b, strings.Repeat("  ", indent)+format+"\n", args...)
	}
	list := func(key string, values []string) {
		if len(values) == 0 {
			return
		}
		line(2, "%s:", key)
		for _, v := range values {
			line(3, "- %s", composeText(v))
		}
	}
	tmpfs, err := p.composeTmpfs(c.Tmpfs)
	if err != nil {
		return nil, err
	}

	b.WriteString(composeHead)
	line(0, "services:")
	line(1, "agent:")
	line(2, "image: %s", composeText(c.Image))
	line(2, "user: %s", strconv.Quote(c.User)) // 1000:100 is a number in YAML 1.1
	list("group_add", c.Groups)
	line(2, "read_only: %t", c.ReadonlyRootfs)
	list("tmpfs", tmpfs)
	if p.Workspace.Mode != WorkspaceNone {
		line(2, "volumes:")
		line(3, "- type: bind")
		line(4, "source: %s", composeText(composePath(p.Workspace.Source)))
		line(4, "target: %s", composeText(p.Workspace.Target))
		line(4, "read_only: %t", p.Workspace.Mode == WorkspaceRO)
		line(4, "bind: {create_host_path: false}")
	}
	if c.Memory > 0 {
		line(2, "mem_limit: %d", c.Memory)
		swap := c.Memory + c.Swap
		if c.Swap == spec.Unlimited {
			swap = spec.Unlimited
		}
		line(2, "memswap_limit: %d # memory and swap together", swap)
	}
	if c.MilliCPU > 0 {
		line(2, "cpus: %q", p.Limits.CPUs.String())
	}
	if c.PIDs > 0 {
		line(2, "pids_limit: %d", c.PIDs)
	}
	if len(c.Ulimits) > 0 {
		line(2, "ulimits:")
		for _, name := range slices.Sorted(maps.Keys(c.Ulimits)) {
			line(3, "%s: %d", name, c.Ulimits[name])
		}
	}
	list("cap_drop", c.CapDrop)
	list("cap_add", c.CapAdd)
	list("security_opt", p.composeSecurity())
	if len(c.Sysctls) > 0 {
		line(2, "sysctls:")
		for _, name := range slices.Sorted(maps.Keys(c.Sysctls)) {
			line(3, "%s: %s", composeText(name), strconv.Quote(strings.ReplaceAll(c.Sysctls[name], "$", "$$")))
		}
	}
	line(2, "network_mode: %s", c.Network)
	line(2, "ipc: private")
	line(2, "cgroup: private # where the host has cgroup v1, Docker would share its own")
	if c.Runtime != "" {
		line(2, "runtime: %s", composeText(c.Runtime))
	}
	return []byte(b.String()), nil
}

const composeHead = `# What tightship.yaml asks for, in Compose's words. To prove that a container made
# from this file is as tight as the policy:
#
#   docker compose create
#   tightship verify --policy tightship.yaml --container "$(docker compose ps --all --quiet agent)"
#
# Change both files together: the second command finds what they do not share.
`

// composeTmpfs is the tmpfs entries, in the one syntax of Compose that has mount
// options.
func (p *Policy) composeTmpfs(all map[string]spec.Tmpfs) ([]string, error) {
	var out []string
	for _, at := range slices.Sorted(maps.Keys(all)) {
		if strings.Contains(at, ":") {
			return nil, p.fault("tmpfs."+at, "Compose cannot mount a tmpfs at a path with a colon in it", nil)
		}
		t, options := all[at], "rw"
		for _, o := range []struct {
			allowed bool
			name    string
		}{{t.Exec, "exec"}, {t.Suid, "suid"}, {t.Dev, "dev"}} {
			if !o.allowed {
				o.name = "no" + o.name
			}
			options += "," + o.name
		}
		options += ",mode=1777"
		if t.Size > 0 {
			options += ",size=" + strconv.FormatInt(t.Size, 10)
		}
		out = append(out, at+":"+options)
	}
	return out, nil
}

func (p *Policy) composeSecurity() []string {
	out := []string{fmt.Sprintf("no-new-privileges:%t", p.NoNewPrivileges)}
	switch p.Seccomp {
	case SeccompUnconfined:
		return append(out, "seccomp:unconfined")
	case SeccompDefault, "":
		return append(out, "seccomp:"+ComposeSeccomp)
	}
	return append(out, "seccomp:"+p.Seccomp)
}

// composePath writes a path so that Compose takes it for one and not for a volume's
// name.
func composePath(name string) string {
	if filepath.IsAbs(name) || name == "." || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") {
		return name
	}
	return "./" + name
}

// composeText is yamlText for a program that would put variables in place of
// dollar signs.
func composeText(s string) string { return yamlText(strings.ReplaceAll(s, "$", "$$")) }
