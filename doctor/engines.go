package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/report"
)

// answers reports whether any engine does.
func (f Facts) answers() bool {
	return slices.ContainsFunc(f.Engines, func(e Engine) bool { return e.Err == nil })
}

// first is the first engine that answers; there must be one.
func (f Facts) first() Engine {
	return f.Engines[slices.IndexFunc(f.Engines, func(e Engine) bool { return e.Err == nil })]
}

func (x *exam) engines() {
	for i, e := range x.Engines {
		id := fmt.Sprintf("[%s]", word(bare(e.Host)))
		if e.Err != nil {
			x.silent(id, e)
			continue
		}
		x.engine(id, x.Engines[i])
	}
	if len(x.Engines) == 0 {
		x.find(enginesGroup, "engine", Missing, "engine", "none was found", x.installEngine()...)
	}
	x.oci()
}

// place is where an engine is, for people.
func place(e Engine) string { return word(bare(e.Host)) + " (" + word(e.From) + ")" }

// silent tells why an endpoint is no engine for us, and how it could be.
func (x *exam) silent(id string, e Engine) {
	level := Missing
	switch {
	case !x.answers() || e.From == "DOCKER_HOST":
	case e.Used:
		level = Warning // `tightship verify` has to be told of another
	default:
		level = Note
	}
	add := func(detail string, steps ...Step) {
		x.find(enginesGroup, "answers"+id, level, "engine", detail, steps...)
	}
	why := reason(e)
	switch {
	case errors.Is(e.Err, engine.ErrPermission):
		add("permission denied at "+place(e), x.permission(e)...)
	case errors.Is(e.Err, engine.ErrVersion) && x.APIVersion != "":
		add("no common API version at "+place(e)+": "+why, append([]Step{say("DOCKER_API_VERSION is " + x.APIVersion + ":")}, run("unset DOCKER_API_VERSION")...)...)
	case errors.Is(e.Err, engine.ErrVersion):
		add("too old at "+place(e)+": "+why, append([]Step{say("install Docker 20.10 or newer, or Podman 4:")},
			x.either([]string{"sudo apt-get install -y docker.io"}, []string{"sudo dnf install -y moby-engine"})...)...)
	case e.From == "DOCKER_HOST":
		steps := []Step{say("start the engine there; or, to use one of this machine:")}
		add("nothing usable at "+place(e)+": "+why, append(steps, run("unset DOCKER_HOST")...)...)
	case errors.Is(e.Err, engine.ErrBadAnswer):
		add("what listens at "+place(e)+" is no engine: "+why, say("see what listens there, and start a Docker engine or Podman's socket in its place"))
	case e.Used && x.answers():
		add("none at "+place(e)+": "+why, append([]Step{say("use the engine that answers:")}, run("export DOCKER_HOST="+quote(bare(x.first().Host)))...)...)
	case x.answers(): // nothing is there, and nothing is needed
	case errors.Is(e.Err, context.DeadlineExceeded):
		add("no answer in time from "+place(e), say("it is busy, stuck or out of reach: see how it is doing, and run `tightship doctor` again"))
	default:
		add("none at "+place(e)+": "+why, x.startEngine(e)...)
	}
}

// reason is an error's own part: who says it, and to which address, is said
// beside it.
func reason(e Engine) string {
	s := e.Err.Error()
	for _, before := range []string{"docker: ", "ping: ", "version: ", "info: ", engine.ErrUnreachable.Error() + ": ",
		engine.ErrVersion.Error() + ": ", engine.ErrBadAnswer.Error() + ": ", bare(e.Host) + ": ", bare(e.Host) + " "} {
		s = strings.TrimPrefix(s, before)
	}
	return report.Sanitize(strings.TrimSuffix(s, ": "+context.DeadlineExceeded.Error()), maxText)
}

func (x *exam) permission(e Engine) []Step {
	group := e.Socket.Group
	switch {
	case strings.Contains(e.Host, "podman"):
		return append([]Step{say("that is root's Podman; one of your own needs no permission:")}, run("systemctl --user enable --now podman.socket")...)
	case group == "" || group == "root":
		return []Step{say("run as root, or point DOCKER_HOST at an engine of yours (rootless Docker, Podman)")}
	case e.Socket.Listed:
		return append([]Step{say("you are in the group " + group + ", but were not yet when you logged in; log in again, or:")}, run("newgrp "+quote(group))...)
	}
	return append(run(`sudo usermod -aG `+quote(group)+` "$USER"`),
		say("then log in again. Whoever is in that group is as good as root on this machine. To avoid that, use rootless Docker or Podman"))
}

// startEngine is how to get an engine where none answers.
func (x *exam) startEngine(e Engine) []Step {
	switch {
	case strings.HasPrefix(e.From, "docker context"):
		return append([]Step{say("start it, or go back to the default:")}, run("docker context use default")...)
	case x.GOOS == "linux" && strings.Contains(e.Host, "podman") && x.Host.Systemd:
		if strings.Contains(e.Host, "/run/user/") {
			return run("systemctl --user enable --now podman.socket")
		}
		return run("sudo systemctl enable --now podman.socket")
	case x.GOOS == "linux" && x.has("dockerd") && x.Host.Systemd:
		return run("sudo systemctl enable --now docker")
	case x.GOOS == "linux" && x.has("dockerd"):
		return append([]Step{say("no systemd here to start it:")}, run("sudo dockerd > /tmp/dockerd.log 2>&1 &")...)
	}
	return x.installEngine()
}

