package check

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// runtimeSockets is where container runtimes listen. Who is given one of these,
// or a directory that holds its place, is given the host.
var runtimeSockets = []string{
	"/run/docker.sock", "/run/containerd/containerd.sock", "/run/crio/crio.sock", "/run/podman/podman.sock",
	"/var/run/docker.sock", "/var/run/containerd/containerd.sock", "/var/run/crio/crio.sock", "/var/run/podman/podman.sock",
}

func judgeNoSocket(in *Input) Result {
	a := account{wanted: "no socket of the host's", wantedIs: on, declared: "no place of a runtime's socket", declaredIs: on}
	for _, m := range in.declared().Mounts {
		holds := slices.ContainsFunc(runtimeSockets, func(s string) bool { return below(s, path.Clean(m.Source)) })
		if m.Kind == spec.Bind && (holds || strings.HasSuffix(m.Source, ".sock") || strings.HasSuffix(m.Target, ".sock")) {
			a.declared, a.declaredIs = fmt.Sprintf("%s at %s", m.Source, m.Target), off
		}
	}
	if in.declared().Network == "host" {
		a.declared, a.declaredIs = "the host's network, with its abstract names", off
	}
	a.kernel = "the kernel's account does not name sockets"
	var open, closed, inside, unclear, searched []string
	for _, role := range []probe.Role{probe.User, probe.Auditor} {
		o, why := in.see(Main, role, "sockets")
		if why != "" {
			return a.unmeasured(why)
		}
		sweep, why := in.see(Main, role, "fs.sweep")
		if why != "" {
			return a.unmeasured(why)
		}
		for _, t := range o.Attempts {
			switch {
			case t.Control:
			case t.OK && t.Act != "connect":
				inside = append(inside, t.On)
			case t.OK:
				open = append(open, fmt.Sprintf("%s (as %s)", t.On, role))
			case slices.Contains([]string{"ECONNREFUSED", "EACCES", "EPERM", "ENOENT"}, t.Errno):
				closed = append(closed, t.On+": "+t.Errno)
			default:
				unclear = append(unclear, t.On+": "+t.Errno)
			}
		}
		ctl, ok := control(o, "connect")
		switch {
		case len(open) > 0: // found, whatever else was not
		case !ok:
			return a.decide(silent, NoGrade, show(ctl), "the control failed: its own socket could not be connected to either")
		case o.Facts["looked"] == "" || o.Facts["looked"] == "0" || sweep.Facts["directories"] == "" || sweep.Facts["directories"] == "0":
			return a.decide(silent, NoGrade, show(ctl), "no place was searched as "+string(role))
		case sweep.Facts["truncated"] != "" || o.Facts["truncated"] != "":
			return a.decide(silent, NoGrade, show(ctl), "the search as "+string(role)+" was cut short")
		}
		searched = append(searched, fmt.Sprintf("%s: %s known places, %s directories and %s abstract names", role, o.Facts["looked"], sweep.Facts["directories"], o.Facts["abstract names"]))
	}
	seen := strings.Join(searched, "; ")
	if len(closed) > 0 {
		seen += "; refused: " + few(closed)
	}
	if len(inside) > 0 {
		seen += "; of the container's own: " + few(inside)
	}
	switch {
	case len(open) > 0:
		return a.decide(off, Exercised, seen+"; connected: "+strings.Join(open, "; "), "somebody outside the container listens on "+few(open))
	case len(unclear) > 0:
		return a.decide(silent, NoGrade, seen, "neither connected nor refused: "+few(unclear))
	}
	return a.decide(on, Exercised, seen, onOff(len(closed) > 0, "every socket that was found refused", "no socket of anybody else's was found")+"; one of its own could be connected to")
}

// neverMounted says whether a source must not be in any container, declared or
// not: the system's own directories, and a home as a whole.
func neverMounted(source string) bool {
	source = path.Clean(source)
	switch path.Dir(source) {
	case "/home", "/Users":
		return true
	}
	return slices.Contains([]string{"/", "/boot", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/Users", "/usr", "/var", "/var/lib",
		"/var/lib/containerd", "/var/lib/containers", "/var/lib/docker", "/var/lib/kubelet", "/var/run"}, source)
}

