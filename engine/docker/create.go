package docker

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
	"github.com/tightship-dev/tightship/spec"
)

// Create makes a container from c. Warnings the engine gives, for a limit that
// this host cannot enforce for one, are not errors: the engine then declares
// the weaker setting, and Inspect reports the warning in State.Other.
func (e *Engine) Create(ctx context.Context, name string, c spec.Container) (string, error) {
	if name != "" {
		if err := checkName(name, errInput); err != nil {
			return "", err
		}
	}
	if err := checkRef(c.Image); err != nil {
		return "", err
	}
	if c.Record != nil {
		return e.createCopy(ctx, name, c)
	}
	config, host, err := translate(c)
	if err != nil {
		return "", fmt.Errorf("docker: create: %w", err)
	}
	if e.podman {
		done, err := e.podmanCreate(ctx, c, config, host)
		if err != nil {
			return "", fmt.Errorf("docker: create: %w", err)
		}
		defer done()
	}
	var created client.ContainerCreateResult
	err = e.do(ctx, "create", nil, func(ctx context.Context) (err error) {
		created, err = e.cli.ContainerCreate(ctx, client.ContainerCreateOptions{Name: name, Config: config, HostConfig: host})
		if err == nil {
			err = checkID(created.ID)
		}
		return refusal(ctx, err, c)
	})
	if err != nil {
		return "", err
	}
	if len(created.Warnings) > 0 {
		e.warnings.Store(created.ID, created.Warnings)
	}
	return created.ID, nil
}

// refusal says why a container was not made, nil when it was.
func refusal(ctx context.Context, err error, c spec.Container) error {
	if err == nil {
		return nil
	}
	if recordOf(ctx).status == 404 && strings.Contains(strings.ToLower(err.Error()), "no such image") {
		return fmt.Errorf("%w: %s", engine.ErrNoImage, c.Image)
	}
	return redact(err, c.Env)
}

// redact takes values of the environment out of what the engine complains
// about: they may be credentials.
func redact(err error, env []string) error {
	message := err.Error()
	for _, kv := range env {
		if _, value, ok := strings.Cut(kv, "="); ok && len(value) >= 4 {
			message = strings.ReplaceAll(message, value, "***")
		}
	}
	if message == err.Error() {
		return err
	}
	return &apiError{message: message}
}

// translate says c in Docker's words. It sets every field whose default differs
// between engines or versions, and refuses what Docker cannot express.
func translate(c spec.Container) (*container.Config, *container.HostConfig, error) {
	if len(c.Entrypoint)+len(c.Cmd) == 0 {
		return nil, nil, fmt.Errorf("%w: no command, and the image's own must not run", errInput)
	}
	resources, err := translateLimits(c)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range c.Devices {
		if !strings.HasPrefix(d, "/") {
			return nil, nil, fmt.Errorf("%w: device %q is no absolute path", errInput, text.OneLine(d))
		}
		resources.Devices = append(resources.Devices, container.DeviceMapping{PathOnHost: d, PathInContainer: d, CgroupPermissions: "rwm"})
	}
	mounts, err := translateMounts(c.Mounts)
	if err != nil {
		return nil, nil, err
	}
	tmpfs := map[string]string{}
	for target, t := range c.Tmpfs {
		if t.Size < 0 || t.Mode > 0o7777 {
			return nil, nil, fmt.Errorf("%w: tmpfs %s: size %d, mode %o", errInput, text.OneLine(target), t.Size, t.Mode)
		}
		tmpfs[target] = tmpfsOptions(t)
	}
	for _, kv := range c.Env {
		// Without a "=" the engine would remove the image's variable.
		if key, _, ok := strings.Cut(kv, "="); !ok || key == "" {
			return nil, nil, fmt.Errorf("%w: an environment entry is not KEY=VALUE", errInput)
		}
	}
	if c.ShmSize < 0 {
		return nil, nil, fmt.Errorf("%w: shm size %d", errInput, c.ShmSize)
	}

	var security []string
	if c.NoNewPrivileges {
		security = append(security, "no-new-privileges:true")
	}
	if c.Seccomp != "" {
		security = append(security, "seccomp="+c.Seccomp)
	}
	entrypoint := c.Entrypoint
	if entrypoint == nil {
		entrypoint = []string{} // null would mean the image's own
	}
	no := false

	config := &container.Config{
		Image:        c.Image,
		Entrypoint:   entrypoint,
		Cmd:          c.Cmd,
		WorkingDir:   c.WorkingDir,
		User:         c.User,
		Env:          c.Env,
		Labels:       c.Labels,
		AttachStdin:  c.OpenStdin,
		OpenStdin:    c.OpenStdin,
		StdinOnce:    c.OpenStdin,
		AttachStdout: true,
		AttachStderr: true,
		Healthcheck:  &container.HealthConfig{Test: []string{"NONE"}},
	}
	host := &container.HostConfig{
		Resources:      resources,
		Runtime:        c.Runtime,
		ReadonlyRootfs: c.ReadonlyRootfs,
		Tmpfs:          tmpfs,
		Mounts:         mounts,
		ShmSize:        c.ShmSize,
		GroupAdd:       c.Groups,
		CapAdd:         c.CapAdd,
		CapDrop:        c.CapDrop,
		Privileged:     c.Privileged,
		SecurityOpt:    security,
		Sysctls:        c.Sysctls,
		NetworkMode:    container.NetworkMode(c.Network),
		PidMode:        container.PidMode(c.PIDMode),
		IpcMode:        container.IpcMode(cmp.Or(c.IPCMode, "private")),
		UTSMode:        container.UTSMode(c.UTSMode),
		CgroupnsMode:   container.CgroupnsMode(cmp.Or(c.CgroupNS, "private")),
		LogConfig:      container.LogConfig{Type: "none"},
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyDisabled},
		Init:           &no,
	}
	if c.Unmasked {
		// Empty lists: null would be the engine's defaults.
		host.MaskedPaths, host.ReadonlyPaths = []string{}, []string{}
	}
	return config, host, nil
}

