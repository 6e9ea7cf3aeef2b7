package doctor

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/docker/go-units"
)

func (x *exam) machine() {
	for _, what := range x.Late {
		x.find(machineGroup, "late["+what+"]", Warning, "not read", what+" could not be read in time",
			say("see what hangs there (a network file system whose server is gone?), then run `tightship doctor` again"))
	}
	if x.GOOS != "linux" {
		x.find(machineGroup, "system", Note, "system", fmt.Sprintf("%s/%s: containers need Linux, so the engine is in a virtual machine or elsewhere", x.GOOS, x.Arch),
			say("nothing: attempts are made as everywhere; the kernel's own account can be read only by a tightship on the engine's host"))
		return
	}
	name := x.Host.Name
	if name == "" {
		name = "Linux"
	}
	x.find(machineGroup, "system", OK, "system", fmt.Sprintf("%s, %s/%s, kernel %s", name, x.GOOS, x.Arch, known(x.Host.Kernel)))
	memory := "memory not known"
	if x.Host.Memory > 0 {
		memory = units.BytesSize(float64(x.Host.Memory)) + " of memory"
	}
	x.find(machineGroup, "size", OK, "size", fmt.Sprintf("%s, %s", count(x.Host.Cores, "core"), memory))
	x.cgroups()
	x.userNamespaces()
	x.subordinate()
	x.lsm()
	x.kernelParts()
	x.coreDumps()
}

func known(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

func (x *exam) userNamespaces() {
	const id, title = "user-namespaces", "user namespaces"
	u := x.Host.UserNS
	off := func(why string, steps ...Step) {
		level := Note
		if !x.root() && !x.answers() {
			level = Missing // an engine of the user's own is what is left, and it needs them
		}
		x.find(machineGroup, id, level, title, why+"; an engine that runs as root does not need them, a rootless one does", steps...)
	}
	sysctl := func(setting string) []Step {
		return run("sudo sysctl -w "+setting, "echo "+setting+" |\n  sudo tee /etc/sysctl.d/60-userns.conf")
	}
	switch {
	case x.Host.Kernel == "":
		x.find(machineGroup, id, Note, title, "could not be told: /proc does not show them", say("mount /proc, or run `tightship doctor` outside of this container"))
	case !u.Supported:
		off("this kernel has none", say("use a kernel built with CONFIG_USER_NS"))
	case u.Max == "0":
		off("none can be made: user.max_user_namespaces is 0", sysctl("user.max_user_namespaces=15000")...)
	case u.Clone == "0":
		off("unprivileged users can make none: kernel.unprivileged_userns_clone is 0", sysctl("kernel.unprivileged_userns_clone=1")...)
	case u.AppArmor != "" && u.AppArmor != "0":
		off("AppArmor leaves them without capabilities: kernel.apparmor_restrict_unprivileged_userns is "+word(u.AppArmor),
			append([]Step{say("let only the engine make them, by an AppArmor profile with `userns,`; or all programs:")},
				sysctl("kernel.apparmor_restrict_unprivileged_userns=0")...)...)
	default:
		x.find(machineGroup, id, OK, title, "unprivileged users can make user namespaces")
	}
}

// subordinate tells whether rootless engines have IDs to give to containers.
func (x *exam) subordinate() {
	const id, title = "subordinate-ids", "subuid, subgid"
	u := x.Host.UserNS
	if x.root() {
		x.find(machineGroup, id, OK, title, "not needed: this is root")
		return
	}
	var lacks []string
	var steps []Step
	if !x.has("newuidmap") || !x.has("newgidmap") {
		lacks = append(lacks, "no newuidmap and newgidmap")
		steps = append(steps, x.either([]string{"sudo apt-get install -y uidmap"}, []string{"sudo dnf install -y shadow-utils"})...)
	}
	const enough = 65536 // what an image with the usual IDs needs
	if min(u.UIDs, u.GIDs) < enough {
		lacks = append(lacks, fmt.Sprintf("%d UIDs and %d GIDs in /etc/subuid and /etc/subgid, of %d", u.UIDs, u.GIDs, enough))
		steps = append(steps, run(`sudo usermod --add-subuids 100000-165535 "$USER"`, `sudo usermod --add-subgids 100000-165535 "$USER"`)...)
	}
	if len(lacks) > 0 {
		x.find(machineGroup, id, Note, title, strings.Join(lacks, "; ")+": a rootless engine cannot start", steps...)
		return
	}
	x.find(machineGroup, id, OK, title, fmt.Sprintf("%d UIDs, %d GIDs, newuidmap", u.UIDs, u.GIDs))
}

func (x *exam) lsm() {
	const id, title = "lsm", "LSM"
	h := x.Host
	has := map[string]bool{}
	for _, l := range h.LSMs {
		has[l] = true
	}
	none := append(x.either([]string{"sudo apt-get install -y apparmor", "sudo reboot"}, []string{"sudo grubby --update-kernel ALL --args selinux=1", "sudo reboot"}),
		say("where it is still missing then, the kernel was built without it"))
	switch {
	case h.LSMs == nil:
		x.find(machineGroup, id, Note, title, "could not be told: /sys does not show them", say("mount /sys, or run `tightship doctor` outside of this container"))
	case has["selinux"] && h.Permissive:
		x.find(machineGroup, id, Warning, title, "SELinux only logs (permissive)", run("sudo setenforce 1")...)
	case has["selinux"]:
		x.find(machineGroup, id, OK, title, "SELinux, enforcing")
	case has["apparmor"]:
		x.find(machineGroup, id, OK, title, "AppArmor")
	default:
		x.find(machineGroup, id, Note, title, "neither AppArmor nor SELinux: one layer less around every container", none...)
	}
}

func (x *exam) kernelParts() {
	switch x.Host.Overlay {
	case "yes":
		x.find(machineGroup, "overlayfs", OK, "overlayfs", "available")
	case "no":
		x.find(machineGroup, "overlayfs", Note, "overlayfs", "not loaded: an engine loads it when it starts, or copies whole images", run("sudo modprobe overlay")...)
	default:
		x.find(machineGroup, "overlayfs", Note, "overlayfs", "could not be told: /proc/filesystems cannot be read", say("mount /proc, or run `tightship doctor` outside of this container"))
	}
	switch x.Host.Seccomp {
	case "yes":
		x.find(machineGroup, "seccomp", OK, "seccomp", "filters are available")
	case "no":
		x.find(machineGroup, "seccomp", Missing, "seccomp", "this kernel has no seccomp filters: no container here can have the protection", say("use a kernel built with CONFIG_SECCOMP_FILTER"))
	default:
		x.find(machineGroup, "seccomp", Note, "seccomp", "could not be told: /proc/sys cannot be read", say("mount /proc, or run `tightship doctor` outside of this container"))
	}
}

func (x *exam) coreDumps() {
	pattern := x.Host.Core
	switch {
	case pattern == "":
		x.find(machineGroup, "core-dumps", Note, "core dumps", "could not be told: kernel.core_pattern cannot be read", say("run `sysctl kernel.core_pattern` as root; it should not begin with |"))
	case strings.HasPrefix(pattern, "|"):
		program, _, _ := strings.Cut(strings.TrimSpace(pattern[1:]), " ")
		x.find(machineGroup, "core-dumps", Note, "core dumps", "piped to "+word(program)+" on the host: a container's limit on core files does not stop that",
			run("sudo sysctl -w kernel.core_pattern=core")...)
	default:
		x.find(machineGroup, "core-dumps", OK, "core dumps", "written to files, which a container's limit forbids")
	}
}