func judgeNoHostPath(in *Input) Result {
	w := in.Policy.Workspace
	a := account{wanted: "of the host: nothing", wantedIs: on, declared: "no other host path", declaredIs: on}
	for _, m := range in.Wanted.Mounts {
		a.wanted = fmt.Sprintf("of the host: %s at %s", m.Source, m.Target)
		if m.Kind == spec.Bind && neverMounted(m.Source) {
			a.wantedIs = off
		}
	}
	var others []string
	for _, m := range in.declared().Mounts {
		if m.Kind == spec.Bind && (w.Mode == policy.WorkspaceNone || m.Target != w.Target || neverMounted(m.Source)) {
			others = append(others, fmt.Sprintf("%s at %s", m.Source, m.Target))
		}
	}
	if len(others) > 0 {
		a.declared, a.declaredIs = strings.Join(others, ", "), off
	}
	a.kernel = in.kernelNote()
	if k := in.kernel(); k != nil {
		a.kernel = plural(len(k.Mounts), "mount", "mounts")
	}
	o, why := in.see(Main, probe.User, "mounts")
	if why != "" {
		return a.unmeasured(why)
	}
	_, ok := control(o, "look at a mount")
	var found, own, unclear []string
	for _, t := range pick(o, func(t probe.Attempt) bool { return !t.Control && t.Act == "look at a mount" }) {
		text := t.On + " (" + onOff(t.OK, t.Note, t.Errno) + ")"
		is := answerOf(in.ownMount(o, t.On))
		if is == off {
			is = in.cover(o, t.On)
		}
		switch is {
		case on:
			own = append(own, text)
		case off:
			found = append(found, text)
		default:
			unclear = append(unclear, text)
		}
	}
	seen := fmt.Sprintf("%s mounts; the container's own: %s", o.Facts["mounts"], few(own))
	switch {
	case len(found) > 0:
		return a.decide(off, Exercised, seen+"; others: "+strings.Join(found, "; "), "this is mounted and not declared: "+few(found))
	case o.Facts["truncated"] != "" || len(own) == 0:
		return a.decide(silent, NoGrade, seen, "the mount table could not be looked at as a whole")
	case len(unclear) > 0:
		return a.decide(silent, NoGrade, seen+"; others: "+strings.Join(unclear, "; "), "without the mount table of the engine's host, this may be the host's or a copy of the image's: "+few(unclear))
	case !ok:
		return a.decide(silent, NoGrade, seen, "the control failed: the mount that this verification made was not found")
	}
	return a.decide(on, Exercised, seen, "nothing else is mounted; the mount that this verification made was found in the same table")
}

// Files and places that engines mount by themselves, beside the kernel's own.
var (
	ownFiles = []string{"/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/run/.containerenv", "/sbin/docker-init", "/usr/sbin/docker-init", "/run/podman-init"}
	// systemFolders is what a root file system made of this machine's own folders
	// consists of.
	systemFolders = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc"}
)

// ownMount says whether a mount is the container's own or declared.
func (in *Input) ownMount(o probe.Observation, target string) bool {
	fact := func(key string) string { return o.Facts[key+":"+target] }
	memory := fact("fstype") == "tmpfs"
	switch {
	case target == "/":
		return true
	case target == "/dev":
		return memory || fact("fstype") == "dev" // what gVisor calls it
	case target == "/dev/shm" && memory, memory && fact("entries") == "0":
		return true // what is shared there is ns.ipc's affair
	case slices.Contains(ownFiles, target):
		return fact("kind") == "file"
	case target == "/etc/passwd" || target == "/etc/group": // Podman's, for a user whom the image's do not name
		return fact("kind") == "file" && strings.HasSuffix(fact("root"), "/userdata"+strings.TrimPrefix(target, "/etc"))
	case target == "/run/secrets": // Podman's, with the host's subscriptions if it has any
		return strings.HasSuffix(fact("root"), "/userdata/run/secrets")
	}
	if w := in.Policy.Workspace; w.Mode != policy.WorkspaceNone && target == in.real(w.Target) {
		return true
	}
	for dir := range in.Policy.Tmpfs {
		if memory && target == in.real(dir) {
			return true
		}
	}
	madeOfFolders := func(line string) bool { return strings.HasPrefix(line, "rootfs=system folders") }
	if slices.ContainsFunc(systemFolders, func(d string) bool { return below(target, d) }) && fact("access") == "ro" && slices.ContainsFunc(in.Twins[Main].Other, madeOfFolders) {
		return true
	}
	return in.volume(target)
}