func translateLimits(c spec.Container) (container.Resources, error) {
	var r container.Resources
	switch {
	case c.Memory < 0, c.MilliCPU < 0, c.MilliCPU > 1<<40, c.PIDs < 0, c.Swap < spec.Unlimited:
		return r, fmt.Errorf("%w: negative or impossible limit", errInput)
	case c.Memory == 0 && c.Swap > 0:
		return r, fmt.Errorf("%w: a bound on swap needs one on memory", errInput)
	case c.Memory+c.Swap < 0 && c.Swap != spec.Unlimited:
		return r, fmt.Errorf("%w: memory and swap are too large", errInput)
	}
	r.Memory = c.Memory
	if c.Memory > 0 {
		r.MemorySwap = c.Memory + c.Swap
		if c.Swap == spec.Unlimited {
			r.MemorySwap = -1
		}
	}
	r.NanoCPUs = c.MilliCPU * 1e6
	// 0 and null are Docker's words for no limit and Podman's for 2048.
	pids := c.PIDs
	if pids == 0 {
		pids = -1
	}
	r.PidsLimit = &pids
	for _, name := range slices.Sorted(maps.Keys(c.Ulimits)) {
		value := c.Ulimits[name]
		if value < spec.Unlimited {
			return r, fmt.Errorf("%w: ulimit %s=%d", errInput, text.OneLine(name), value)
		}
		if _, err := units.ParseUlimit(fmt.Sprintf("%s=%d", name, value)); err != nil {
			return r, fmt.Errorf("%w: %s", errInput, text.OneLine(err.Error()))
		}
		r.Ulimits = append(r.Ulimits, &container.Ulimit{Name: name, Soft: value, Hard: value})
	}
	return r, nil
}

func translateMounts(mounts []spec.Mount) ([]mount.Mount, error) {
	var out []mount.Mount
	for _, m := range mounts {
		t := mount.Mount{Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly}
		switch m.Kind {
		case spec.Volume:
			if err := checkName(m.Source, errInput); err != nil {
				return nil, err
			}
			if m.Propagation != "" {
				return nil, fmt.Errorf("%w: propagation of volume %s", errInput, m.Source)
			}
			// The image's content must not be copied into a volume of ours.
			t.Type, t.VolumeOptions = mount.TypeVolume, &mount.VolumeOptions{NoCopy: true}
		case spec.Bind:
			if !strings.HasPrefix(m.Source, "/") {
				return nil, fmt.Errorf("%w: bind mount of %q, no absolute path", errInput, text.OneLine(m.Source))
			}
			t.Type = mount.TypeBind
			// A mount that holds the engine's own directory it makes rslave by itself,
			// also where the host's root is not shared; the word it would refuse there.
			if p := mount.Propagation(m.Propagation); p != "" && !(m.Source == "/" && p == mount.PropagationRSlave) {
				if !slices.Contains(mount.Propagations, p) {
					return nil, fmt.Errorf("%w: propagation %q", errInput, text.OneLine(m.Propagation))
				}
				t.BindOptions = &mount.BindOptions{Propagation: p}
			}
		default:
			return nil, fmt.Errorf("%w: mount of kind %q", errInput, text.OneLine(string(m.Kind)))
		}
		out = append(out, t)
	}
	return out, nil
}
