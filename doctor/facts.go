package doctor

import (
	"time"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/kernel"
)

// Facts is everything that Look saw.
type Facts struct {
	Now        time.Time
	GOOS, Arch string // of this program
	UID        int
	User       string // name, "" where unknown
	Host       Host   // the zero value where this is not Linux
	Engines    []Engine
	Programs   []Program
	Self       Self
	APIVersion string // DOCKER_API_VERSION, which fixes the version that is spoken
	// Late is the groups of probes that did not end in time.
	Late []string
}

// Host is what a Linux host says of itself. Text is "" where it could not be read.
type Host struct {
	Name    string // "Debian GNU/Linux 12 (bookworm)"
	Family  string // debianFamily, fedoraFamily or ""
	Kernel  string // release
	Cores   int
	Memory  int64 // bytes; 0 is not known
	Systemd bool

	Cgroup Cgroup
	UserNS UserNS

	LSMs       []string // nil where it could not be told
	Permissive bool     // SELinux is there and only logs
	Overlay    string   // "yes" or "no"
	Seccomp    string   // "yes" or "no": filters
	Core       string   // kernel.core_pattern
	Mounts     []kernel.Mount
}

// The families of systems whose commands we know.
const (
	debianFamily = "debian"
	fedoraFamily = "fedora"
)

// Cgroup is how this host's cgroups are set up.
type Cgroup struct {
	Version string // "v1", "hybrid", "v2"; "" where it could not be told
	// Usable is the controllers among memory, pids and cpu in which this user can
	// set limits; Enabled those that the kernel has at all.
	Usable, Enabled []string
}

// UserNS is whether a process without privileges can make user namespaces. A
// setting is "" where the kernel does not have it.
type UserNS struct {
	Supported bool
	Max       string // user.max_user_namespaces
	Clone     string // kernel.unprivileged_userns_clone, Debian's
	AppArmor  string // kernel.apparmor_restrict_unprivileged_userns
	// UIDs and GIDs are how many subordinate IDs this user has.
	UIDs, GIDs int
}

// Endpoint is a place where an engine may listen.
type Endpoint struct {
	Host string // "unix:///var/run/docker.sock", as DOCKER_HOST takes it
	From string // how it was found: "DOCKER_HOST", "the default socket"…
	Used bool   // is what `tightship verify` reaches without being told
}

// Engine is an endpoint and what came of connecting to it.
type Engine struct {
	Endpoint
	// Err is why it does not answer; it wraps package engine's sentinels.
	Err  error
	Info engine.Info
	// Image says that the reference image is there.
	Image bool
	// Left is what dead runs left there; LeftErr, why that is not known.
	Left    []engine.Resource
	LeftErr error
	Socket  Socket
	TLS     bool // the connection is encrypted, if it is one by TCP
	// Absent is the runtimes whose program is not where the engine says, by name.
	// It is known only of an engine that shares this host's files.
	Absent []string
}

// Socket is who may use an engine's socket.
type Socket struct {
	Group  string // its group's name, "" where unknown
	Listed bool   // this user is in that group, though perhaps not this session
}

// Program is a program found on this machine.
type Program struct {
	Name    string
	Path    string
	Version string // "" where it did not say
	Bundled bool   // it lies beside this program, where `make build` puts it
}

// Self is what tightship says of itself.
type Self struct {
	Version   string
	Guests    map[string]error // per architecture: nil where the guest is there
	RunDir    string
	RunDirErr error // why runs could not be marked there
	// Account says that the kernel's account of another's process can be read here.
	Account bool
	// Daemonless says that this build can verify without an engine.
	Daemonless bool
	Image      string // the reference image's name
}
