package check

import (
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// namespace is one kind that a container has of its own, or shares.
type namespace struct {
	name string // in /proc/PID/ns
	// mode is the engine's word; nil where it has none, as it never shares that.
	mode func(spec.Container) string
	// found is the act that finds, beside the namespace's identity, something of
	// the host's; "" for none. reveals says what that is.
	found, reveals string
}

// namespaceChecks are the rows about what is shared with the host.
func namespaceChecks() []*Check {
	row := func(ns namespace, title, why, attempt string, fix Fix, mutations []string, refs ...string) *Check {
		return &Check{
			ID: "ns." + ns.name, Section: Namespaces, Title: title, Why: why,
			Attempt:  "The user reads the identity of its " + ns.name + " namespace. The namespaces that a kernel begins with have numbers of their own; where the host is this one, its own are compared as well. " + attempt,
			Settings: []string{}, Fix: fix, Refs: append(refs, "MITRE-ATTACK T1611"),
			Control:   "The identities can be read, each in the form that the kernel gives it.",
			Needs:     need(Main, probe.User, "namespaces"),
			Mutations: mutations,
			Judge:     func(in *Input) Result { return judgeNamespace(in, ns) },
		}
	}
	same := func(docker, compose, kubernetes string) Fix {
		return Fix{Policy: "nothing to set: every namespace is the container's own", Docker: docker, Compose: compose, Kubernetes: kubernetes}
	}
	pid := row(namespace{"pid", func(c spec.Container) string { return c.PIDMode }, "find another first process", "the container's first process is not process 1"},
		"The container sees its own processes only",
		"In the host's process namespace an agent sees every process, its arguments and often its environment, and can signal those of its own uid.",
		"It also looks whether it, the container's first process, is process 1.",
		same("no --pid host", "no pid: host", "hostPID: false"), []string{"ns.pid-host"}, "CIS-Docker 5.16", "PSS hostNamespaces", "NSA-CISA 1.4")
	net := row(namespace{"net", func(c spec.Container) string { return c.Network }, "find a setting of the host's network", "a setting that only the host's network has"},
		"The container has a network stack of its own",
		"In the host's network namespace an agent reaches every service that listens on loopback only, and every abstract socket.",
		"It also looks for a setting that only the first network namespace has.",
		same("no --network host", "no network_mode: host", "hostNetwork: false"), []string{"ns.net-host"}, "CIS-Docker 5.10", "PSS hostNamespaces", "NSA-CISA 1.5")
	net.Settings = []string{"network"}
	ipc := row(namespace{"ipc", func(c spec.Container) string { return c.IPCMode }, "", ""},
		"The container has shared memory and message queues of its own",
		"With the host's, and with /dev/shm of the host, an agent can read and change what programs of the host share with one another.",
		"", same("no --ipc host", "no ipc: host", "hostIPC: false"), []string{"ns.ipc-host"}, "CIS-Docker 5.17", "PSS hostNamespaces", "NSA-CISA 1.3")
	uts := row(namespace{"uts", func(c spec.Container) string { return c.UTSMode }, "", ""},
		"The container has a host name of its own",
		"In the host's namespace whoever gains one capability renames the host, and the name tells where the agent runs.",
		"", same("no --uts host", "no uts: host", "hostNetwork: false, which takes the name along"), []string{"ns.uts-host"}, "CIS-Docker 5.21")
	mnt := row(namespace{"mnt", nil, "", ""},
		"The container has a mount table of its own",
		"In the host's mount namespace the container's root would be a directory like any other, and the way out of it is a system call.",
		"It also looks for its own mount, which is in the container's table only.",
		same("nothing to set: no engine shares it", "as docker", "nothing to set; a privileged pod can enter it with nsenter"), nil)
	mnt.Control = "The user finds the mount at /.tightship that this verification made."
	mnt.NoMutation = "No engine can be told to share the host's mount namespace. The judge's tests give it the host's identity instead."
	cgroup := row(namespace{"cgroup", func(c spec.Container) string { return c.CgroupNS }, "see where in the host's tree its cgroup is", "its cgroup's place in the host's tree"},
		"The container does not see where in the host's cgroups it is",
		"The path names the engine and the container, and is what several ways out through cgroups begin with.",
		"It also reads the path of its cgroup, which is / in a namespace of its own.",
		same("--cgroupns private, which is not the default on cgroup v1", "cgroup: private", "nothing to set: private on cgroup v2"), []string{"ns.cgroup-host"})
	return []*Check{pid, net, ipc, uts, mnt, cgroup}
}
