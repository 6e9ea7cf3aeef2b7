package doctor

import (
	"slices"
	"strings"
)

// cgroups tells which limits can be set here, and by whom.
func (x *exam) cgroups() {
	const id, title = "cgroups", "cgroups"
	c := x.Host.Cgroup
	if c.Version == "" {
		x.find(machineGroup, id, Note, title, "could not be told: /proc/self/mountinfo shows none", say("mount them at /sys/fs/cgroup, or run `tightship doctor` outside of this container"))
		return
	}
	var dead []string
	for _, name := range controllers {
		if !slices.Contains(c.Enabled, name) {
			dead = append(dead, name)
		}
	}
	version := c.Version
	if version == "hybrid" {
		version = "v1 (hybrid)"
	}
	if len(dead) > 0 {
		x.find(machineGroup, id, Missing, title, version+", and the kernel does not offer "+strings.Join(dead, ", ")+": no engine can set these limits",
			say("remove cgroup_disable=… from the kernel's command line, or add cgroup_enable=memory there, and reboot"))
		return
	}
	var idle []string
	for _, name := range controllers {
		if !slices.Contains(c.Usable, name) {
			idle = append(idle, name)
		}
	}
	switch {
	case x.root() && len(idle) > 0:
		x.find(machineGroup, id, Note, title, version+", read-only here: "+strings.Join(idle, ", "), say("only engines outside of this container can set limits; run the daemonless one there, too"))
	case len(idle) > 0 && c.Version == "v2":
		level := Note
		if !x.answers() {
			level = Warning
		}
		x.find(machineGroup, id, level, title, "v2, not delegated to you: "+strings.Join(idle, ", ")+"; a rootless engine cannot set these limits", delegate()...)
	case len(idle) > 0:
		x.find(machineGroup, id, Note, title, version+": only root can set limits; rootless engines need v2", toV2()...)
	case c.Version == "hybrid":
		x.find(machineGroup, id, Note, title, version+"; cpu, memory and pids can be set; crun refuses to work here", toV2()...)
	case c.Version == "v1":
		x.find(machineGroup, id, Note, title, "v1; cpu, memory and pids can be set; newer engines will do without v1", toV2()...)
	case x.root():
		x.find(machineGroup, id, OK, title, "v2; cpu, memory and pids can be set")
	default:
		x.find(machineGroup, id, OK, title, "v2; cpu, memory and pids are delegated to you")
	}
}

func delegate() []Step {
	return append(run(
		"sudo mkdir -p /etc/systemd/system/user@.service.d",
		"printf '[Service]\\nDelegate=cpu memory pids\\n' |\n  sudo tee /etc/systemd/system/user@.service.d/delegate.conf",
		"sudo systemctl daemon-reload"),
		say("then log out and in again"))
}

func toV2() []Step {
	return []Step{say("for v2, boot a systemd machine with systemd.unified_cgroup_hierarchy=1 on the kernel's command line")}
}
