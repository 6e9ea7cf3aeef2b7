// Package spec describes a container's settings in words that belong to no
// engine.
//
// The same type is used for three different claims about one container, and
// comparing them is the heart of this program:
//
//   - wanted:   what the policy asks for (package policy produces it),
//   - declared: what the engine says it was told (an engine's inspect produces it),
//   - launched: what is handed to an engine to create a container.
//
// What the kernel really does is a fourth thing and has a type of its own, in
// package kernel. A zero Container is what plain `docker run` would start: the
// protections that have to be asked for (a read-only root, limits, dropped
// capabilities) are off in it. Fields that take a protection away (Privileged,
// CapAdd, Mounts, Devices, Groups, the modes) are tight when empty, so an
// engine must report those in full.
package spec

import (
	"encoding/json"
	"maps"
	"slices"
)

// Unlimited marks a swap allowance that has no bound (docker: --memory-swap -1).
const Unlimited int64 = -1

// Container is one container's settings.
type Container struct {
	Image      string            `json:"image,omitempty"`   // reference or ID
	Runtime    string            `json:"runtime,omitempty"` // "" is the engine's default
	Entrypoint []string          `json:"entrypoint,omitempty"`
	Cmd        []string          `json:"cmd,omitempty"`
	WorkingDir string            `json:"working_dir,omitempty"`
	User       string            `json:"user,omitempty"`   // "uid:gid"; "" is the image's USER, root if it has none
	Groups     []string          `json:"groups,omitempty"` // supplementary groups added (--group-add)
	Env        []string          `json:"env,omitempty"`    // KEY=VALUE, added to the image's
	Labels     map[string]string `json:"labels,omitempty"`

	ReadonlyRootfs bool             `json:"readonly_rootfs"`
	Tmpfs          map[string]Tmpfs `json:"tmpfs,omitempty"` // by mount point
	Mounts         []Mount          `json:"mounts,omitempty"`
	ShmSize        int64            `json:"shm_size,omitempty"` // bytes; 0 is the engine's default

	Memory   int64            `json:"memory"`             // bytes; 0 is no limit
	Swap     int64            `json:"swap"`               // bytes on top of Memory; Unlimited for no bound
	MilliCPU int64            `json:"milli_cpu"`          // thousandths of a CPU; 0 is no limit
	PIDs     int64            `json:"pids"`               // 0 is no limit
	Ulimits  map[string]int64 `json:"ulimits,omitempty"`  // soft = hard, by the name without RLIMIT_, lower case
	CapAdd   []string         `json:"cap_add,omitempty"`  // without the CAP_ prefix, sorted
	CapDrop  []string         `json:"cap_drop,omitempty"` // as CapAdd; "ALL" drops every one

	Privileged      bool              `json:"privileged,omitempty"`
	NoNewPrivileges bool              `json:"no_new_privileges"`
	Seccomp         string            `json:"seccomp,omitempty"` // profile as JSON, "unconfined", or "" for the engine's default
	Sysctls         map[string]string `json:"sysctls,omitempty"`
	Devices         []string          `json:"devices,omitempty"` // host paths
	// Unmasked shows the whole of /proc and /sys, writable where the kernel allows
	// it (docker: --security-opt systempaths=unconfined).
	Unmasked bool `json:"unmasked,omitempty"`

	Network  string `json:"network,omitempty"` // "none", "bridge", "host", or an engine's network name
	PIDMode  string `json:"pid_mode,omitempty"`
	IPCMode  string `json:"ipc_mode,omitempty"`
	UTSMode  string `json:"uts_mode,omitempty"`
	CgroupNS string `json:"cgroup_ns,omitempty"`

	OpenStdin bool `json:"open_stdin,omitempty"`

	// Record is an engine's own account of another container that this one is to
	// be a copy of; nil for none. What these settings say as the record does is
	// taken from it unchanged, with every shade that they have no word for. Only
	// the engine that wrote it can read it, and nobody changes it.
	Record json.RawMessage `json:"-"`
}

// Tmpfs is the options of one tmpfs mount.
type Tmpfs struct {
	Size int64  `json:"size"` // bytes; 0 is unbounded (the kernel's default: half of RAM)
	Exec bool   `json:"exec"`
	Suid bool   `json:"suid"`
	Dev  bool   `json:"dev"`
	Mode uint32 `json:"mode,omitempty"` // permission bits; 0 is 01777
}

// MountKind says where a mount's content comes from.
type MountKind string

// The kinds of Mount.
const (
	Volume MountKind = "volume" // Source is a volume's name
	Bind   MountKind = "bind"   // Source is a path on the engine's host
)

// Mount is a volume or a bind mount.
type Mount struct {
	Kind     MountKind `json:"kind"`
	Source   string    `json:"source"`
	Target   string    `json:"target"`
	ReadOnly bool      `json:"read_only"`
	// Suid asks that setuid files and file capabilities work in a volume, also
	// where an engine's volumes are nosuid by default, as Podman's are. Without
	// it the engine's default applies.
	Suid bool `json:"suid,omitempty"`
	// Propagation is how mounts made later on one side show on the other
	// (mount_namespaces(7)): "shared", "slave", or with an r in front for all
	// below; "" is the engine's default, private.
	Propagation string `json:"propagation,omitempty"`
}

// ImageChange is what a derived image has on top of the one it is made from.
type ImageChange struct {
	Env    []string          // KEY=VALUE
	Labels map[string]string // image labels
	User   string            // the image's USER; "" leaves it
	// Comment goes into the image's history, where build arguments and what a
	// RUN line said stay for everybody who pulls the image.
	Comment string
	Files   []File
}

// File is a regular file, or with Mode's directory bit a directory.
type File struct {
	Path     string // absolute
	Mode     uint32 // st_mode's permission, setuid and setgid bits; 040000 for a directory
	UID, GID int
	Content  []byte
	// Xattrs are extended attributes by name, as security.capability.
	Xattrs map[string]string
}

// Clone returns a deep copy, so that a weakened variant never leaks into the
// settings it was derived from.
func (c Container) Clone() Container {
	c.Entrypoint = slices.Clone(c.Entrypoint)
	c.Cmd = slices.Clone(c.Cmd)
	c.Groups = slices.Clone(c.Groups)
	c.Env = slices.Clone(c.Env)
	c.Labels = maps.Clone(c.Labels)
	c.Tmpfs = maps.Clone(c.Tmpfs)
	c.Mounts = slices.Clone(c.Mounts)
	c.Ulimits = maps.Clone(c.Ulimits)
	c.CapAdd = slices.Clone(c.CapAdd)
	c.CapDrop = slices.Clone(c.CapDrop)
	c.Sysctls = maps.Clone(c.Sysctls)
	c.Devices = slices.Clone(c.Devices)
	return c
}
