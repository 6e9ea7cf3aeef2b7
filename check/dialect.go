package check

import (
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
)

// GVisor is the one kernel beside Linux that containers are run by here. It is
// recognised by what it says of itself inside the container, whatever name its
// runtime is registered under.
const GVisor = "gVisor"

// Allowance is evidence that a judge may take in place of what it asks for on
// Linux.
type Allowance string

// The allowances.
const (
	FileCapability Allowance = "file capability"
	SandboxDevices Allowance = "sandbox's own devices"
	SandboxEnds    Allowance = "sandbox ends"
	SandboxCgroups Allowance = "sandbox's own cgroups"
	SandboxMounts  Allowance = "sandbox's own mount table"
	SandboxFiles   Allowance = "sandbox's own kernel files"
)

// Accommodation is one thing that one kernel does differently, for one check.
// It must name a control that fails when the protection is really off and the
// mutation that shows it: without them it would be a blindfold.
type Accommodation struct {
	Kernel   string
	Check    string
	Takes    Allowance
	Instead  string // what is accepted instead
	Why      string
	Control  string // what fails when the protection is off
	Mutation string // the weakening under which the check fails on this kernel
}

// Dialects is everything that is judged differently, and nothing else is.
var Dialects = []Accommodation{
	fileCapability("fs.tmp-nosuid", "In the isolating twin the file-capability program gives its capability from a mount without nosuid, and would from the tmpfs.", "tmpfs.suid"),
	fileCapability("user.no-escalation", "In the twin without no-new-privileges the file-capability program gives its capability.", "nnp.off"),
	fileCapability("priv.no-new-privs", "In the twin without no-new-privileges the file-capability program gives its capability.", "nnp.off"),
	fileCapability("priv.no-suid", "In the twin without no-new-privileges the file-capability program gives its capability, and would in the main twin.", "nnp.off-capability"),
	{
		Kernel: GVisor, Check: "fs.tmp-nodev", Takes: SandboxDevices,
		Instead:  "the null device's node may open on the tmpfs, where the engine was told nodev and no node of a device of the host's opens there",
		Why:      "gVisor keeps no nodev, and a device node leads to the sandbox's own few devices, never to the host's drivers",
		Control:  "A tmpfs that the engine was told to allow device nodes on, or a node of the host's memory, log or disks that opens.",
		Mutation: "tmpfs.dev",
	},
	{
		Kernel: GVisor, Check: "ns.cgroup", Takes: SandboxCgroups,
		Instead:  "no cgroup namespace, where the engine was told one of the container's own",
		Why:      "gVisor has no cgroup namespaces; the cgroups inside are files of its own, whose paths are not the host's",
		Control:  "The engine was told the host's.",
		Mutation: "ns.cgroup-host",
	},
	{
		Kernel: GVisor, Check: "mounts.private-propagation", Takes: SandboxMounts,
		Instead:  "a mount table that says nothing of propagation, where the engine was told none",
		Why:      "gVisor's mounts are in its own kernel, and it lists no peer groups; what its gofer shows of the host was mounted as the engine said",
		Control:  "The engine was told that a mount hands on what is mounted below it.",
		Mutation: "mount.slave",
	},
	sandboxFiles("proc.masked", "the absence of all these files, also with nothing hidden", "mount.host-proc"),
	sandboxFiles("proc.sys-read-only", "whatever can be written of its own /proc", "mount.host-proc-sys"),
	sandboxFiles("cgroup.read-only", "whatever can be written of its own cgroup tree", "mount.host-cgroup"),
	{
		Kernel: GVisor, Check: "dev.allowlist", Takes: SandboxDevices,
		Instead:  "nodes of fuse and tun in /dev",
		Why:      "gVisor implements both itself and shows them in every /dev; no driver of the host's is behind them",
		Control:  "Any other node in /dev, and a node of the host's memory, log or disks that opens.",
		Mutation: "device.added",
	},
	sandboxEnds("limits.pids", "The children live on past the limit, and so does the sandbox; or no counter of the host's says that this limit refused a fork.", "pids.unlimited"),
	sandboxEnds("limits.memory", "The child lives on past the limit, and so does the sandbox; or neither the host's counter nor the engine says that it ran out of memory.", "memory.unlimited"),
}

