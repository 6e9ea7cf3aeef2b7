// Package kernel reads what the host kernel itself says about a container:
// the second opinion that neither the engine nor anything inside the container
// can shade.
//
// The source is /proc/PID of the container's first process and its cgroup
// files, read from the host. That needs the host's own /proc and enough
// privilege to look at another user's process; where either is missing (a
// remote daemon, an unprivileged user) Read returns ErrUnavailable and the
// verdicts that would have leaned on it carry a lower evidence grade.
//
// What Read could not see is never reported as tight: a missing capability
// line is an error, a missing controller is NotKnown, a missing Seccomp line
// is -1.
package kernel

import "errors"

// Errors that callers tell apart.
var (
	// ErrUnavailable says that this host cannot be asked: it is not Linux, or we
	// may not look at that process.
	ErrUnavailable = errors.New("kernel state is not available")
	// ErrGone says that the process or its cgroup is no more, or that its number
	// was given to another process while we read.
	ErrGone = errors.New("process is gone")
)

// State is the kernel's account of one container.
type State struct {
	PID int `json:"pid"`
	// Start is when the process started, in clock ticks since boot. With PID it
	// identifies a process (proc_pid_stat(5), field 22).
	Start uint64 `json:"start"`

	// From /proc/PID/status. IDs are those of the process's own user namespace,
	// Unmapped where that has none for them.
	UIDs       [4]int64 `json:"uids"` // real, effective, saved, filesystem
	GIDs       [4]int64 `json:"gids"`
	Groups     []int64  `json:"groups"`
	Caps       Caps     `json:"caps"`
	NoNewPrivs *bool    `json:"no_new_privs"` // nil where the kernel does not say
	Seccomp    int      `json:"seccomp"`      // 0 off, 1 strict, 2 filter; -1 not said

	// From /proc/PID/mountinfo, in mount order (proc(5)).
	Mounts []Mount `json:"mounts"`

	// From /proc/PID/limits; -1 is "unlimited". Keys as spec.Container.Ulimits.
	Limits map[string]Rlimit `json:"limits"`

	Cgroup Cgroup `json:"cgroup"`

	// LSM is the AppArmor or SELinux label, "" where the host has none.
	LSM string `json:"lsm"`

	// Namespaces is the identity of each namespace by its name in /proc/PID/ns
	// ("pid": "pid:[4026531836]"). Two processes share a namespace exactly when
	// the strings are equal. A name we may not look at is missing.
	Namespaces map[string]string `json:"namespaces,omitempty"`

	// Interfaces names those of its network namespace (/proc/PID/net/dev); nil
	// where they cannot be read.
	Interfaces []string `json:"interfaces,omitempty"`
}

// Caps is the five capability sets as bit masks (capabilities(7)).
type Caps struct {
	Inheritable uint64 `json:"inheritable"`
	Permitted   uint64 `json:"permitted"`
	Effective   uint64 `json:"effective"`
	Bounding    uint64 `json:"bounding"`
	Ambient     uint64 `json:"ambient"`
}

// Mount is one line of mountinfo.
type Mount struct {
	ID           int      `json:"id"`
	Parent       int      `json:"parent"`
	Device       string   `json:"device,omitempty"` // major:minor; one number is one file system, in every mount namespace
	Root         string   `json:"root"`
	Target       string   `json:"target"`
	Options      []string `json:"options"` // per mount: ro, nosuid, nodev, noexec…
	FSType       string   `json:"fstype"`
	Source       string   `json:"source"`
	SuperOptions []string `json:"super_options"` // per file system: rw, size=…
	// Propagation is the optional fields: "shared:N" and "master:N" name peer
	// groups (mount_namespaces(7)); none is a private mount.
	Propagation []string `json:"propagation,omitempty"`
}

// Rlimit is a resource limit, -1 for unlimited (getrlimit(2)).
type Rlimit struct {
	Soft int64 `json:"soft"`
	Hard int64 `json:"hard"`
}

// Cgroup is the container's cgroup and its limits; -1 is "no limit" and -2
// "this controller could not be read".
type Cgroup struct {
	Version int    `json:"version"` // 1 or 2
	Path    string `json:"path"`    // of the memory controller on v1
	Memory  int64  `json:"memory"`  // bytes
	// Swap is memory+swap in bytes on both versions (memory.memsw.limit_in_bytes;
	// on v2 memory.max + memory.swap.max).
	Swap      int64 `json:"swap"`
	PIDs      int64 `json:"pids"`
	CPUQuota  int64 `json:"cpu_quota"`  // microseconds per period
	CPUPeriod int64 `json:"cpu_period"` // microseconds

	// Counters, for before-and-after comparison.
	OOMKills     int64 `json:"oom_kills"`
	PIDsMax      int64 `json:"pids_max_events"` // times a fork was refused
	CPUThrottled int64 `json:"cpu_throttled"`   // periods throttled

	// Dirs is where each controller's files were found on this host, innermost
	// first; State.Refresh reads them again.
	Dirs map[string][]string `json:"-"`
}

// Values of Cgroup fields that are not a number.
const (
	NoLimit  int64 = -1
	NotKnown int64 = -2
)
