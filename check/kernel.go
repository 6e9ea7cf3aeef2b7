package check

import "github.com/tightship-dev/tightship/probe"

var fixFilter = Fix{
	Policy:     "seccomp: default",
	Docker:     "--security-opt seccomp=profile.json with what `tightship seccomp show` prints, and never seccomp=unconfined",
	Compose:    "security_opt: [\"seccomp:profile.json\"]",
	Kubernetes: "securityContext.seccompProfile: {type: RuntimeDefault}",
}

var refsFilter = []string{"CIS-Docker 5.22", "PSS seccompProfile_restricted", "PSS seccompProfile_baseline", "OWASP-Docker 6", "NSA-CISA 1.10", "NIST-800-190 4.4.3", "MITRE-ATTACK T1611"}

// reach is what every row about a part of the kernel rests on: the sweep and the
// acts, in the container and in the twin that has neither filter nor
// no-new-privileges. That is the isolating one: the other one's scaled-down
// limits leave a sandbox no room for the children. Docker's default
// capabilities, which it has, open none of this but packet sockets.
var reach = needs(
	need(Main, probe.User, "syscall.sweep", "kernel.free"), need(Main, probe.Auditor, "kernel.caps"),
	need(Isolate, probe.User, "syscall.sweep", "kernel.free"), need(Isolate, probe.Auditor, "kernel.caps"),
)

const (
	withoutFilter = "In a twin without a filter and without no-new-privileges the same calls get past, to the argument that is bad on purpose."
	mountAct      = "mount a tmpfs with an impossible option"
)

