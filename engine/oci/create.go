//go:build linux

package oci

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/internal/text"
	"github.com/tightship-dev/tightship/spec"
)

// defaultPath is a container's PATH where the image has none: Docker's.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// unconfined is a container without a system call filter.
const unconfined = "unconfined"

// Create writes a bundle for the runtime. Nothing runs yet. A name can be taken
// once; "" makes one up.
func (e *Engine) Create(ctx context.Context, name string, c spec.Container) (string, error) {
	id, err := e.create(ctx, cmp.Or(name, "c-"+strings.ToLower(rand.Text())), c)
	if err != nil {
		return "", fmt.Errorf("oci: create: %w", err)
	}
	return id, nil
}

func (e *Engine) create(ctx context.Context, name string, c spec.Container) (string, error) {
	if !validName.MatchString(name) {
		return "", fmt.Errorf("%w: the name %q", ErrInput, text.OneLine(name))
	}
	rt, err := e.runtime(c.Runtime)
	if err != nil {
		return "", err
	}
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	img, err := e.resolve(ctx, c.Image)
	if err != nil {
		return "", err
	}
	r := record{
		ID: idOf(name), Name: name, Labels: c.Labels, Image: c.Image, Runtime: rt.name, RuntimePath: rt.path,
		Network: c.Network, OpenStdin: c.OpenStdin, Groups: c.Groups, AllowSetuid: !c.NoNewPrivileges, Other: slices.Clone(img.notes),
	}
	g, err := e.store.stage()
	if err != nil {
		return "", err
	}
	bundle, err := e.bundle(&r, c, img, g.path)
	if err == nil {
		err = errors.Join(writeJSON(filepath.Join(g.path, "config.json"), bundle), writeJSON(filepath.Join(g.path, "container.json"), r))
	}
	if err != nil {
		g.discard()
		return "", err
	}
	if err := g.publish(e.store.container(r.ID)); errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("%w: the name %s is taken", ErrInput, name)
	} else if err != nil {
		return "", err
	}
	return r.ID, nil
}

// bundle says c in the runtime specification's words, and makes the files of the
// container in dir, which will be renamed to the container's directory.
func (e *Engine) bundle(r *record, c spec.Container, img *rootImage, dir string) (*specs.Spec, error) {
	final := e.store.container(r.ID)
	if len(c.Entrypoint)+len(c.Cmd) == 0 {
		return nil, fmt.Errorf("%w: no command, and the image's own must not run", ErrInput)
	}
	if c.Privileged {
		return nil, fmt.Errorf("%w: a privileged container", ErrInput)
	}
	if err := checkLimits(c); err != nil {
		return nil, err
	}
	namespaces, err := e.namespaces(c)
	if err != nil {
		return nil, err
	}
	who, err := img.lookUp(cmp.Or(c.User, img.config.User), c.Groups)
	if err != nil {
		return nil, err
	}
	bounding, err := boundingSet(c.CapAdd, c.CapDrop)
	if err != nil {
		return nil, err
	}
	if i := slices.Index(bounding, capPrefix+"NET_RAW"); i >= 0 {
		if r.RawSockets = e.root; !e.root {
			bounding = slices.Delete(bounding, i, i+1)
			r.Other = append(r.Other, "capability-not-given=NET_RAW: gVisor has none for an ordinary user")
		}
	}
	limits, err := rlimits(c.Ulimits)
	if err != nil {
		return nil, err
	}
	environ, err := environment(img.config.Env, c.Env, r.ID[:12])
	if err != nil {
		return nil, err
	}
	own, err := e.files(r, c, img, dir, final)
	if err != nil {
		return nil, err
	}
	mounts, err := e.mounts(c, own)
	if err != nil {
		return nil, err
	}
	s := &specs.Spec{
		Version: "1.0.2", // the newest that runc 1.1 knows
		Process: &specs.Process{
			Args: slices.Concat(c.Entrypoint, c.Cmd), Env: environ,
			Cwd:          cmp.Or(c.WorkingDir, img.config.WorkingDir, "/"),
			User:         who,
			Capabilities: capabilities(bounding, who.UID), Rlimits: limits,
			NoNewPrivileges: c.NoNewPrivileges, ApparmorProfile: e.confinement(),
		},
		Root:   &specs.Root{Path: filepath.Join(final, "rootfs"), Readonly: c.ReadonlyRootfs},
		Mounts: mounts,
		Linux: &specs.Linux{
			Namespaces: namespaces, Sysctl: maps.Clone(c.Sysctls),
			MaskedPaths: maskedPaths, ReadonlyPaths: readonlyPaths,
			Resources: &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
		},
	}
	if slices.ContainsFunc(mounts, handsOn) {
		s.Linux.RootfsPropagation = "shared"
	}
	if c.Unmasked {
		s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = nil, nil
	}
	if c.UTSMode != "host" {
		s.Hostname = r.ID[:12]
	}
	if !e.root {
		if err := mountPoints(img, mounts); err != nil {
			return nil, err
		}
		s.Root.Path = img.rootfs
		r.Other = append(r.Other, "volumes=what is written to one stays in the container's memory")
	} else {
		r.Lower = img.rootfs
		if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
			return nil, err
		}
	}
	e.setLimits(r, s, c)
	if err := e.devices(s, c.Devices); err != nil {
		return nil, err
	}
	return s, e.filter(r, s, c.Seccomp)
}

