package check

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
)

// Risk is something that no setting here takes away. It is listed in every
// report and never a verdict.
type Risk struct{ ID, Title, Detail string }

// Residual lists the risks that remain, with what was seen of them.
func Residual(in *Input) []Risk {
	risks := []Risk{{
		"interpreters", "Interpreters run scripts from anywhere",
		"noexec stops execve, not `python /tmp/x.py`: what the image's interpreters can do, the agent can do.",
	}}
	if o, why := in.see(Main, probe.User, "memfd"); why == "" && len(o.Attempts) > 0 {
		risks = append(risks, Risk{
			"memfd", "Programs can run from memory",
			"memfd_create and execve need no writable file system. Tried here: " + show(o.Attempts...) + ".",
		})
	}
	if in.Sandboxed() {
		risks = append(risks, Risk{
			"sandbox-kernel", "The kernel is gVisor's, a process on the host",
			"System calls end in the sandbox and not in the host's kernel: a way out takes a bug there and then one in the few calls that the sandbox itself may make. Processor and memory are shared with the host all the same.",
		})
	} else {
		risks = append(risks, Risk{
			"shared-kernel", "The kernel is shared with the host",
			"Every system call the filter lets through reaches the host's kernel: a bug there is a way out. A user-space kernel such as gVisor changes that.",
		})
	}
	if o, why := in.see(Main, probe.User, "namespaces"); why == "" && !in.Sandboxed() {
		if t, _ := attempt(o, "be in the kernel's first namespace", "user"); t.OK || o.Facts["id:user"] != "" && o.Facts["id:user"] == in.Host["user"] {
			risks = append(risks, Risk{
				"user-namespace", "uid 0 inside is uid 0 on the host",
				"The container has no user namespace of its own (" + o.Facts["id:user"] + "): whoever becomes root inside and gets out is root outside. Rootless engines, and Docker's userns-remap, give it one.",
			})
		}
	}
	if o, why := in.see(Main, probe.User, "dev.create"); why == "" {
		size, _ := strconv.ParseInt(o.Facts["size"], 10, 64)
		risks = append(risks, Risk{
			"dev-tmpfs", "uid 0 inside can write to and execute from /dev",
			fmt.Sprintf("Engines make /dev a tmpfs (%s, %s). The agent is not that uid; whoever runs `docker exec -u 0` is.", bytesText(size), strings.Trim(o.Facts["flags"], "[]")),
		})
	}
	if o, why := in.see(Main, probe.Auditor, "fs.sweep"); why == "" && o.Facts["cgroup tree"] == "writable" {
		risks = append(risks, Risk{
			"cgroup-tmpfs", "uid 0 inside can write to /sys/fs/cgroup",
			"On cgroup v1, runc since 1.2 leaves the tmpfs that holds the hierarchies writable for uid 0 (nosuid, nodev, noexec; the hierarchies themselves are read-only). The agent is not that uid; cgroup v2 has no such place.",
		})
	}
	if tw := in.Twins[Main]; tw != nil && len(tw.Other) > 0 {
		risks = append(risks, Risk{
			"engine-notes", "The engine says more about the container than was judged",
			strings.Join(tw.Other, "; "),
		})
	}
	if o := in.Original; o != nil {
		risks = append(risks, Risk{
			"twin", "What was attacked is a twin of the container",
			"It has the container's image and settings, but not what the container wrote since its start, nor its anonymous volumes. " +
				onOff(len(o.NotShared) == 0, "It shares the rest.", strings.Join(o.NotShared, "; ")+"."),
		})
	}
	if w := in.Policy.Workspace; w.Mode == policy.WorkspaceRW {
		risks = append(risks, Risk{
			"workspace", "The workspace is writable, as the policy says",
			"Whatever the agent leaves in " + w.Source + " (hooks, build files, editor settings) runs with your rights when you use it outside.",
		})
	}
	if w := in.Policy.Workspace; w.Mode != policy.WorkspaceNone {
		risks = append(risks, Risk{
			"workspace-content", "What lies in the workspace was not looked through",
			"An empty place stood in for " + w.Source + ". The agent reads whatever is there: a .env, a token in .git/config.",
		})
	}
	if kept := in.Policy.Capabilities; len(kept) > 0 {
		risks = append(risks, Risk{
			"capabilities", "The container keeps capabilities, as the policy says",
			"What " + strings.Join(kept, ", ") + " permits is permitted to uid 0 inside, and to the agent through a program that carries it.",
		})
	}
	if in.Policy.Network != policy.NetworkNone {
		risks = append(risks, Risk{
			"network", "The container has a network, as the policy says",
			"network: " + string(in.Policy.Network) + " lets the agent reach whatever the host reaches, and send out whatever it reads.",
		})
	}
	return risks
}
