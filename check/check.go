// Package check is the catalogue: every protection that is verified, what is
// attempted to test it, and the pure function that turns what was seen into a
// verdict.
//
// A Judge does no I/O. It is given four accounts of one container and names the
// link that broke:
//
//	wanted    what the policy asks for, held against the bar
//	declared  what the engine says it was told
//	kernel    what the host kernel says about the container's first process
//	observed  what happened when the guest tried
//
// The rule that every judge keeps: silence is not success. A judge passes only
// on an attempt that was made, was refused for the right reason, and whose
// control succeeded; whatever it cannot show is Inconclusive. A zero Result is
// Inconclusive too, so that a judge with its body deleted passes nothing.
package check

import "github.com/tightship-dev/tightship/probe"

// Verdict is the outcome of one check.
type Verdict string

// The verdicts. Inconclusive is never counted as a pass.
const (
	Pass          Verdict = "pass"
	Fail          Verdict = "fail"
	Inconclusive  Verdict = "inconclusive"
	Accepted      Verdict = "accepted"       // failed, and the policy accepts it in the open
	NotApplicable Verdict = "not-applicable" // with the reason
)

// Grade says what a verdict rests on, strongest first.
type Grade string

// The evidence grades.
const (
	Exercised Grade = "exercised" // attempted and refused, and the control succeeded
	Kernel    Grade = "kernel"    // read from the host kernel's own state
	Declared  Grade = "declared"  // only the engine says so
	NoGrade   Grade = "none"      // nothing was measured
)

// Section groups checks in the catalogue and the report, in this order.
type Section string

// The sections.
const (
	Filesystem     Section = "filesystem"
	UserSection    Section = "user"
	Limits         Section = "limits"
	Capabilities   Section = "capabilities and privileges"
	Environment    Section = "environment"
	Secrets        Section = "secrets"
	KernelSection  Section = "kernel"
	ProcSection    Section = "proc, sys and cgroup"
	Namespaces     Section = "namespaces"
	MountSection   Section = "devices and mounts"
	NetworkSection Section = "network"
	Drift          Section = "drift"
	Run            Section = "run"
	Stack          Section = "stack"
)

// Sections is every section in report order.
var Sections = []Section{Filesystem, UserSection, Limits, Capabilities, Environment, Secrets, KernelSection, ProcSection, Namespaces, MountSection, NetworkSection, Drift, Run, Stack}

// Result is what a judge says. The text fields are sentences a user
// understands; they name the attempt, the errno and the control.
type Result struct {
	Verdict  Verdict
	Evidence Grade
	Wanted   string // what the policy asks for
	Declared string // what the engine says
	Kernel   string // what the host kernel says
	Observed string // what was tried and what came of it, with the control
	Reason   string // why this verdict; names the broken link when it failed
}

// Fix is how a protection is switched on in the three places people do it.
type Fix struct {
	Policy     string // line of tightship.yaml
	Docker     string // docker run flags
	Compose    string // compose service key
	Kubernetes string // pod or container field
}

// Check is one row of the catalogue.
type Check struct {
	ID      string
	Title   string // what is protected, in one line
	Section Section
	Seeds   []string // tests of the original Phase 1 suite that this row replaces
	Why     string   // why it matters
	Attempt string   // what is attempted
	Control string   // what shows that the attempt could have succeeded
	Fix     Fix
	Refs    []string // standards, as "CIS-Docker 5.13"

	// Settings are the policy keys the check rests on, as "limits.memory".
	Settings []string

	// Needs are the observations the judge rests on.
	Needs []Need

	// Mutations are the weakenings (package mutate) that must make this check
	// fail. NoMutation is the reason why none can exist; exactly one is set.
	Mutations  []string
	NoMutation string

	Judge func(*Input) Result
}

// Need names an observation: which twin, who attempts, which probe.
type Need struct {
	Twin  Twin
	Role  probe.Role
	Probe string
}

// Twin is one of the containers that stand in for the agent's.
type Twin string

// The twins. Main has exactly the wanted settings. Protections mask one another,
// so the other two give some up to put others to the test alone: Exhaust is
// disposable, with its limits scaled down by one factor, and has
// no-new-privileges and the system call filter off, either of which would refuse
// what only the missing capability should. Isolate has both and noexec off too,
// and Docker's default capabilities added: what is refused elsewhere must
// succeed there. Its CPU quota is scaled down, as throttling would slow the
// other two. Where a kernel in user space answers, Doomed names two more.
const (
	Main    Twin = "main"
	Exhaust Twin = "exhaust"
	Isolate Twin = "isolate"
)
