package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/spec"
)

// A copy of somebody's container is made from what the engine itself says of
// that one, posted back as it came: an API has more shades than we have words
// (an empty list of masked paths is not a missing one), and a newer engine has
// settings that we have never heard of. Only what c changes is said in our
// words, and what would make the copy more than a stand-in is taken out: names
// and labels that a proxy or Compose would adopt, published ports, addresses,
// restarts, a terminal, a health check.

// object is a JSON object whose values are left as they are.
type object map[string]json.RawMessage

func (o object) set(key string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	o[key] = data
	return nil
}

// Request is the body of the call that makes a container.
func (e *Engine) Request(c spec.Container) ([]byte, error) {
	if c.Record != nil {
		return copied(c, e.podman)
	}
	config, host, err := translate(c)
	if err != nil {
		return nil, err
	}
	return json.Marshal([]any{config, host})
}

func (e *Engine) createCopy(ctx context.Context, name string, c spec.Container) (string, error) {
	content, err := copied(c, e.podman)
	if err != nil {
		return "", fmt.Errorf("docker: create: %w", err)
	}
	var created container.CreateResponse
	err = e.do(ctx, "create", nil, func(ctx context.Context) error {
		return refusal(ctx, e.post(ctx, "/containers/create", url.Values{"name": {name}}, content, &created), c)
	})
	if err != nil {
		return "", err
	}
	if len(created.Warnings) > 0 {
		e.warnings.Store(created.ID, created.Warnings)
	}
	return created.ID, nil
}

// post makes a call whose body the client library could not write.
func (e *Engine) post(ctx context.Context, route string, query url.Values, content []byte, created *container.CreateResponse) error {
	req, err := e.request(ctx, http.MethodPost, route, query, content)
	if err != nil {
		return err
	}
	resp, err := e.dialer.httpClient().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return refused(resp.StatusCode, resp.Body)
	}
	if err := json.NewDecoder(resp.Body).Decode(created); err != nil {
		return fmt.Errorf("%w: %w", engine.ErrBadAnswer, err)
	}
	return checkID(created.ID)
}

// copied is the request that makes a container like the one in c's record.
func copied(c spec.Container, podman bool) ([]byte, error) {
	var in container.InspectResponse
	var raw struct{ Config, HostConfig object }
	if err := json.Unmarshal(c.Record, &in); err != nil {
		return nil, fmt.Errorf("%w: the record to copy: %w", errInput, err)
	}
	if err := json.Unmarshal(c.Record, &raw); err != nil || in.Config == nil || in.HostConfig == nil {
		return nil, fmt.Errorf("%w: the record to copy has no settings", errInput)
	}
	config, host, err := translate(c)
	if err != nil {
		return nil, err
	}
	was := declared(in, podman)
	was.Network = networkMode(in.HostConfig) // what is in the record, whatever it is connected to
	if err := copyConfig(raw.Config, config, was, c); err != nil {
		return nil, err
	}
	if err := copyHost(raw.HostConfig, host, was, c); err != nil {
		return nil, err
	}
	if err := copyMounts(raw.HostConfig, in.HostConfig, was, c); err != nil {
		return nil, err
	}
	if err := raw.Config.set("HostConfig", raw.HostConfig); err != nil {
		return nil, err
	}
	return json.Marshal(raw.Config)
}

// change is a setting that is said anew where it differs from the record's.
type change struct {
	was, is any
	keys    map[string]any // what to write then
}

