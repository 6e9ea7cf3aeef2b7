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
//
// # How a file and the defaults combine
//
// A group with fixed keys (user, workspace, limits, environment and its git)
// merges key by key: what the file leaves out keeps its default. A list or a
// map with free keys (tmpfs, sysctls, capabilities, environment.commands,
// environment.python_packages, user.groups, credentials) replaces the default as a whole,
// so that it can also be emptied. Within one tmpfs entry a missing key takes
// the tight value: 2g, no exec, no suid, no dev. Within one credential a
// missing key takes what Credential says; nothing is allowed that is not written.
//
// Only the plain part of YAML is read: no aliases, anchors, tags or second
// documents, and no characters that make a reviewer see another file than the
// program does.
package policy

// Version is the only value of the version key that this program reads.
const Version = 1

// Policy is a whole file with every default filled in. Slices and maps made by
// Default, Load and Decode are never nil.
type Policy struct {
	Version         int               `yaml:"version"`
	Image           string            `yaml:"image"`
	User            User              `yaml:"user"`
	Rootfs          Rootfs            `yaml:"rootfs"`
	Tmpfs           map[string]Tmpfs  `yaml:"tmpfs"` // by absolute, clean mount point
	Workspace       Workspace         `yaml:"workspace"`
	Limits          Limits            `yaml:"limits"`
	Capabilities    []string          `yaml:"capabilities"` // added back after ALL is dropped; without CAP_, sorted
	NoNewPrivileges bool              `yaml:"no_new_privileges"`
	Seccomp         string            `yaml:"seccomp"` // SeccompDefault, SeccompUnconfined or a profile's path
	Network         Network           `yaml:"network"`
	Sysctls         map[string]string `yaml:"sysctls"`
	Environment     Environment       `yaml:"environment"`
	Credentials     []Credential      `yaml:"credentials"`
	Runtime         string            `yaml:"runtime"` // "" is the engine's default
	Accept          []Accept          `yaml:"accept"`

	// Origins says where each value came from, by key path ("limits.memory",
	// "tmpfs./tmp.exec", "accept[0].check"). A path that is missing was filled
	// from Default.
	Origins map[string]Origin `yaml:"-"`
	// Source is the file's path, "" for the built-in default. Relative host
	// paths in the file are relative to its directory.
	Source string `yaml:"-"`
}

// Origin is a place in the policy file: where the key stands, or the item in
// the case of a list.
type Origin struct {
	Line, Column int // both from 1; columns count characters
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
	Swap   Size  `yaml:"swap"` // on top of Memory
	CPUs   CPUs  `yaml:"cpus"`
	PIDs   Count `yaml:"pids"`
	NoFile Count `yaml:"nofile"`
	Core   Size  `yaml:"core"`
}

// The words that Seccomp may hold instead of a path.
const (
	SeccompDefault    = "default"    // the profile of moby/profiles, the same on every engine
	SeccompUnconfined = "unconfined" // no filter
)

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
	Expect string   `yaml:"expect"` // regular expression (RE2) on stdout and stderr together; "" asks for nothing
}

// Git is what git must be configured as. Empty patterns ask for nothing.
type Git struct {
	UserName       string `yaml:"user.name"`  // regular expression
	UserEmail      string `yaml:"user.email"` // regular expression
	NonInteractive bool   `yaml:"noninteractive"`
}
