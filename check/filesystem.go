package check

import "github.com/tightship-dev/tightship/probe"

// Standards families that several rows share. Package standards says whose
// numbers these are.
var refsRootfs = []string{"CIS-Docker 5.13", "OWASP-Docker 8", "NSA-CISA 1.1", "NIST-800-190 4.4.4"}

var fixRootfs = Fix{
	Policy:     "rootfs: read-only",
	Docker:     "--read-only",
	Compose:    "read_only: true",
	Kubernetes: "securityContext.readOnlyRootFilesystem: true",
}

func filesystemChecks() []*Check {
	create := needs(need(Main, probe.Auditor, "fs.create"), need(Main, probe.User, "fs.create"))
	fixTmp := func(option string) Fix {
		return Fix{
			Policy:     "tmpfs: {/tmp: {size: 2g, exec: false, suid: false, dev: false}}",
			Docker:     "--tmpfs /tmp:rw," + option + ",size=2g",
			Compose:    "tmpfs: [\"/tmp:" + option + ",size=2g\"]",
			Kubernetes: "an emptyDir with medium: Memory and sizeLimit; its mount options are the node's",
		}
	}
	return []*Check{
		{
			ID: "fs.root-read-only", Section: Filesystem, Seeds: []string{"root_filesystem_read_only"},
			Title:    "The root file system cannot be changed",
			Why:      "An agent, or whoever talks it into something, that can write to / can plant programs, libraries and configuration that outlive the task and that the next command trusts.",
			Attempt:  "uid 0 without capabilities creates a file in /, /etc, /root and every other top directory of the root file system; the user does the same in directories there that belong to it.",
			Control:  "The same process creates a file in a declared tmpfs. Only EROFS counts: a permission error in /etc says nothing about the mount.",
			Settings: []string{"rootfs"}, Fix: fixRootfs, Refs: refsRootfs,
			Needs: create, Mutations: []string{"rootfs.writable"},
			Judge: func(in *Input) Result { return judgeReadOnly(in, "/") },
		},
		{
			ID: "fs.usr-read-only", Section: Filesystem, Seeds: []string{"usr_read_only"},
			Title:    "Programs and libraries in /usr cannot be changed",
			Why:      "Everything on PATH lives here. One replaced program runs in every later session of the container.",
			Attempt:  "uid 0 without capabilities creates a file in /usr, /usr/bin and /usr/local/bin and, where that succeeds, changes its mode, renames and removes it.",
			Control:  "The same process creates a file in a declared tmpfs.",
			Settings: []string{"rootfs"}, Fix: fixRootfs, Refs: refsRootfs,
			Needs: create, Mutations: []string{"rootfs.writable"},
			Judge: func(in *Input) Result { return judgeReadOnly(in, "/usr") },
		},
		{
			ID: "fs.var-read-only", Section: Filesystem, Seeds: []string{"var_read_only"},
			Title:    "State in /var cannot be changed",
			Why:      "/var/tmp is writable to everyone in most images and survives a restart: a quiet place to keep things.",
			Attempt:  "uid 0 without capabilities creates a file in /var, /var/tmp and /var/lib; so does the user.",
			Control:  "The same process creates a file in a declared tmpfs.",
			Settings: []string{"rootfs"}, Fix: fixRootfs, Refs: refsRootfs,
			Needs: create, Mutations: []string{"rootfs.writable"},
			Judge: func(in *Input) Result { return judgeReadOnly(in, "/var") },
		},
		{
			ID: "fs.tmp-writable", Section: Filesystem, Seeds: []string{"tmp_writable"},
			Title:    "Every declared tmpfs can be used",
			Why:      "Secure and usable: an agent without a temporary directory fails in ways that make people switch the protection off.",
			Attempt:  "The user writes, fsyncs, reads back and deletes a file in each.",
			Control:  "None: success is what is asked for.",
			Settings: []string{"tmpfs"}, Fix: fixTmp("noexec,nosuid,nodev"),
			Needs: need(Main, probe.User, "tmp.write"), Mutations: []string{"tmpfs.dropped"},
			Judge: judgeTmpWritable,
		},
		{
			ID: "fs.tmp-noexec", Section: Filesystem, Seeds: []string{"tmp_not_executable"},
			Title:    "Nothing runs from a declared tmpfs",
			Why:      "The one place anybody may write must not be a place to run a downloaded program from.",
			Attempt:  "The user copies a static program there, makes it executable and calls execve; then maps it with PROT_EXEC, which is how a library is loaded.",
			Control:  "The same program runs from its read-only mount.",
			Settings: []string{"tmpfs./tmp.exec"}, Fix: fixTmp("noexec"), Refs: []string{"MITRE-ATTACK T1059"},
			Needs: need(Main, probe.User, "tmp.exec"), Mutations: []string{"tmpfs.exec", "tmpfs.exec-suid-nnp-off"},
			Judge: judgeTmpNoexec,
		},
		{
			ID: "fs.tmp-nosuid", Section: Filesystem,
			Title:    "Setuid files on a declared tmpfs give nothing",
			Why:      "A setuid-root file that somebody managed to place must not turn the agent into root.",
			Attempt:  "uid 0 places a setuid-root program on the tmpfs and the user executes it, in a twin where no-new-privileges and noexec, which would hide the answer, are off.",
			Control:  "The same setuid program on a mount without nosuid does give root in that twin.",
			Settings: []string{"tmpfs./tmp.suid"}, Fix: fixTmp("nosuid"), Refs: []string{"MITRE-ATTACK T1548.001"},
			Needs:     need(Isolate, probe.User, "suid.run"),
			Mutations: []string{"tmpfs.suid", "tmpfs.exec-suid-nnp-off"},
			Judge:     judgeTmpNosuid,
		},
		{
			ID: "fs.tmp-nodev", Section: Filesystem,
			Title:    "Device nodes on a declared tmpfs cannot be opened",
			Why:      "A device node is a door to the kernel's drivers; on a nodev mount it is only a name.",
			Attempt:  "In a twin with CAP_MKNOD, uid 0 makes a node of the null device on the tmpfs and opens it.",
			Control:  "The same node in /dev opens.",
			Settings: []string{"tmpfs./tmp.dev"}, Fix: fixTmp("nodev"),
			Needs: need(Isolate, probe.Auditor, "dev.open"), Mutations: []string{"tmpfs.dev"},
			Judge: judgeTmpNodev,
		},
		{
			ID: "fs.tmp-bounded", Section: Filesystem, Seeds: nil,
			Title:    "A declared tmpfs cannot grow past its size",
			Why:      "A tmpfs is memory. Without a size it may take half of the host's.",
			Attempt:  "In the disposable twin, whose tmpfs is scaled down, the user writes without end.",
			Control:  "The first 64 KiB can be written; the real mount's size is read with statfs.",
			Settings: []string{"tmpfs./tmp.size"}, Fix: fixTmp("size=2g"), Refs: []string{"MITRE-ATTACK T1499"},
			Needs:     needs(need(Main, probe.User, "tmp.stat"), need(Exhaust, probe.User, "exhaust.tmpfs")),
			Mutations: []string{"tmpfs.unbounded"},
			Judge:     judgeTmpBounded,
		},
		{
			ID: "fs.workspace-writable", Section: Filesystem, Seeds: []string{"home_directory_writable"},
			Title:    "The agent can work in its workspace",
			Why:      "The workspace is where the work goes: it must take writes when the policy says rw, and refuse them when it says ro.",
			Attempt:  "The user writes, reads back, renames and deletes a file in the workspace. An empty stand-in with the declared owner takes the place of your directory: verifying never touches your files.",
			Control:  "None: success is what is asked for (EROFS for ro).",
			Settings: []string{"workspace"}, Fix: Fix{
				Policy:     "workspace: {source: ., target: /home/claude-agent/workspace, mode: rw}",
				Docker:     "-v \"$PWD\":/home/claude-agent/workspace",
				Compose:    "volumes: [\".:/home/claude-agent/workspace\"]",
				Kubernetes: "a volume mounted at the path, with fsGroup set to the agent's gid",
			},
			Needs: need(Main, probe.User, "workspace"), Mutations: []string{"workspace.none", "workspace.ro", "user.root", "image.root-user"},
			Judge: judgeWorkspace,
		},
		{
			ID: "fs.nothing-else-writable", Section: Filesystem,
			Title:    "Nothing else is writable, anywhere",
			Why:      "A forgotten volume or a host directory mounted for convenience is the way out that no list of flags shows.",
			Attempt:  "The user, and uid 0 without capabilities, try to create a file on every mount and in every directory of the root file system whose permission bits would let them.",
			Control:  "The declared places succeed, and the number of attempts is not zero.",
			Settings: []string{"rootfs", "tmpfs", "workspace"}, Fix: Fix{
				Policy:     "rootfs: read-only, and no mounts beyond tmpfs and workspace",
				Docker:     "--read-only, and :ro on every other -v; a VOLUME in the image needs a :ro mount over it",
				Compose:    "read_only: true, and read_only: true on every other volume",
				Kubernetes: "readOnlyRootFilesystem: true and readOnly: true on every other volumeMount",
			}, Refs: refsRootfs,
			Needs: needs(need(Main, probe.User, "fs.sweep", "fs.create"), need(Main, probe.Auditor, "fs.sweep")),
			Mutations: []string{"rootfs.writable", "mount.extra-tmpfs", "mount.host-rw", "mount.below-tmpfs", "mount.over-mqueue", "mount.docker-sock", "mount.host-root", "mount.var-run",
				"mount.host-proc-sys", "mount.host-sys", "mount.host-cgroup"},
			Judge: judgeNothingElse,
		},
		{
			ID: "fs.shm-bounded", Section: Filesystem,
			Title:    "/dev/shm is bounded and nothing runs from it",
			Why:      "Every engine mounts it, writable to everyone, whatever else was locked down.",
			Attempt:  "The user copies a program there and executes it; its size is read with statfs.",
			Control:  "The same program runs from its read-only mount.",
			Settings: []string{"rootfs"}, Fix: Fix{
				Policy:     "nothing to set: it is tight unless something is mounted over /dev/shm",
				Docker:     "--shm-size 64m, and no --tmpfs /dev/shm:exec",
				Compose:    "shm_size: 64m",
				Kubernetes: "no emptyDir mounted over /dev/shm",
			},
			Needs: need(Main, probe.User, "tmp.exec", "tmp.stat"), Mutations: []string{"shm.exec", "shm.large", "ns.ipc-host"},
			Judge: judgeShm,
		},
		{
			ID: "fs.dev-tmpfs", Section: Filesystem,
			Title:    "The agent cannot write to /dev",
			Why:      "/dev is a tmpfs that uid 0 inside may write to and execute from by the engine's own default. The agent must not be that uid.",
			Attempt:  "The user creates a file in /dev. What uid 0 can do there is listed as a residual risk.",
			Control:  "The same process creates a file in a declared tmpfs.",
			Settings: []string{"user.uid"}, Fix: fixUser,
			Needs: needs(need(Main, probe.User, "dev.create")), Mutations: []string{"user.root", "image.root-user"},
			Judge: judgeDev,
		},
	}
}