// kernelChecks are the rows about what of the kernel can be reached. The filter
// and the capabilities stand in the way together: a call that the filter alone
// denies is shown by a twin without one, and one that takes a capability as well
// is made where only the capability is missing.
func kernelChecks() []*Check {
	all := []*Check{
		{
			ID:      "kernel.socket-families",
			Title:   "Only the socket families that agents use can be opened",
			Why:     "AF_VSOCK reaches the hypervisor, AF_ALG and the old protocols are code of the host's kernel that hardly anybody tests, and AF_PACKET reads everybody's traffic.",
			Attempt: "The user opens a socket of each family that the pinned profile denies, of an impossible type, so that no module is loaded and no socket made; uid 0 without capabilities opens a packet socket. The profile denies no netlink family.",
			Control: withoutFilter, Settings: []string{"seccomp", "capabilities"}, Fix: fixFilter, Refs: refsFilter,
			Needs:     needs(reach, need(Main, probe.Auditor, "net.packet"), need(Exhaust, probe.Auditor, "net.packet"), need(Isolate, probe.Auditor, "net.packet")),
			Mutations: []string{"seccomp.unconfined", "caps.NET_RAW", "privileged"},
			Judge:     judgeSockets,
		},
		{
			ID:      "kernel.syscall-surface",
			Title:   "No more system calls are reachable than the pinned default profile allows",
			Why:     "Each call that is reached is code of the host's kernel that a bug may be in. The number makes two containers comparable.",
			Attempt: "The user makes every system call of this architecture once, with arguments that no call acts on, but for those that act whatever they are given. A call that complains about its arguments was reached.",
			Control: "The same sweep without a filter reaches more, and the calls that only the filter keeps away are counted.", Settings: []string{"seccomp", "capabilities"}, Fix: fixFilter, Refs: refsFilter,
			Needs:     needs(need(Main, probe.User, "syscall.sweep"), need(Isolate, probe.User, "syscall.sweep")),
			Mutations: []string{"seccomp.unconfined", "caps.SYS_CHROOT", "caps.SYS_ADMIN", "caps.SYS_PTRACE", "caps.DAC_READ_SEARCH", "caps.BPF", "caps.PERFMON", "privileged"},
			Judge:     judgeSurface,
		},
		{
			ID:      "kernel.no-user-namespace",
			Title:   "No user namespace can be made",
			Why:     "Inside one of its own everybody has every capability, and many of the kernel's bugs can only be reached from there.",
			Attempt: "The user makes a child in a new user namespace, which ends at once.",
			Control: withoutFilter, Settings: []string{"seccomp", "capabilities"}, Fix: fixFilter, Refs: refsFilter,
			Mutations: []string{"seccomp.unconfined", "caps.SYS_ADMIN", "privileged"},
			Judge: partJudge("kernel.no-user-namespace", part{
				topic: "user namespace", calls: []string{"unshare", "clone3"}, caps: []string{"SYS_ADMIN"}, filter: true,
			}),
		},
		{
			ID:      "kernel.no-mount",
			Title:   "Nothing can be mounted, by the old calls or the new",
			Why:     "Whoever mounts can put a file system without the masks and the read-only flags beside the one that has them.",
			Attempt: "The user calls mount, umount2, fsopen and the rest with bad addresses and flags, and mount in a user namespace of its own; uid 0 without capabilities mounts a tmpfs with an option that does not exist.",
			Control: withoutFilter, Settings: []string{"seccomp", "capabilities"}, Fix: fixFilter, Refs: refsFilter,
			Mutations: []string{"seccomp.unconfined", "caps.SYS_ADMIN", "privileged"},
			Judge: partJudge("kernel.no-mount", part{
				topic: "mount", caps: []string{"SYS_ADMIN"}, filter: true,
				calls:   []string{"mount", "umount2", "pivot_root", "setns", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree", "mount_setattr"},
				shownBy: map[string]string{mountAct: "mount in a user namespace of its own"},
			}),
		},
		{
			ID:      "kernel.no-bpf",
			Title:   "No BPF program or map can be made",
			Why:     "The verifier decides whether a program of the caller's may run in the host's kernel, and has been wrong often.",
			Attempt: "The user calls bpf with a command that does not exist.",
			Control: withoutFilter, Settings: []string{"seccomp", "capabilities"}, Fix: fixFilter, Refs: refsFilter,
			Mutations: []string{"seccomp.unconfined", "caps.BPF", "caps.SYS_ADMIN", "privileged"},
			Judge:     partJudge("kernel.no-bpf", part{topic: "bpf", calls: []string{"bpf"}, caps: []string{"BPF", "SYS_ADMIN"}, filter: true}),
		},
		{
			ID:      "kernel.no-perf",
			Title:   "No performance event can be opened",
			Why:     "Performance events measure other processes and the kernel finely enough to read secrets out of them, and their code has a long list of bugs.",
			Attempt: "The user calls perf_event_open with flags that do not exist.",
			Control: withoutFilter, Settings: []string{"seccomp", "capabilities"}, Fix: fixFilter, Refs: refsFilter,
			Mutations: []string{"seccomp.unconfined", "caps.PERFMON", "caps.SYS_ADMIN", "privileged"},
			Judge:     partJudge("kernel.no-perf", part{topic: "perf", calls: []string{"perf_event_open"}, caps: []string{"PERFMON", "SYS_ADMIN"}, filter: true}),
		},
		{
			ID:      "kernel.no-io-uring",
			Title:   "io_uring cannot be used",
			Why:     "It makes other system calls on the caller's behalf, where no filter sees them, and was behind most kernel exploits that Google paid for in 2022.",
			Attempt: "The user calls io_uring_setup, io_uring_enter and io_uring_register with bad arguments.",
			Control: withoutFilter, Settings: []string{"seccomp"}, Fix: fixFilter, Refs: refsFilter,
			Mutations: []string{"seccomp.unconfined", "privileged"},
			Judge:     partJudge("kernel.no-io-uring", part{topic: "io_uring", calls: []string{"io_uring_setup", "io_uring_enter", "io_uring_register"}, filter: true}),
		},
		{
			ID:      "kernel.no-userfaultfd",
			Title:   "userfaultfd cannot be used",
			Why:     "It stops the kernel in the middle of a copy for as long as the caller likes: what turns a race in the kernel into a sure thing.",
			Attempt: "The user calls userfaultfd for faults of its own, with a flag that does not exist.",
			Control: withoutFilter, Settings: []string{"seccomp"}, Fix: fixFilter, Refs: refsFilter,
			Mutations: []string{"seccomp.unconfined", "privileged"},
			Judge:     partJudge("kernel.no-userfaultfd", part{topic: "userfaultfd", calls: []string{"userfaultfd"}, filter: true}),
		},
		{
			ID:      "kernel.no-keyring",
			Title:   "The kernel's keyrings cannot be used",
			Why:     "Keyrings belong to users and not to containers: the same uid outside keeps its keys in the same place.",
			Attempt: "The user asks for its own keyring's ID, and calls add_key, request_key and keyctl with bad arguments.",
			Control: withoutFilter, Settings: []string{"seccomp"}, Fix: fixFilter, Refs: refsFilter,
			Mutations: []string{"seccomp.unconfined", "privileged"},
			Judge:     partJudge("kernel.no-keyring", part{topic: "keyring", calls: []string{"add_key", "request_key", "keyctl"}, filter: true}),
		},
		{
			ID:      "kernel.no-handle-open",
			Title:   "No file can be opened by its handle",
			Why:     "A handle names a file of the whole file system, whatever part of it is mounted: the first public escape from a Docker container read the host's files so.",
			Attempt: "uid 0 without capabilities opens a made-up handle, which names no file; the user calls open_by_handle_at with a bad descriptor.",
			Control: withoutFilter + " Kernels before 6.11 ask for the capability first; there the kernel's own account decides.", Settings: []string{"seccomp", "capabilities"}, Fix: fixFilter, Refs: refsFilter,
			Mutations: []string{"seccomp.unconfined", "caps.DAC_READ_SEARCH", "privileged"},
			Judge: partJudge("kernel.no-handle-open", part{
				topic: "handles", calls: []string{"open_by_handle_at"}, caps: []string{"DAC_READ_SEARCH"}, filter: true,
			}),
		},
		{
			ID:      "kernel.no-modules-kexec",
			Title:   "The kernel cannot be extended, replaced or restarted",
			Why:     "A module is code of the caller's in the host's kernel; kexec starts another kernel, and reboot ends this one.",
			Attempt: "uid 0 without capabilities loads nothing as a module, unloads one that does not exist, and calls kexec_load and reboot with bad flags and a wrong magic number, in a twin without a filter too. The permission is asked for first.",
			Control: "reboot with the same argument gets past the permission in a PID namespace of the caller's own. No twin has what the other calls need, so those are refused only.", Settings: []string{"capabilities"}, Fix: fixCaps,
			Refs:      []string{"CIS-Docker 5.4", "PSS capabilities_restricted", "OWASP-Docker 3", "NSA-CISA 1.2", "MITRE-ATTACK T1547.006"},
			Mutations: []string{"caps.SYS_BOOT", "privileged"},
			Judge: partJudge("kernel.no-modules-kexec", part{
				topic: "modules", calls: []string{"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot"},
				caps: []string{"SYS_MODULE", "SYS_BOOT"}, shownBy: map[string]string{"reboot with a wrong magic number": "reboot of a PID namespace of its own"},
			}),
		},
		{
			ID:      "kernel.no-ptrace-across",
			Title:   "No process can trace another user's",
			Why:     "Tracing is reading and writing all that a process has: its memory, its secrets, its descriptors.",
			Attempt: "uid 0 without capabilities reads the memory of the user's process at address 0, where nothing is, in a twin without no-new-privileges too. The kernel asks for the same permission as for tracing.",
			Control: "Reading a child of its own gets past the permission.", Settings: []string{"capabilities"}, Fix: fixCaps,
			Refs:      []string{"CIS-Docker 5.4", "PSS capabilities_restricted", "OWASP-Docker 3", "NSA-CISA 1.2", "MITRE-ATTACK T1055.008"},
			Needs:     needs(reach, need(Main, probe.User, "marker"), need(Isolate, probe.User, "marker")),
			Mutations: []string{"caps.SYS_PTRACE", "privileged"},
			Judge:     judgePtrace,
		},
		{
			ID:      "kernel.lsm",
			Title:   "AppArmor or SELinux confines the container",
			Why:     "It is the layer that still stands when a capability or the filter was lost.",
			Attempt: "The user reads the label that it runs under.",
			Control: "The host's kernel says the same of the process.", Fix: Fix{
				Policy:     "nothing: the engine chooses the label",
				Docker:     "no --security-opt apparmor=unconfined or label=disable",
				Compose:    "security_opt without apparmor:unconfined and label:disable",
				Kubernetes: "securityContext.appArmorProfile: {type: RuntimeDefault}",
			}, Refs: []string{"CIS-Docker 5.2", "CIS-Docker 5.3", "PSS appArmorProfile", "PSS seLinuxOptions", "OWASP-Docker 6", "NSA-CISA 1.8", "NSA-CISA 1.9", "NIST-800-190 4.4.3"},
			Needs:      need(Main, probe.User, "kernel.free"),
			NoMutation: "The label is the engine's to choose; a container's settings have no word for it.",
			Judge:      judgeLSM,
		},
	}
	for _, c := range all {
		c.Section = KernelSection
		if c.Needs == nil {
			c.Needs = reach
		}
	}
	return all
}

func partJudge(id string, p part) func(*Input) Result {
	return func(in *Input) Result { return judgePart(in, id, p) }
}
