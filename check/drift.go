package check

import (
	"github.com/tightship-dev/tightship/probe"
)

// driftChecks are the rows about a container that somebody else runs. What was
// attacked is a twin of it, so the verdicts above are about the container only
// as far as the two are alike: these rows say whether they are. A difference by
// which the container is the looser one is a finding; one by which it is the
// tighter one is mentioned.
func driftChecks() []*Check {
	fix := Fix{
		Policy:     "nothing to set: start the container anew with the settings that were verified",
		Docker:     "and no docker update, nsenter or write to its cgroup after the start",
		Compose:    "docker compose up --force-recreate",
		Kubernetes: "delete the pod, so that it is made anew",
	}
	why := "A container drifts: a limit is raised after its start, something is mounted into it from the host. Its settings still read as they did."
	ids := need(Main, probe.User, "ids") // the twin must have been there
	row := func(id, title, attempt, control string, judge func(*Input) Result) *Check {
		return &Check{
			ID: id, Section: Drift, Title: title, Why: why, Attempt: attempt, Control: control, Fix: fix, Needs: ids, Judge: judge,
			NoMutation: "a weakening of the settings weakens the twin alike; the tests change a running container behind the engine's back instead",
		}
	}
	return []*Check{
		row("drift.settings", "The twin has the container's settings",
			"None: what the engine says of the container is compared with what it says of the twin, setting by setting.",
			"The same comparison finds a setting that was changed in one of them.", judgeDriftSettings),
		row("drift.privileges", "The running process has no more privileges than the twin's",
			"None: the kernel's account of the container's first process (ids, groups, the five capability sets, no-new-privileges, the system call filter, the security module's label) is compared with the twin's.",
			"The same comparison finds a privilege that was added to one of them.", judgeDriftPrivileges),
		row("drift.limits", "The running container has the twin's limits",
			"None: the limits in its cgroup and of its first process are compared with the twin's.",
			"The same comparison finds a limit that was raised after the start.", judgeDriftLimits),
		row("drift.mounts", "The running container has the twin's mounts",
			"None: the kernel's mount table of the container is compared with the twin's, leaving out what is at the places where the twin has a stand-in, but not what is mounted over it.",
			"The same comparison finds a mount that was added or lost an option after the start.", judgeDriftMounts),
		row("drift.namespaces", "The running container shares no namespace of the host that the twin does not",
			"None: the identities of the container's namespaces are compared with this host's and the twin's, and where there is to be no network, the interfaces in it with the twin's.",
			"The same comparison finds a namespace of the host, and an interface that was moved into the container's.", judgeDriftNamespaces),
	}
}
