package check

import (
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// Input is everything a judge may look at.
type Input struct {
	Policy  *policy.Policy
	Wanted  spec.Container // what the policy asks for, before any twin's adjustments
	NCPU    int            // cores of the engine's host
	Runtime string         // the OCI runtime's name, for the dialect table
	Image   Image
	Twins   map[Twin]*TwinState
	Exits   []Exit // for run.clean-exit
	// HashKey keys the hashes that credentials found on the host side are shown
	// by, the same as inside.
	HashKey []byte
	// Results is what the other checks came to, for stack.combined; LeftOut is how
	// many of the policy's checks were not asked for.
	Results map[string]Result
	LeftOut int
}

// Image is what the engine says about the image under test.
type Image struct {
	Env []string // its configured environment, KEY=VALUE
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
	// Other is what the engine says of the container beyond Declared: settings that
	// have no field there, and its warnings at creation.
	Other []string
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