func apply(o object, changes []change) error {
	for _, ch := range changes {
		if reflect.DeepEqual(ch.was, ch.is) {
			continue
		}
		for key, value := range ch.keys {
			if err := o.set(key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyConfig(o object, config *container.Config, was, c spec.Container) error {
	for _, key := range []string{"Hostname", "Domainname", "ExposedPorts", "OnBuild", "MacAddress"} {
		delete(o, key)
	}
	always := map[string]any{
		"Image": config.Image, "Entrypoint": config.Entrypoint, "Cmd": config.Cmd, "Labels": config.Labels,
		"Healthcheck": config.Healthcheck, "AttachStdin": config.AttachStdin, "OpenStdin": config.OpenStdin,
		"StdinOnce": config.StdinOnce, "AttachStdout": true, "AttachStderr": true, "Tty": false,
	}
	for key, value := range always {
		if err := o.set(key, value); err != nil {
			return err
		}
	}
	return apply(o, []change{
		{was.User, c.User, map[string]any{"User": config.User}},
		{was.Env, c.Env, map[string]any{"Env": config.Env}},
		{was.WorkingDir, c.WorkingDir, map[string]any{"WorkingDir": config.WorkingDir}},
	})
}

func copyHost(o object, host *container.HostConfig, was, c spec.Container) error {
	for _, key := range []string{"PortBindings", "PublishAllPorts", "CgroupParent", "ContainerIDFile", "Links", "VolumesFrom", "AutoRemove", "OomKillDisable"} {
		delete(o, key)
	}
	for key, value := range map[string]any{"RestartPolicy": host.RestartPolicy, "LogConfig": host.LogConfig, "Init": host.Init} {
		if err := o.set(key, value); err != nil {
			return err
		}
	}
	security, err := copySecurity(o, host)
	if err != nil {
		return err
	}
	type limits struct{ memory, swap int64 }
	return apply(o, []change{
		{was.ReadonlyRootfs, c.ReadonlyRootfs, map[string]any{"ReadonlyRootfs": host.ReadonlyRootfs}},
		{was.ShmSize, c.ShmSize, map[string]any{"ShmSize": host.ShmSize}},
		// A reservation above the limit would be refused.
		{limits{was.Memory, was.Swap}, limits{c.Memory, c.Swap}, map[string]any{"Memory": host.Memory, "MemorySwap": host.MemorySwap, "MemoryReservation": 0, "KernelMemory": 0}},
		// As a quota: an engine refuses more CPUs than there are, and no quota.
		{was.MilliCPU, c.MilliCPU, map[string]any{"NanoCpus": 0, "CpuQuota": c.MilliCPU * cpuPeriod / 1000, "CpuPeriod": cpuPeriod}},
		{was.PIDs, c.PIDs, map[string]any{"PidsLimit": host.PidsLimit}},
		{was.Ulimits, c.Ulimits, map[string]any{"Ulimits": host.Ulimits}},
		{[2][]string{was.CapAdd, was.CapDrop}, [2][]string{c.CapAdd, c.CapDrop}, map[string]any{"CapAdd": host.CapAdd, "CapDrop": host.CapDrop}},
		{was.Privileged, c.Privileged, map[string]any{"Privileged": host.Privileged}},
		{[2]any{was.NoNewPrivileges, was.Seccomp}, [2]any{c.NoNewPrivileges, c.Seccomp}, map[string]any{"SecurityOpt": security}},
		{was.Sysctls, c.Sysctls, map[string]any{"Sysctls": host.Sysctls}},
		{was.Unmasked, c.Unmasked, map[string]any{"MaskedPaths": host.MaskedPaths, "ReadonlyPaths": host.ReadonlyPaths}},
		{was.Groups, c.Groups, map[string]any{"GroupAdd": host.GroupAdd}},
		{was.Devices, c.Devices, map[string]any{"Devices": host.Devices}},
		{was.Network, c.Network, map[string]any{"NetworkMode": host.NetworkMode}},
		{was.PIDMode, c.PIDMode, map[string]any{"PidMode": host.PidMode}},
		{was.IPCMode, c.IPCMode, map[string]any{"IpcMode": host.IpcMode}},
		{was.UTSMode, c.UTSMode, map[string]any{"UTSMode": host.UTSMode}},
		{was.CgroupNS, c.CgroupNS, map[string]any{"CgroupnsMode": host.CgroupnsMode}},
		{was.Runtime, c.Runtime, map[string]any{"Runtime": host.Runtime}},
	})
}

// cpuPeriod is the engines' default, in microseconds.
const cpuPeriod = 100_000

// copySecurity keeps the options that we have no word for, such as a profile of
// AppArmor, beside what c says.
func copySecurity(o object, host *container.HostConfig) ([]string, error) {
	var all []string
	if err := json.Unmarshal(o["SecurityOpt"], &all); o["SecurityOpt"] != nil && err != nil {
		return nil, fmt.Errorf("%w: SecurityOpt: %w", errInput, err)
	}
	kept := slices.DeleteFunc(all, func(option string) bool {
		key, _, _ := cutOption(option)
		return key == "no-new-privileges" || key == "seccomp"
	})
	return append(kept, host.SecurityOpt...), nil
}

// copyMounts keeps each mount that c has as the record does, in the record's
// own words (its propagation, its label), and says the others in ours.
func copyMounts(o object, host *container.HostConfig, was, c spec.Container) error {
	kept := map[string]bool{}
	same := func(target string) bool {
		target = path.Clean(target)
		for _, m := range c.Mounts {
			if m.Target == target && slices.Contains(was.Mounts, m) {
				kept[target] = true
				return true
			}
		}
		return false
	}
	binds := slices.DeleteFunc(slices.Clone(host.Binds), func(b string) bool { return !same(bindTarget(b)) })
	mounts := slices.DeleteFunc(slices.Clone(host.Mounts), func(m mount.Mount) bool {
		return m.Type == mount.TypeTmpfs || !same(m.Target)
	})
	ours, err := translateMounts(slices.DeleteFunc(slices.Clone(c.Mounts), func(m spec.Mount) bool { return kept[m.Target] }))
	if err != nil {
		return err
	}
	tmpfs := map[string]string{}
	for target, options := range host.Tmpfs {
		if host.ReadonlyRootfs && readOnly(options) {
			tmpfs[path.Clean(target)] = options // nothing can be written there, but it hides what is below
		}
	}
	given := tmpfsGiven(host)
	for target, t := range c.Tmpfs {
		options, ok := given[target]
		switch {
		case ok && t == was.Tmpfs[target]:
			tmpfs[target] = options
		case ok && options != "":
			tmpfs[target] = options + "," + tmpfsOptions(t) // a later option overrides
		default:
			tmpfs[target] = tmpfsOptions(t)
		}
	}
	for key, value := range map[string]any{"Binds": binds, "Mounts": append(mounts, ours...), "Tmpfs": tmpfs} {
		if err := o.set(key, value); err != nil {
			return err
		}
	}
	return nil
}

// bindTarget is the place of a mount in the form source:target[:options].
func bindTarget(bind string) string {
	parts := strings.Split(bind, ":")
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}