func (x *exam) installEngine() []Step {
	if x.GOOS == "darwin" {
		return append(run("brew install colima docker", "colima start"), say("or install Docker Desktop"))
	}
	if x.has("podman") && x.Host.Systemd {
		user := "systemctl --user enable --now podman.socket"
		if x.root() {
			user = "systemctl enable --now podman.socket"
		}
		return append([]Step{say("Podman is installed; its socket is all that is missing:")}, run(user)...)
	}
	return x.either(
		[]string{"sudo apt-get install -y docker.io"},
		[]string{"sudo dnf install -y moby-engine", "sudo systemctl enable --now docker"})
}

// engine tells what an engine that answers is like.
func (x *exam) engine(id string, e Engine) {
	i := e.Info
	name := word(i.Name)
	detail := fmt.Sprintf("%s, API %s, %s/%s, at %s", word(i.Version), word(i.API), word(i.OS), word(i.Arch), place(e))
	if i.Rootless {
		detail += ", rootless"
	}
	switch {
	case i.OS != "linux":
		x.find(enginesGroup, "answers"+id, Missing, name, detail+": its containers are not Linux", say("switch it to Linux containers"))
	case strings.HasPrefix(e.Host, "tcp://") && !e.TLS && !loopback(e.Host):
		x.find(enginesGroup, "answers"+id, Warning, name, detail+", without TLS: whoever reaches that port is root there",
			say("give it certificates and set DOCKER_TLS_VERIFY=1, or reach it by ssh"))
	default:
		x.find(enginesGroup, "answers"+id, OK, name, detail)
	}
	x.limits(id, e)
	x.runtimes(id, e)
	x.dataRoot(id, e)
}

func loopback(host string) bool {
	u, err := url.Parse(host)
	return err == nil && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
}

func (x *exam) limits(id string, e Engine) {
	i := e.Info
	detail := fmt.Sprintf("cgroup %s, driver %s", known(word(i.Cgroup)), known(word(i.Driver)))
	switch {
	case i.Driver == "none":
		x.find(enginesGroup, "limits"+id, Warning, "limits", detail+": it sets no limits at all",
			append([]Step{say("rootless, it needs cgroup v2 and delegated controllers:")}, delegate()...)...)
	case len(i.Lacks) > 0:
		steps := []Step{say("add to the kernel's command line what the controller needs, and reboot: swapaccount=1 for swap, cgroup_enable=memory for memory; rootless engines need the controllers delegated")}
		x.find(enginesGroup, "limits"+id, Warning, "limits", detail+"; it cannot limit "+strings.Join(i.Lacks, ", "), steps...)
	default:
		x.find(enginesGroup, "limits"+id, OK, "limits", detail)
	}
}

func (x *exam) runtimes(id string, e Engine) {
	var names []string
	for _, name := range runtimesOf(e) {
		text := word(name)
		if name == e.Info.Runtime {
			text += " (default)"
		}
		names = append(names, text)
	}
	if len(names) == 0 {
		x.find(enginesGroup, "runtimes"+id, Warning, "runtimes", "it names none", say("see `docker info`; an engine without a runtime starts nothing"))
		return
	}
	x.find(enginesGroup, "runtimes"+id, OK, "runtimes", strings.Join(names, ", "))
	for _, name := range runtimesOf(e) {
		if slices.Contains(e.Absent, name) {
			x.find(enginesGroup, "runtime"+strings.TrimSuffix(id, "]")+" "+word(name)+"]", Missing, "runtime", word(name)+" is registered, but there is no "+word(e.Info.Programs[name].Path),
				say("put the program there, or take the runtime out of /etc/docker/daemon.json and reload Docker"))
		}
	}
}

// runtimesOf is the runtimes that are worth naming: the default one first, and
// without containerd's own names for it. Podman names every runtime that it has
// ever heard of; of its list only what is there counts.
func runtimesOf(e Engine) []string {
	first := e.Info.Runtime
	names := slices.Concat(e.Info.Runtimes, slices.Collect(maps.Keys(e.Info.Programs)))
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(n string) bool {
		return n == first || strings.HasPrefix(n, "io.containerd.runc.") || strings.HasPrefix(n, "io.containerd.runtime.") ||
			e.Info.Name == "podman" && (!e.Info.Local || slices.Contains(e.Absent, n))
	})
	if first != "" {
		names = append([]string{first}, names...)
	}
	return names
}

// dataRoot looks at the file system that the engine keeps its containers on.
func (x *exam) dataRoot(id string, e Engine) {
	if !e.Info.Local || e.Info.Root == "" || len(x.Host.Mounts) == 0 {
		return
	}
	mount, _ := (&kernel.State{Mounts: x.Host.Mounts}).MountAt(e.Info.Root)
	switch {
	case mount.Target == "":
		x.find(enginesGroup, "data-root"+id, Note, "data root", "its mount could not be found", say("see `findmnt -T "+quote(e.Info.Root)+"`: it must not be nosuid"))
	case mount.Has("nosuid"):
		x.find(enginesGroup, "data-root"+id, Warning, "data root", word(e.Info.Root)+" is on "+word(mount.Target)+", which is mounted nosuid: setuid programs never work there, so that the nosuid check has no control",
			run("sudo mount -o remount,suid "+quote(mount.Target))...)
	default:
		x.find(enginesGroup, "data-root"+id, OK, "data root", word(e.Info.Root)+", setuid programs work there")
	}
}
