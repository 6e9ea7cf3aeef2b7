package docker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
)

// Info asks the engine about itself, once.
func (e *Engine) Info(ctx context.Context) (engine.Info, error) {
	if known := e.info.Load(); known != nil {
		return *known, nil
	}
	var version client.ServerVersionResult
	var info system.Info
	err := e.do(ctx, "info", nil, func(ctx context.Context) (err error) {
		if version, err = e.cli.ServerVersion(ctx, client.ServerVersionOptions{}); err != nil {
			return err
		}
		r, err := e.cli.Info(ctx, client.InfoOptions{})
		info = r.Info
		if err == nil && (version.Version == "" || info.OSType == "") {
			err = fmt.Errorf("%w: no version or no system", engine.ErrBadAnswer)
		}
		return err
	})
	if err != nil {
		return engine.Info{}, err
	}
	out := engine.Info{
		Name:     "docker",
		Version:  version.Version,
		API:      e.cli.ClientVersion(),
		OS:       info.OSType,
		Arch:     goarch(version.Arch, info.Architecture),
		Kernel:   info.KernelVersion,
		NCPU:     info.NCPU,
		Memory:   info.MemTotal,
		Runtimes: slices.Sorted(maps.Keys(info.Runtimes)),
		Runtime:  info.DefaultRuntime,
		Driver:   info.CgroupDriver,
		Root:     info.DockerRootDir,
		Lacks:    missingLimits(info),
		Programs: map[string]engine.Program{},
	}
	for name, r := range info.Runtimes {
		out.Programs[name] = engine.Program{Path: r.Path, Args: r.Args, Type: r.Type}
	}
	if e.podman {
		out.Name = "podman"
		out.Runtimes = []string{out.Runtime} // the others cannot be asked for
		if out.Rootless, err = e.podmanRootless(ctx); err != nil {
			return engine.Info{}, err
		}
	}
	if info.CgroupVersion != "" {
		out.Cgroup = "v" + info.CgroupVersion
	}
	for _, o := range info.SecurityOptions {
		switch name, _, _ := strings.Cut(strings.TrimPrefix(o, "name="), ","); name {
		case "apparmor", "selinux":
			out.LSM = name
		case "rootless":
			out.Rootless = true
		}
	}
	out.Local = e.dialer.where.network == "unix" && info.OSType == "linux" &&
		sameKernel(e.dialer.where.address, info.Name, info.KernelVersion, info.MemTotal)
	e.info.Store(&out)
	return out, nil
}

// missingLimits is the limits that the engine says its host cannot set.
func missingLimits(info system.Info) []string {
	var out []string
	for _, l := range []struct {
		name string
		has  bool
	}{{"cpu", info.CPUCfsQuota}, {"memory", info.MemoryLimit}, {"pids", info.PidsLimit}, {"swap", info.SwapLimit}} {
		if !l.has {
			out = append(out, l.name)
		}
	}
	return out
}

// goarch prefers the API's GOARCH name and translates the kernel's otherwise.
func goarch(arch, machine string) string {
	if arch != "" {
		return arch
	}
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return machine
}
