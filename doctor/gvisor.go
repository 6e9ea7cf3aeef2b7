package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/report"
)

// An older runsc than usableRunsc does not serve: Debian 12's package, of
// December 2022, is the newest of which that is known. One older than a year has
// missed a year's mended escapes.
var usableRunsc = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)

const staleRunsc = 365 * 24 * time.Hour

const gvisorInstall = "https://gvisor.dev/docs/user_guide/install/"

func (x *exam) gvisor() {
	found := x.named("runsc")
	for _, p := range found {
		x.runscProgram(p)
	}
	registered := false
	for _, e := range x.Engines {
		if e.Err != nil {
			continue
		}
		for _, name := range runtimesOf(e) {
			if isRunsc(name, e.Info.Programs[name]) && !slices.Contains(e.Absent, name) {
				registered = true
				x.runscRuntime(e, name)
			}
		}
	}
	if len(found) == 0 && !registered {
		x.find(gvisorGroup, "program", Note, "runsc", "none here: containers share the host's kernel; gVisor gives them one of their own",
			say("install upstream's release: "+gvisorInstall+"; or, to get started, `make build` in tightship's source builds bin/runsc"))
		return
	}
	if !registered && x.answers() {
		x.find(gvisorGroup, "runtime", Note, "runtime", "no engine knows a runtime that is runsc", x.register(found)...)
	}
}

// runscProgram tells whether a runsc on this machine is fit.
func (x *exam) runscProgram(p Program) {
	id := fmt.Sprintf("program[%s]", word(p.Path))
	detail := word(p.Path) + ": " + known(p.Version)
	release := say("install upstream's release: " + gvisorInstall)
	day, dated := versionDate(p.Version)
	if dated {
		detail = fmt.Sprintf("%s: %s, %d days old", word(p.Path), p.Version, int(x.Now.Sub(day).Hours()/24))
	}
	add := func(l Level, why string, steps ...Step) {
		x.find(gvisorGroup, id, l, "runsc", detail+why, steps...)
	}
	switch {
	case underTmp(p.Path):
		add(Missing, "; it cannot work under /tmp, which it mounts over", moved(p.Path)...)
	case dated && day.Before(usableRunsc):
		add(Missing, ": too old to work (Debian's package is)", release)
	case !dated:
		add(Note, "; how old it is could not be told", say("see `"+quote(p.Path)+" --version`, and compare with https://github.com/google/gvisor/tags"))
	case x.Now.Sub(day) > staleRunsc:
		add(Warning, ": a year of fixes is missing", release)
	case p.Bundled || strings.HasPrefix(p.Version, "v0.0.0-"):
		add(Note, "; built from the Go module, which is for getting started: upstream supports its releases only", release)
	default:
		add(OK, "")
	}
}

// runscRuntime tells how an engine has runsc registered.
func (x *exam) runscRuntime(e Engine, name string) {
	id := fmt.Sprintf("runtime[%s %s]", word(bare(e.Host)), word(name))
	p := e.Info.Programs[name]
	detail := fmt.Sprintf("%s in %s", word(name), word(e.Info.Name))
	if p.Path != "" {
		detail += ", " + word(p.Path)
	}
	if len(p.Args) > 0 {
		detail += ", " + report.Sanitize(strings.Join(p.Args, " "), maxWord)
	}
	again := x.registerAs(name, runscPath(p))
	switch {
	case underTmp(p.Path):
		x.find(gvisorGroup, id, Missing, "runtime", detail+": cannot work under /tmp, which it mounts over",
			append(moved(p.Path), x.registerAs(name, stable)...)...)
	case usesKVM(p.Args):
		x.find(gvisorGroup, id, Warning, "runtime", detail+": tightship does not use the kvm platform, whose start can hang", append([]Step{say("take --platform=kvm away; systrap, the default, works everywhere:")}, again...)...)
	case x.tooOld(p):
		x.find(gvisorGroup, id, Missing, "runtime", detail+": too old to work", say("install upstream's release: "+gvisorInstall))
	case e.Info.Name == "podman" && !hasFlag(p.Args, "oci-seccomp"):
		x.find(gvisorGroup, id, Warning, "runtime", detail+": Podman starts it without --oci-seccomp, and it ignores the seccomp profile",
			say("name a script in containers.conf, below [engine.runtimes], that adds --oci-seccomp; or use Docker"))
	case p.Path == "":
		x.find(gvisorGroup, id, Note, "runtime", detail+": a containerd shim, whose --oci-seccomp cannot be known from here",
			say("see that /etc/containerd/runsc.toml has oci-seccomp = \"true\" below [runsc_config]"))
	case !hasFlag(p.Args, "oci-seccomp"):
		x.find(gvisorGroup, id, Warning, "runtime", detail+": without --oci-seccomp it ignores the seccomp profile", again...)
	default:
		x.find(gvisorGroup, id, OK, "runtime", detail)
	}
}

// register is how an engine gets to know runsc.
func (x *exam) register(found []Program) []Step {
	for _, p := range found {
		day, dated := versionDate(p.Version)
		switch {
		case dated && day.Before(usableRunsc):
			continue
		case p.Bundled || underTmp(p.Path):
			return append(moved(p.Path), x.registerAs("runsc", stable)...)
		}
		return x.registerAs("runsc", p.Path)
	}
	return []Step{say("install upstream's release first: " + gvisorInstall)}
}

// stable is where a runsc may lie that an engine is told of.
const stable = "/usr/local/bin/runsc"

func moved(from string) []Step { return run("sudo install " + quote(from) + " " + stable) }

// registerAs has runsc write itself into Docker's configuration.
func (x *exam) registerAs(name, file string) []Step {
	command := "sudo " + quote(file) + " install"
	if name != "runsc" { // what it calls itself
		command += " " + quote("--runtime="+name)
	}
	reload := `sudo kill -HUP "$(pidof dockerd)"`
	if x.Host.Systemd || x.GOOS != "linux" {
		reload = "sudo systemctl reload docker"
	}
	return run(command+" -- --oci-seccomp", reload)
}

// isRunsc goes by what the engine starts, and by the name where it does not say.
func isRunsc(name string, p engine.Program) bool {
	if p.Path != "" {
		return strings.HasPrefix(path.Base(p.Path), "runsc")
	}
	if p.Type != "" {
		return strings.Contains(p.Type, "runsc")
	}
	return strings.Contains(name, "runsc") || strings.Contains(name, "gvisor")
}

// tooOld reports that a registered runsc is one that we found and whose version
// is known not to work.
func (x *exam) tooOld(p engine.Program) bool {
	for _, known := range x.named("runsc") {
		day, dated := versionDate(known.Version)
		if dated && day.Before(usableRunsc) && (known.Path == p.Path || p.Path == "runsc") {
			return true
		}
	}
	return false
}

func runscPath(p engine.Program) string {
	if p.Path == "" {
		return "runsc"
	}
	return p.Path
}

func underTmp(file string) bool { return strings.HasPrefix(path.Clean(file), "/tmp/") }

func usesKVM(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return strings.TrimLeft(a, "-") == "platform=kvm" }) ||
		strings.Contains(strings.Join(args, " "), "-platform kvm")
}

// hasFlag reports whether a boolean flag of Go's flag package is set.
func hasFlag(args []string, name string) bool {
	set := false
	for _, a := range args {
		flag, value, given := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if flag == name && strings.HasPrefix(a, "-") {
			set = !given || value == "true" || value == "1" || value == "t"
		}
	}
	return set
}
