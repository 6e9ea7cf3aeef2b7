package policy

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tightship-dev/tightship/spec"
)

// Container returns the settings that the policy asks for. The workspace's
// source is made absolute, from the directory of the policy file; whether it
// exists is not checked. The error is an Errors about a seccomp file that is
// missing or not a profile.
func (p *Policy) Container() (spec.Container, error) {
	profile, err := p.seccomp()
	if err != nil {
		return spec.Container{}, err
	}
	c := spec.Container{
		Image:           p.Image,
		Runtime:         p.Runtime,
		User:            fmt.Sprintf("%d:%d", p.User.UID, p.User.GID),
		ReadonlyRootfs:  p.Rootfs != Writable,
		Tmpfs:           map[string]spec.Tmpfs{},
		Memory:          int64(p.Limits.Memory),
		Swap:            int64(p.Limits.Swap),
		MilliCPU:        int64(p.Limits.CPUs),
		PIDs:            int64(p.Limits.PIDs),
		Ulimits:         map[string]int64{},
		CapAdd:          slices.Sorted(slices.Values(p.Capabilities)),
		CapDrop:         []string{"ALL"},
		NoNewPrivileges: p.NoNewPrivileges,
		Seccomp:         profile,
		Sysctls:         maps.Clone(p.Sysctls),
		Network:         string(p.Network),
	}
	for _, g := range p.User.Groups {
		c.Groups = append(c.Groups, strconv.FormatInt(g, 10))
	}
	for at, t := range p.Tmpfs {
		c.Tmpfs[at] = spec.Tmpfs{Size: int64(t.Size), Exec: t.Exec, Suid: t.Suid, Dev: t.Dev}
	}
	if p.Limits.NoFile > 0 {
		c.Ulimits["nofile"] = int64(p.Limits.NoFile)
	}
	if p.Limits.Core >= 0 {
		c.Ulimits["core"] = int64(p.Limits.Core)
	}
	if p.Workspace.Mode != WorkspaceNone {
		source, err := p.hostPath(p.Workspace.Source)
		if err != nil {
			return spec.Container{}, p.fault("workspace.source", err.Error(), err)
		}
		c.Mounts = []spec.Mount{{
			Kind:     spec.Bind,
			Source:   source,
			Target:   p.Workspace.Target,
			ReadOnly: p.Workspace.Mode == WorkspaceRO,
		}}
	}
	return c, nil
}

// HostPath resolves a path of a credential (Route.CA, or what follows file:,
// age: or oauth: in Credential.From): one that is relative counts from the
// directory of the policy file, or from the working directory without one, and
// ~/ is the home of whoever runs this program. Whether it exists is not checked.
func (p *Policy) HostPath(name string) (string, error) {
	rest, home := strings.CutPrefix(name, "~/")
	if !home {
		return p.hostPath(name)
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("policy: %s: %w", name, err)
	}
	return filepath.Abs(filepath.Join(dir, rest))
}

// hostPath resolves a path of the file. With no file it counts from the
// working directory.
func (p *Policy) hostPath(name string) (string, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(p.Source), name)
	}
	return filepath.Abs(name)
}

// fault is an error about a value that decoded well.
func (p *Policy) fault(at, msg string, err error) error {
	o := p.Origins[at]
	return Errors{{File: p.Source, Line: o.Line, Column: o.Column, Path: at, Msg: msg, Err: err}}
}
