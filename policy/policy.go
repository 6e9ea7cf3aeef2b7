// Package policy reads tightship.yaml: the one file that both launches an
// agent container and judges it.
//
// The file holds settings. The bar, the hardened baseline that every verdict
// is measured against, is not in the file and does not move: a setting weaker
// than the bar makes its check fail, unless the file accepts that in the open,
// with a reason and a date (Accept).
//
// Everything is optional. A missing key takes its value from Default, which is
// the hardened baseline itself, so an empty file is the tightest one. Decoding
// is strict: an unknown key, a duplicate, a wrong type or an impossible value
// is an error with file, line, column and the path of the key, and nothing is
// started.
package policy

// Version is the only value of the version key that this program reads.
const Version = 1

// Policy is a whole file with every default filled in.
type Policy struct {
	Version         int               `yaml:"version"`
	Image           string            `yaml:"image"`
	User            User              `yaml:"user"`
	Rootfs          Rootfs            `yaml:"rootfs"`
	Tmpfs           map[string]Tmpfs  `yaml:"tmpfs"` // by absolute, clean mount point
	Workspace       Workspace         `yaml:"workspace"`
	Limits          Limits            `yaml:"limits"`
	Capabilities    []string          `yaml:"capabilities"` // added back after ALL is dropped; without CAP_
	NoNewPrivileges bool              `yaml:"no_new_privileges"`
	Seccomp         string            `yaml:"seccomp"` // "default", "unconfined" or a profile's path
	Network         Network           `yaml:"network"`
	Sysctls         map[string]string `yaml:"sysctls"`
	Environment     Environment       `yaml:"environment"`
	Runtime         string            `yaml:"runtime"`
	Accept          []Accept          `yaml:"accept"`

	// Origins says where each value came from, by key path ("limits.memory").
	// A path that is missing was filled from Default.
	Origins map[string]Origin `yaml:"-"`
	// Source is the file's path, "" for the built-in default.
	Source string `yaml:"-"`
}

// Origin is a place in the policy file.
type Origin struct {
	Line, Column int // both from 1
}

// User is who the agent runs as.
type User struct {
	Name string `yaml:"name"` // as in the image's passwd; "" asks for no name
	UID  int64  `yaml:"uid"`
	GID  int64  `yaml:"gid"`
	// Groups is the supplementary groups beyond gid.
	Groups []int64 `yaml:"groups"`
}

// Rootfs is read-only or writable.
type Rootfs string

// The values of Rootfs.
const (
	ReadOnly Rootfs = "read-only"
	Writable Rootfs = "writable"
)

// Tmpfs is one memory-backed mount.
type Tmpfs struct {
	Size Size `yaml:"size"` // 0 is unlimited
	Exec bool `yaml:"exec"`
	Suid bool `yaml:"suid"`
	Dev  bool `yaml:"dev"`
}

// Workspace is the directory the agent works in.
type Workspace struct {
	Source string        `yaml:"source"` // on the host
	Target string        `yaml:"target"` // in the container
	Mode   WorkspaceMode `yaml:"mode"`
}

// WorkspaceMode is how the workspace is mounted.
type WorkspaceMode string

// The values of WorkspaceMode.
const (
	WorkspaceRW   WorkspaceMode = "rw"
	WorkspaceRO   WorkspaceMode = "ro"
	WorkspaceNone WorkspaceMode = "none"
)

// Limits bounds what the container may use. Sizes are bytes; 0 is unlimited,
// except for Swap and Core where 0 means none and -1 unlimited.
type Limits struct {
	Memory Size  `yaml:"memory"`
	Swap   Size  `yaml:"swap"`
	CPUs   CPUs  `yaml:"cpus"`
	PIDs   Count `yaml:"pids"`
	NoFile Count `yaml:"nofile"`
	Core   Size  `yaml:"core"`
}

// Size is a number of bytes, written as 512m, 2g, 1048576 or unlimited.
type Size int64

// CPUs is thousandths of a CPU, written as 2, 0.5 or unlimited (0).
type CPUs int64

// Count is a number of things, or unlimited (0).
type Count int64

// Network is how much of a network the container has.
type Network string

// The values of Network.
const (
	NetworkNone   Network = "none"
	NetworkBridge Network = "bridge"
)

// Environment is what must still work inside: secure and usable.
type Environment struct {
	Commands       []Command `yaml:"commands"`
	PythonPackages []string  `yaml:"python_packages"` // import names
	Git            Git       `yaml:"git"`
}

// Command is a program that must run and what it must print.
type Command struct {
	Run    []string `yaml:"run"`
	Expect string   `yaml:"expect"` // regular expression (RE2) on stdout and stderr together
}

// Git is what git must be configured as. Empty patterns ask for nothing.
type Git struct {
	UserName       string `yaml:"user.name"`  // regular expression
	UserEmail      string `yaml:"user.email"` // regular expression
	NonInteractive bool   `yaml:"noninteractive"`
}

// Accept makes one check's failure acceptable, in the open.
type Accept struct {
	Check  string `yaml:"check"`  // a check's ID
	Reason string `yaml:"reason"` // required
	Until  Date   `yaml:"until"`  // last day on which this counts, in UTC
}

// Date is a day, written 2006-01-02.
type Date string