// mountPoints refuses what gVisor would make in a directory of the user's: as an
// ordinary user it makes missing mount points in the image itself. In our own
// copy of an image it may.
func mountPoints(img *rootImage, mounts []specs.Mount) error {
	for _, m := range mounts {
		if m.Type == "bind" && strings.HasPrefix(img.id, "dir:") && !img.has(m.Destination) {
			return hinted{fmt.Errorf("%w: the image %s has nothing at %s to mount over, and an image is not written to", ErrInput, img.id, text.OneLine(m.Destination)),
				"make it there, or use an image that is unpacked (oci:, docker-archive:)"}
		}
	}
	return nil
}

// filter sets the system call filter from a profile as Docker writes them.
func (e *Engine) filter(r *record, s *specs.Spec, profile string) (err error) {
	switch profile {
	case unconfined:
		return nil
	case "":
		s.Linux.Seccomp, err = seccomp.GetDefaultProfile(s)
	default:
		s.Linux.Seccomp, err = seccomp.LoadProfile(profile, s)
		if err == nil && s.Linux.Seccomp == nil {
			err = errors.New("it forbids nothing")
		}
	}
	if err != nil {
		return fmt.Errorf("%w: the seccomp profile: %w", ErrInput, err)
	}
	if r.Runtime == "runsc" {
		noSuchCall(r, s.Linux.Seccomp)
	}
	return nil
}

// noSuchCall has gVisor refuse with ENOSYS what the profile refuses so: clone3,
// for which C libraries then use clone, whose flags a filter can see. gVisor
// knows no errno but EPERM, with which no thread would start any more. "Ask the
// tracer" is ENOSYS where there is no tracer (seccomp(2)); with one, which is a
// process of the container's, the call reaches gVisor's kernel, never the host's.
func noSuchCall(r *record, filter *specs.LinuxSeccomp) {
	for i, call := range filter.Syscalls {
		if call.Action == specs.ActErrno && call.ErrnoRet != nil && *call.ErrnoRet == uint(unix.ENOSYS) {
			filter.Syscalls[i].Action, filter.Syscalls[i].ErrnoRet = specs.ActTrace, nil
			r.Other = append(r.Other, "seccomp="+strings.Join(call.Names, ",")+": SCMP_ACT_TRACE, gVisor's way to answer ENOSYS")
		}
	}
}

// namespaces are new ones for everything that does not ask for the host's.
func (e *Engine) namespaces(c spec.Container) ([]specs.LinuxNamespace, error) {
	all := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	for _, n := range []struct {
		kind       specs.LinuxNamespaceType
		what, mode string
		private    []string
	}{
		{specs.NetworkNamespace, "network", cmp.Or(c.Network, "bridge"), []string{"none"}},
		{specs.PIDNamespace, "pid", c.PIDMode, []string{"", "private"}},
		{specs.IPCNamespace, "ipc", c.IPCMode, []string{"", "private"}},
		{specs.UTSNamespace, "uts", c.UTSMode, []string{"", "private"}},
		{specs.CgroupNamespace, "cgroup", c.CgroupNS, []string{"", "private"}},
	} {
		switch {
		case slices.Contains(n.private, n.mode):
			all = append(all, specs.LinuxNamespace{Type: n.kind})
		case n.mode == "host":
		case n.what == "network":
			return nil, hinted{fmt.Errorf("%w: network %q: without a daemon there is only none and host", ErrInput, text.OneLine(n.mode)),
				"say `network: none` in the policy, or use --engine docker"}
		default:
			return nil, fmt.Errorf("%w: %s namespace %q", ErrInput, n.what, text.OneLine(n.mode))
		}
	}
	if _, err := os.Stat("/proc/self/ns/cgroup"); err != nil {
		all = slices.DeleteFunc(all, func(n specs.LinuxNamespace) bool { return n.Type == specs.CgroupNamespace })
	}
	return all, nil
}

// files makes the container's own files and returns their mounts.
func (e *Engine) files(r *record, c spec.Container, img *rootImage, dir, final string) ([]specs.Mount, error) {
	files := map[string]string{
		"/etc/hostname": r.ID[:12] + "\n",
		"/etc/hosts":    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
	}
	if c.Network == "host" {
		for _, name := range []string{"/etc/hosts", "/etc/resolv.conf"} {
			if data, err := os.ReadFile(name); err == nil {
				files[name] = string(data)
			}
		}
	}
	mounts := slices.Clone(img.mounts)
	for _, target := range slices.Sorted(maps.Keys(files)) {
		if !e.root && !img.has(target) {
			continue // the place for it cannot be made in an image that all share
		}
		name := filepath.Base(target)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(files[target]), 0o644); err != nil {
			return nil, err
		}
		mounts = append(mounts, specs.Mount{Destination: target, Type: "bind", Source: filepath.Join(final, name), Options: []string{"bind", "rprivate", "ro"}})
	}
	for _, m := range mounts {
		r.Own = append(r.Own, m.Destination)
	}
	return mounts, nil
}

// devices are those of the host that are asked for by path.
func (e *Engine) devices(s *specs.Spec, paths []string) error {
	for _, p := range paths {
		var st unix.Stat_t
		if err := unix.Stat(p, &st); err != nil {
			return fmt.Errorf("device %s: %w", text.OneLine(p), err)
		}
		kind := ""
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFCHR:
			kind = "c"
		case unix.S_IFBLK:
			kind = "b"
		}
		if kind == "" || !e.root {
			return fmt.Errorf("%w: device %q", ErrInput, text.OneLine(p))
		}
		major, minor := int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
		mode := fs.FileMode(st.Mode & 0o777)
		s.Linux.Devices = append(s.Linux.Devices, specs.LinuxDevice{Path: p, Type: kind, Major: major, Minor: minor, FileMode: &mode, UID: &st.Uid, GID: &st.Gid})
		s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, specs.LinuxDeviceCgroup{Allow: true, Type: kind, Major: &major, Minor: &minor, Access: "rwm"})
	}
	return nil
}
