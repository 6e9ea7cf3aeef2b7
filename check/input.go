package check

import (
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// Input is everything a judge may look at.
type Input struct {
	Policy *policy.Policy
	Wanted spec.Container // what the policy asks for, before any twin's adjustments
	NCPU   int            // cores of the engine's host
	// Host is the namespaces of the engine's host, as kernel.State's: those of its
	// first process, or ours where that one may not be looked at; nil where the
	// engine runs elsewhere.
	Host map[string]string
	// HostDevices is the file systems that the engine's host has mounted, as
	// kernel.Mount.Device; nil as Host.
	HostDevices []string `json:",omitempty"`
	Image       Image
	// Planted is what the verifier planted on the host, to be found nowhere inside.
	Planted Planted
	Twins   map[Twin]*TwinState
	Exits   []Exit // for run.clean-exit
	// HashKey keys the hashes that credentials found on the host side are shown
	// by, the same as inside.
	HashKey []byte
	// Results is what the other checks came to, for stack.combined; LeftOut is how
	// many of the policy's checks were not asked for.
	Results map[string]Result
	LeftOut int
	// Original is the container that the twins stand in for; nil when an image is
	// verified.
	Original *Original `json:"-"`
}

// Original is the accounts of somebody else's container.
type Original struct {
	Running    bool
	Declared   spec.Container
	Other      []string
	Kernel     *kernel.State // nil when it could not be read; KernelNote says why
	KernelNote string
	// Members is the other processes in its cgroup; MembersNote says why some are
	// missing.
	Members     []*kernel.State
	MembersNote string
	// Host is the namespaces of the host's first process, as kernel.State's.
	Host map[string]string
	// HostMounts is the mount table of the host's first process, or ours.
	HostMounts []kernel.Mount
	// Runtime is the one that the policy asks for; "" for any.
	Runtime string
	// NotShared is what the twins have in another way than it has, one sentence
	// each.
	NotShared []string
}

// Image is what the engine says about the image under test.
type Image struct {
	Env     []string          // its configured environment, KEY=VALUE
	Labels  map[string]string // its configuration's
	History []string          // what its layers say of how they were made
	// Directory says that the image is a directory, which has no configuration.
	Directory bool `json:",omitempty"`
}

// Planted is what the verifier planted.
type Planted struct {
	// Home is the path of a file on the engine's host below the user's home, and
	// the same with its symbolic links resolved; empty where there is none, and
	// HomeNote says why.
	Home     []string
	HomeNote string
	// Listeners are the addresses, with port, on which the verifier listens and
	// which it reached itself; empty where there are none, and ListenNote says why.
	Listeners  []string
	ListenNote string
}

// TwinState is the three accounts of one twin.
type TwinState struct {
	Declared spec.Container // what the engine reports back
	Kernel   *kernel.State  // nil when it could not be read; KernelNote says why
	// After is the cgroup's counters when the guest had finished; nil as Kernel.
	After      *kernel.Cgroup
	KernelNote string
	// Seen is the observations, by role and probe.
	Seen map[probe.Role]map[string]probe.Observation
	// Problem says why observations are missing: the guest died, was cut off,
	// or broke the protocol. "" when it finished in order.
	Problem string
	// ExitCode, OOMKilled and Alive are what the engine says of a twin whose
	// sandbox was to end.
	ExitCode  int
	OOMKilled bool
	Alive     bool // it had not ended
	// Other is what the engine says of the container beyond Declared: settings that
	// have no field there, and its warnings at creation.
	Other []string
	// Copied is what the engine reports of the twin itself, where Declared is its
	// original's, and CopiedOther the same for Other. Process is what the host's
	// kernel says of the process that the engine names, also where that is a
	// runtime's sandbox.
	Copied      spec.Container `json:"-"`
	CopiedOther []string       `json:"-"`
	Process     *kernel.State  `json:"-"`
	// Undeclared names the fields of Declared, as in its JSON, that the engine does
	// not report.
	Undeclared []string `json:",omitempty"`
	// FullScale says that the exhaustion twin kept its declared sizes.
	FullScale bool
}

// Exit is a container whose guest was told to end with a code of its own.
type Exit struct {
	Twin           Twin
	Wanted, Got    int
	StdoutComplete bool // every line up to the closing one arrived
	Left           bool // the container was still there after its removal
	Problem        string
}