// covered is where Podman hides what the image has, in a read-only root, behind a
// tmpfs with a copy of it.
var covered = []string{"/run", "/tmp", "/var/tmp"}

// cover says whether a mount is such a tmpfs. One of the host's looks the same from
// inside, where it was mounted read-only. Only the number of its file system tells,
// which is the kernel's and the same in every mount namespace: that of a container's
// own is in no table of the host's.
func (in *Input) cover(o probe.Observation, target string) answer {
	fact := func(key string) string { return o.Facts[key+":"+target] }
	whole := fact("fstype") == "tmpfs" && fact("root") == "/" && fact("access") == "ro"
	if !whole || !slices.Contains(covered, target) || in.Sandboxed() {
		return off
	}
	if fact("device") == "" || len(in.HostDevices) == 0 {
		return silent
	}
	return answerOf(!slices.Contains(in.HostDevices, fact("device")))
}

// volume says whether an engine's volume is mounted there.
func (in *Input) volume(target string) bool {
	tw := in.Twins[Main]
	return slices.ContainsFunc(slices.Concat(tw.Copied.Mounts, tw.Declared.Mounts), func(m spec.Mount) bool {
		return m.Kind == spec.Volume && (path.Clean(m.Target) == target || in.real(m.Target) == target)
	})
}

// mayFollow says whether a mount may follow another one: runtimes make the root
// do so, and with it the engine's volumes.
func (in *Input) mayFollow(target string) bool { return target == "/" || in.volume(target) }

func judgePropagation(in *Input) Result {
	a := account{wanted: "every mount private", wantedIs: on, declared: "no propagation", declaredIs: on}
	for _, m := range in.declared().Mounts {
		if m.Propagation != "" {
			a.declared, a.declaredIs = fmt.Sprintf("%s %s", m.Target, m.Propagation), off
		}
	}
	a.ask(in, func(k *kernel.State) (string, answer) {
		for _, m := range k.Mounts {
			for _, p := range m.Propagation {
				if strings.HasPrefix(p, "shared:") || !in.mayFollow(m.Target) {
					return m.Target + " " + p, off
				}
			}
		}
		return "no shared mount, nor one that follows another, among " + plural(len(k.Mounts), "mount", "mounts"), on
	})
	o, why := in.see(Main, probe.User, "mounts")
	if why != "" {
		return a.unmeasured(why)
	}
	ctl, ok := control(o, "find a shared mount")
	shared, _ := attempt(o, "find a shared mount", "")
	follows := pick(o, func(t probe.Attempt) bool {
		return t.Act == "find a mount that follows another" && !in.mayFollow(t.On)
	})
	seen := fmt.Sprintf("%s mounts; %s", o.Facts["mounts"], show(append(follows, ctl)...))
	switch {
	case shared.OK:
		return a.decide(off, Exercised, show(shared)+"; "+seen, shared.On+" is shared: what is mounted below it shows outside")
	case len(follows) > 0:
		return a.decide(off, Exercised, seen, follows[0].On+" follows a mount of the host's: what is mounted there later shows inside")
	case o.Facts["mounts"] == "" || o.Facts["mounts"] == "0" || o.Facts["truncated"] != "":
		return a.decide(silent, NoGrade, seen, "no mount was looked at")
	case !ok:
		return a.decide(silent, NoGrade, seen, "the control failed: the reader does not find one that is there")
	case o.Facts["peer groups"] != "" && !in.takes("mounts.private-propagation", SandboxMounts):
		return a.decide(silent, NoGrade, seen, "the mount table does not say how mounts are handed on")
	case o.Facts["peer groups"] != "":
		return a.decide(a.declaredIs, Declared, seen, "this kernel does not say how its mounts are handed on; the engine was told nothing but private")
	}
	return a.decide(on, Exercised, seen, "no mount is shared, and none of the host's is followed")
}
