//go:build linux

package oci

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/tightship-dev/tightship/internal/text"
	"github.com/tightship-dev/tightship/spec"
)

// What every engine hides from a container or shows read-only (moby's
// oci/defaults.go).
var (
	maskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
		"/sys/devices/virtual/powercap", "/sys/firmware",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// defaultShm is the size of /dev/shm where nobody says another: Docker's.
const defaultShm = 64 << 20

// defaultMounts are what every container has, as Docker mounts it.
func defaultMounts(shm int64) []specs.Mount {
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro", "nosuid", "noexec", "nodev"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", fmt.Sprintf("size=%d", cmp.Or(shm, defaultShm))}},
	}
}

// hostShm is the memory that programs of this machine share, which is part of
// its IPC namespace as Docker sees it.
var hostShm = specs.Mount{Destination: "/dev/shm", Type: "bind", Source: "/dev/shm", Options: []string{"rbind", "rprivate", "rw"}}

// mounts is everything in mount order: what is above comes first. A mount of the
// caller's takes the place of ours at the same target.
func (e *Engine) mounts(c spec.Container, own []specs.Mount) ([]specs.Mount, error) {
	var asked []specs.Mount
	for _, target := range slices.Sorted(maps.Keys(c.Tmpfs)) {
		t := c.Tmpfs[target]
		if !path.IsAbs(target) || t.Size < 0 || t.Mode > 0o7777 {
			return nil, fmt.Errorf("%w: tmpfs %s: size %d, mode %o", ErrInput, text.OneLine(target), t.Size, t.Mode)
		}
		asked = append(asked, specs.Mount{Destination: path.Clean(target), Type: "tmpfs", Source: "tmpfs", Options: tmpfsOptions(t)})
	}
	for _, m := range c.Mounts {
		source, err := e.source(m)
		if err != nil {
			return nil, err
		}
		if !path.IsAbs(m.Target) || path.Clean(m.Target) == "/" {
			return nil, fmt.Errorf("%w: a mount at %q", ErrInput, text.OneLine(m.Target))
		}
		if m.Propagation != "" && (m.Kind != spec.Bind || !slices.Contains(propagations, m.Propagation)) {
			return nil, fmt.Errorf("%w: propagation %q of the %s at %s", ErrInput, text.OneLine(m.Propagation), m.Kind, text.OneLine(m.Target))
		}
		options := []string{"rbind", cmp.Or(m.Propagation, "rprivate"), "rw"}
		if m.ReadOnly {
			options[2] = "ro"
		} else if m.Kind == spec.Bind && !e.root {
			return nil, hinted{fmt.Errorf("%w: %s writable inside: an ordinary user's container has users that this machine does not know", ErrInput, text.OneLine(m.Source)),
				"mount it read-only, or run as root"}
		}
		asked = append(asked, specs.Mount{Destination: path.Clean(m.Target), Type: "bind", Source: source, Options: options})
	}
	slices.SortStableFunc(asked, func(a, b specs.Mount) int { return cmp.Compare(a.Destination, b.Destination) })
	for i := 1; i < len(asked); i++ {
		if asked[i].Destination == asked[i-1].Destination {
			return nil, fmt.Errorf("%w: two mounts at %s", ErrInput, text.OneLine(asked[i].Destination))
		}
	}
	all := append(own, defaultMounts(c.ShmSize)...)
	if c.IPCMode == "host" && e.root {
		all[len(all)-1] = hostShm
	}
	replaced := func(m specs.Mount) bool {
		return slices.ContainsFunc(asked, func(a specs.Mount) bool { return a.Destination == m.Destination })
	}
	return append(slices.DeleteFunc(all, replaced), asked...), nil
}

// propagations is mount_namespaces(7)'s, as runtimes spell them.
var propagations = []string{"private", "rprivate", "shared", "rshared", "slave", "rslave"}

// propagation is the one among a mount's options, "" for the default.
func propagation(options []string) string {
	for _, o := range options {
		if slices.Contains(propagations, o) && o != "private" && o != "rprivate" {
			return o
		}
	}
	return ""
}

// handsOn says whether a mount is to show on the host what is mounted below it,
// for which the root of the container has to be shared as well.
func handsOn(m specs.Mount) bool { return strings.HasSuffix(propagation(m.Options), "shared") }

// source is where a mount's content is on this machine.
func (e *Engine) source(m spec.Mount) (string, error) {
	switch m.Kind {
	case spec.Volume:
		if !validName.MatchString(m.Source) {
			return "", fmt.Errorf("%w: a volume named %q", ErrInput, text.OneLine(m.Source))
		}
		if _, err := os.Lstat(e.store.volumeRecord(m.Source)); err != nil {
			return "", fmt.Errorf("%w: there is no volume %s", ErrInput, m.Source)
		}
		return e.store.volumeData(m.Source), nil
	case spec.Bind:
		if !filepath.IsAbs(m.Source) {
			return "", fmt.Errorf("%w: bind mount of %q, no absolute path", ErrInput, text.OneLine(m.Source))
		}
		if _, err := os.Stat(m.Source); err != nil {
			return "", fmt.Errorf("bind mount: %w", err)
		}
		return filepath.Clean(m.Source), nil
	}
	return "", fmt.Errorf("%w: mount of kind %q", ErrInput, text.OneLine(string(m.Kind)))
}

// stickyMode is the mode of a tmpfs that spec.Tmpfs.Mode 0 stands for.
const stickyMode = 0o1777

// tmpfsOptions writes every option out, as runtimes' defaults differ.
func tmpfsOptions(t spec.Tmpfs) []string {
	flag := func(allowed bool, name string) string {
		if allowed {
			return name
		}
		return "no" + name
	}
	options := []string{"rw", flag(t.Exec, "exec"), flag(t.Suid, "suid"), flag(t.Dev, "dev"), fmt.Sprintf("mode=%o", cmp.Or(t.Mode, stickyMode))}
	if t.Size > 0 {
		options = append(options, fmt.Sprintf("size=%d", t.Size))
	}
	return options
}

// parseTmpfs reads such options back. Without a word a thing is allowed, as the
// kernel has it.
func parseTmpfs(options []string) spec.Tmpfs {
	t := spec.Tmpfs{Exec: true, Suid: true, Dev: true}
	for _, o := range options {
		switch key, value, _ := strings.Cut(o, "="); key {
		case "exec", "noexec":
			t.Exec = key == "exec"
		case "suid", "nosuid":
			t.Suid = key == "suid"
		case "dev", "nodev":
			t.Dev = key == "dev"
		case "size":
			if _, err := fmt.Sscanf(value, "%d", &t.Size); err != nil {
				t.Size = 0
			}
		case "mode":
			if _, err := fmt.Sscanf(value, "%o", &t.Mode); err != nil || t.Mode == stickyMode {
				t.Mode = 0
			}
		}
	}
	return t
}
