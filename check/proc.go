package check

import "github.com/tightship-dev/tightship/probe"

var refsProc = []string{"PSS procMount", "PSS procMount_restricted", "MITRE-ATTACK T1611"}

// procChecks are the rows about the kernel's own file systems.
func procChecks() []*Check {
	fixPaths := Fix{
		Policy:     "nothing to set: it is every engine's default",
		Docker:     "without --security-opt systempaths=unconfined, without --privileged, and with no -v of /proc or of what is above it",
		Compose:    "no \"systempaths=unconfined\" under security_opt, no privileged: true, no volume of /proc",
		Kubernetes: "securityContext.procMount: Default, and no hostPath volume of /proc",
	}
	fixMount := func(what string) Fix {
		return Fix{
			Policy:     "nothing to set: it is every engine's default",
			Docker:     "without --privileged, and no -v of " + what + " or of what is above it that is not :ro",
			Compose:    "no privileged: true, and no writable volume of " + what,
			Kubernetes: "no privileged: true, and no writable hostPath volume of " + what,
		}
	}
	control := "uid 0 creates a file in a declared tmpfs; the files are its own and their mode lets it write, so that only a read-only mount refuses. Refused by the mode alone is no evidence."
	return []*Check{
		{
			ID: "proc.masked", Section: ProcSection,
			Title:    "What /proc and /sys say about the host is hidden",
			Why:      "Kernel memory, keys, timers and firmware are the whole machine's. An attacker reads addresses, other tenants' keys and what the machine is from them.",
			Attempt:  "The user and uid 0 read the beginning of kcore, keys, latency_stats, sched_debug, timer_list and timer_stats and list acpi, asound, scsi and /sys/firmware. Where another /proc than the container's own can be seen, they only ask whether its files may be read.",
			Control:  "/proc/version beside them is read; and in a twin from which nothing is hidden at least one of the same files has content.",
			Settings: []string{}, Fix: fixPaths, Refs: refsProc,
			Needs:     needs(need(Main, probe.User, "proc.masked"), need(Main, probe.Auditor, "proc.masked"), need(Isolate, probe.Auditor, "proc.masked")),
			Mutations: []string{"systempaths.unconfined", "mount.host-proc", "mount.host-root", "privileged"},
			Judge:     judgeProcMasked,
		},
		{
			ID: "proc.sys-read-only", Section: ProcSection,
			Title:    "Kernel settings in /proc cannot be changed",
			Why:      "core_pattern and modprobe name programs that the host's kernel runs as root; sysrq-trigger reboots it. One write is an escape.",
			Attempt:  "uid 0 opens ten settings below /proc/sys for writing, without writing a byte, and asks whether it may write sysrq-trigger and irq/default_smp_affinity. Of another /proc/sys that can be seen it only asks.",
			Control:  control,
			Settings: []string{}, Fix: fixPaths, Refs: refsProc,
			Needs:     need(Main, probe.Auditor, "proc.write"),
			Mutations: []string{"systempaths.unconfined", "mount.host-proc-sys", "mount.host-root", "privileged"},
			Judge:     judgeProcSys,
		},
		{
			ID: "sys.read-only", Section: ProcSection,
			Title:    "/sys cannot be written",
			Why:      "uevent_helper runs a program on the host as root; other files there switch devices, memory and power of the whole machine.",
			Attempt:  "uid 0 opens uevent_helper and other settings of /sys for writing, without writing a byte, and asks whether it may write in /sys/kernel and /sys/class. Of another /sys that can be seen it only asks.",
			Control:  control,
			Settings: []string{}, Fix: fixMount("/sys"), Refs: []string{"MITRE-ATTACK T1611"},
			Needs:     need(Main, probe.Auditor, "sys.write"),
			Mutations: []string{"mount.host-sys", "mount.host-root", "privileged"},
			Judge:     judgeSys,
		},
		{
			ID: "cgroup.read-only", Section: ProcSection,
			Title:    "The container cannot change its own cgroup",
			Why:      "Whoever can write there lifts every limit, and release_agent of version 1 names a program that the host runs as root.",
			Attempt:  "uid 0 opens the files of every cgroup hierarchy it can see that set limits, take processes in or name a program for writing, without writing a byte, and asks whether it may make a child. Of a hierarchy that is not its own it only asks.",
			Control:  control,
			Settings: []string{}, Fix: fixMount("/sys/fs/cgroup"), Refs: []string{"MITRE-ATTACK T1611"},
			Needs:     need(Main, probe.Auditor, "cgroup.write"),
			Mutations: []string{"mount.host-cgroup", "mount.host-sys", "mount.host-root", "privileged"},
			Judge:     judgeCgroup,
		},
	}
}
