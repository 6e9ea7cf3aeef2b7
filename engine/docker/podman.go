package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
	"github.com/tightship-dev/tightship/spec"
)

// Podman speaks Docker's API and means other things by some of its words
// (measured on 4.3.1; docs/engines.md lists what comes of it). What it would
// drop without a word is an error here, and what it does not report is named as
// not reported.

// podmanRootless asks for the one field of Podman's answer that Docker's does not
// have, and that the client library therefore drops.
func (e *Engine) podmanRootless(ctx context.Context) (rootless bool, err error) {
	err = e.do(ctx, "info", nil, func(ctx context.Context) error {
		req, err := e.request(ctx, http.MethodGet, "/info", nil, nil)
		if err != nil {
			return err
		}
		resp, err := e.dialer.httpClient().Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var answer struct{ Rootless *bool }
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Rootless == nil {
			return fmt.Errorf("%w: it does not say whether it is rootless", engine.ErrBadAnswer)
		}
		rootless = *answer.Rootless
		return nil
	})
	return rootless, err
}

// podmanScratch is where Podman mounts a tmpfs of its own over a read-only root,
// writable and unbounded. Its command can switch that off, its API cannot.
var podmanScratch = []string{"/run", "/tmp", "/var/tmp"}

// podmanCreate turns settings that are in Docker's words into Podman's. done
// removes what Podman needed only while it created the container.
func (e *Engine) podmanCreate(ctx context.Context, c spec.Container, config *container.Config, host *container.HostConfig) (done func(), err error) {
	if c.Runtime != "" {
		info, err := e.Info(ctx)
		if err != nil {
			return nil, err
		}
		if c.Runtime != info.Runtime {
			return nil, fmt.Errorf("%w: %q: Podman's API offers no other than its default, %s: choose it in containers.conf", engine.ErrRuntime, c.Runtime, info.Runtime)
		}
	}
	if len(c.Entrypoint) == 0 {
		// An empty list is the image's own to Podman, which must not run.
		config.Entrypoint, config.Cmd = c.Cmd[:1], c.Cmd[1:]
	}
	if c.ReadonlyRootfs {
		for _, dir := range podmanScratch {
			mounted := slices.ContainsFunc(c.Mounts, func(m spec.Mount) bool { return m.Target == dir })
			if _, tmpfs := c.Tmpfs[dir]; !tmpfs && !mounted {
				// As read-only as the root below it; Podman copies up what is there.
				host.Tmpfs[dir] = "ro,suid,dev,mode=755"
			}
		}
	}
	if err := podmanSuid(c, host); err != nil {
		return nil, err
	}
	if c.Unmasked {
		// It drops Docker's two lists without a word.
		host.SecurityOpt = append(host.SecurityOpt, "unmask=ALL")
	}
	return e.podmanSeccomp(host)
}

// podmanSuid moves the volumes in which setuid files must work to the one field
// whose text Podman reads mount options from.
func podmanSuid(c spec.Container, host *container.HostConfig) error {
	for _, m := range c.Mounts {
		if !m.Suid {
			continue
		}
		if m.Kind != spec.Volume || strings.Contains(m.Target, ":") {
			return fmt.Errorf("%w: suid at %s: Podman takes it for volumes, in a place without a colon", errInput, text.OneLine(m.Target))
		}
		mode := "rw"
		if m.ReadOnly {
			mode = "ro"
		}
		host.Mounts = slices.DeleteFunc(host.Mounts, func(have mount.Mount) bool { return have.Target == m.Target })
		host.Binds = append(host.Binds, m.Source+":"+m.Target+":"+mode+",suid,nocopy")
	}
	return nil
}

// podmanSeccomp hands a system call filter over as Podman wants it: as the name
// of a file on its own host, where Docker wants the content
// (github.com/containers/podman/issues/27710). The file is read while the
// container is created.
func (e *Engine) podmanSeccomp(host *container.HostConfig) (remove func(), err error) {
	remove = func() {}
	for i, o := range host.SecurityOpt {
		profile, ok := strings.CutPrefix(o, "seccomp=")
		if !ok || !strings.HasPrefix(strings.TrimSpace(profile), "{") {
			continue
		}
		if e.dialer.where.network != "unix" {
			return nil, fmt.Errorf("%w: Podman's API takes a seccomp profile only as a file of its own host: run tightship there", errInput)
		}
		name, err := writeProfile(profile)
		if err != nil {
			return nil, fmt.Errorf("writing the seccomp profile for Podman: %w", err)
		}
		remove = func() { os.Remove(name) }
		host.SecurityOpt[i] = "seccomp=" + name
		e.profiles.Store(name, profile)
	}
	return remove, nil
}

// writeProfile writes a temporary file that others can read: rootless, Podman
// is another user.
func writeProfile(profile string) (name string, err error) {
	f, err := os.CreateTemp("", "tightship-seccomp-*.json")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(profile)
	if merr := f.Chmod(0o644); err == nil {
		err = merr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// podmanDeclared turns Podman's words in a container's settings into Docker's.
func (e *Engine) podmanDeclared(st *engine.State, in container.InspectResponse) {
	c := &st.Declared
	// Set for the first process alone, and by Podman itself.
	c.Env = slices.DeleteFunc(slices.Clone(c.Env), func(kv string) bool { return kv == "HOSTNAME="+in.Config.Hostname })
	st.Record = nil // it lacks what Undeclared names, and could make no copy
	st.Undeclared = []string{"sysctls", "cgroup_ns", "runtime", "unmasked"}
	c.Runtime = "" // always "oci"
	if profile, ok := e.profiles.Load(c.Seccomp); ok {
		c.Seccomp = profile.(string)
	}
	if c.PIDMode == "private" {
		c.PIDMode = ""
	}
	if c.UTSMode == "private" {
		c.UTSMode = ""
	}
	if !c.Privileged && !slices.Contains(c.CapDrop, "ALL") {
		podmanCaps(c)
	}
}

// podmanBase is the bounding set that Podman's two lists are differences to,
// whatever its configuration gives to a container (opencontainers/runtime-tools'
// default, which is Docker's too).
var podmanBase = []string{
	"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
	"NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}

// podmanCaps says the bounding set as "drop all, add these": exact under any
// configuration.
func podmanCaps(c *spec.Container) {
	have := map[string]bool{}
	for _, name := range podmanBase {
		have[name] = !slices.Contains(c.CapDrop, name)
	}
	for _, name := range c.CapAdd {
		have[name] = true
	}
	maps.DeleteFunc(have, func(_ string, kept bool) bool { return !kept })
	c.CapDrop, c.CapAdd = []string{"ALL"}, slices.Sorted(maps.Keys(have))
}
