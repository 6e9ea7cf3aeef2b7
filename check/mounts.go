package check

import "github.com/tightship-dev/tightship/probe"

// mountChecks are the rows about what of the host is mounted.
func mountChecks() []*Check {
	fixMounts := Fix{
		Policy:     "nothing but workspace, whose source is a project and not a home or a system directory",
		Docker:     "no -v of a host path but the workspace's",
		Compose:    "no host path under volumes but the workspace's",
		Kubernetes: "no hostPath volume",
	}
	return []*Check{
		{
			ID: "mounts.no-runtime-socket", Section: MountSection,
			Title:    "No socket of the host's can be reached",
			Why:      "Who can talk to the Docker socket is root on the host: one request starts a privileged container. Other sockets hand out sessions, keys and logs.",
			Attempt:  "The user, and uid 0 without capabilities, look for the sockets of container runtimes below every mount, for any socket on any mount, and for abstract names; they connect to each and close, without sending a byte.",
			Control:  "A socket on which the same process listens can be connected to, and the mounts were searched.",
			Settings: []string{"workspace", "network"}, Fix: Fix{
				Policy:     "nothing to set: no socket is mounted",
				Docker:     "no -v /var/run/docker.sock or of a directory that holds it, and no --network host",
				Compose:    "no docker.sock under volumes",
				Kubernetes: "no hostPath of a runtime's socket, hostNetwork: false",
			}, Refs: []string{"CIS-Docker 5.32", "OWASP-Docker 1", "MITRE-ATTACK T1611"},
			Needs:     needs(need(Main, probe.User, "sockets", "fs.sweep"), need(Main, probe.Auditor, "sockets", "fs.sweep")),
			Mutations: []string{"mount.docker-sock", "mount.var-run", "mount.host-root", "ns.net-host"},
			Judge:     judgeNoSocket,
		},
		{
			ID: "mounts.no-host-path", Section: MountSection,
			Title:    "Nothing of the host is mounted but what the policy says",
			Why:      "A host directory mounted for convenience, read-only too, holds keys, tokens and the names of everything else on the machine.",
			Attempt:  "The user reads its mount table and looks at what every mount shows that is neither the container's own nor declared: directories, single files, sockets. The sources /, /etc, /proc, /var/run and a home are refused even where they are declared.",
			Control:  "The mount that this verification made is found in the same table and looked at.",
			Settings: []string{"workspace"}, Fix: fixMounts, Refs: []string{"CIS-Docker 5.6", "PSS hostPathVolumes", "NIST-800-190 4.5.5", "MITRE-ATTACK T1611"},
			Needs: need(Main, probe.User, "mounts"),
			Mutations: []string{"mount.docker-sock", "mount.var-run", "mount.host-root", "mount.etc", "mount.home", "mount.file", "mount.shared", "mount.slave",
				"mount.host-rw", "mount.below-tmpfs", "mount.over-mqueue",
				"mount.host-proc", "mount.host-proc-sys", "mount.host-sys", "mount.host-cgroup", "mount.home-cache"},
			Judge: judgeNoHostPath,
		},
		{
			ID: "mounts.private-propagation", Section: MountSection,
			Title:    "What is mounted on one side does not show on the other",
			Why:      "A shared mount hands on to the host whatever is mounted below it, over anything that is there; a slave brings in what the host mounts after the container was looked at.",
			Attempt:  "The user looks in its mount table for a mount that is in a peer group (shared) or follows one (master). The root and the engine's volumes, which runtimes make followers of the engine's own mounts, may.",
			Control:  "The same reader finds one in a table that has one.",
			Settings: []string{"workspace"}, Fix: Fix{
				Policy:     "nothing to set: the workspace is private",
				Docker:     "no :shared, :slave or :rslave after a -v",
				Compose:    "bind: {propagation: rprivate}",
				Kubernetes: "mountPropagation: None",
			}, Refs: []string{"CIS-Docker 5.20", "MITRE-ATTACK T1611"},
			Needs: need(Main, probe.User, "mounts"), Mutations: []string{"mount.shared", "mount.slave", "mount.host-root"},
			Judge: judgePropagation,
		},
	}
}