func fileCapability(check, control, mutation string) Accommodation {
	return Accommodation{
		Kernel: GVisor, Check: check, Takes: FileCapability,
		Instead:  "a program with a file capability as the control, in place of the setuid one",
		Why:      "gVisor ignores setuid bits unless runsc runs with --allow-suid; file capabilities it honours, and no-new-privileges and nosuid stop them too",
		Control:  control,
		Mutation: mutation,
	}
}

func sandboxFiles(check, instead, mutation string) Accommodation {
	return Accommodation{
		Kernel: GVisor, Check: check, Takes: SandboxFiles,
		Instead:  instead,
		Why:      "gVisor answers /proc, /sys and the cgroup tree itself: they are about the sandbox alone, and no write reaches the host's kernel",
		Control:  "The host's own tree is recognised wherever it is mounted, and the kernel asked whether it may be used there.",
		Mutation: mutation,
	}
}

func sandboxEnds(check, control, mutation string) Accommodation {
	return Accommodation{
		Kernel: GVisor, Check: check, Takes: SandboxEnds,
		Instead:  "the end of the whole sandbox, where the host says that this limit ended it, the attempt below the limit had succeeded and the sandbox beside it lives on",
		Why:      "the limit is the host's, on the sandbox as a whole: one that is refused memory or threads ends",
		Control:  control,
		Mutation: mutation,
	}
}

// kernelName says which kernel the twins' guests found, "" for Linux.
func (in *Input) kernelName() string {
	for _, tw := range in.Twins {
		if tw.Sandboxed() {
			return GVisor
		}
	}
	return ""
}

// takes says whether a check may be judged by an allowance on this kernel.
func (in *Input) takes(check string, what Allowance) bool {
	name := in.kernelName()
	for _, d := range Dialects {
		if d.Kernel == name && d.Check == check && d.Takes == what {
			return true
		}
	}
	return false
}

// Sandboxed says whether a kernel in user space answers inside this twin. The
// process that the host sees is then the sandbox: of what the host's kernel says
// of it only the cgroup's part, which bounds the sandbox, is about the workload.
func (t *TwinState) Sandboxed() bool {
	return t != nil && t.Seen[probe.User]["ids"].Facts["gvisor"] == "true"
}

// Sandboxed says the same of the container under test.
func (in *Input) Sandboxed() bool { return in.kernelName() != "" }

// remedies is what to do about a failure that the flags of the row's Fix do not
// mend on a kernel, by check.
var remedies = map[string]map[string]string{
	GVisor: {
		"kernel.syscall-filter": "runsc ignores the profile unless it is registered with --oci-seccomp: in the engine's daemon.json, \"runtimeArgs\": [\"--oci-seccomp\"]",
		"user.no-privileged-port": "gVisor has no privileged ports and ignores the sysctl: say so in tightship.yaml under accept, with a reason and a date " +
			"(tightship policy init --runtime runsc writes it)",
		"fs.nothing-else-writable": "gVisor gives an image whose /tmp is empty a writable tmpfs there: declare a tmpfs at /tmp, which is bounded",
	},
}

// Remedy is what to do about a failed check where the container's kernel is what
// stands in the way; "" where its Fix says it.
func Remedy(in *Input, id string) string { return remedies[in.kernelName()][id] }

// sandboxNote is why there is no account of the workload from the host's kernel.
const sandboxNote = "the process on the host is the runtime's sandbox, not the workload"

// cgroup returns what the kernel says of the main twin's cgroup, nil when it
// could not be read. It bounds a sandbox as it bounds a process.
func (in *Input) cgroup() *kernel.Cgroup {
	if tw := in.Twins[Main]; tw != nil && tw.Kernel != nil {
		return &tw.Kernel.Cgroup
	}
	return nil
}

// askCgroup is ask for what the cgroup alone says.
func (a *account) askCgroup(in *Input, f func(*kernel.Cgroup) (string, answer)) {
	c := in.cgroup()
	if c == nil {
		a.kernel = in.kernelNote()
		return
	}
	a.kernel, a.kernelIs = f(c)
}
