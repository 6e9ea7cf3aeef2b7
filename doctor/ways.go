package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/report"
)

// oci tells which runtimes could be used without an engine.
func (x *exam) oci() {
	if x.GOOS != "linux" {
		return
	}
	var found []string
	fit := false
	for _, p := range x.ociPrograms() {
		text := p.Name + " " + known(p.Version)
		if why := x.unfit(p); why != "" {
			text += " (" + why + ")"
		} else {
			fit = true
		}
		found = append(found, text)
	}
	list := strings.Join(found, ", ")
	install := x.either([]string{"sudo apt-get install -y runc"}, []string{"sudo dnf install -y runc"})
	switch {
	case fit && x.Self.Daemonless:
		x.find(enginesGroup, "programs", OK, "programs", list+"; tightship can start them without an engine")
	case fit:
		x.find(enginesGroup, "programs", OK, "programs", list)
	case len(found) > 0:
		x.find(enginesGroup, "programs", Note, "programs", list+"; none of them can serve here", install...)
	case x.Self.Daemonless:
		x.find(enginesGroup, "programs", Note, "programs", "no runtime (runsc, runc, crun) that tightship could start without an engine", install...)
	}
}

// ociPrograms is the runtimes found, the first of each name.
func (x *exam) ociPrograms() []Program {
	var out []Program
	for _, name := range runtimes {
		if all := x.named(name); len(all) > 0 {
			out = append(out, all[0])
		}
	}
	return out
}

// unfit says why a runtime on this machine cannot serve, "" if it can.
func (x *exam) unfit(p Program) string {
	day, dated := versionDate(p.Version)
	switch {
	case p.Name == "runsc" && underTmp(p.Path):
		return "under /tmp"
	case p.Name == "runsc" && dated && day.Before(usableRunsc):
		return "too old"
	case p.Name == "crun" && x.Host.Cgroup.Version == "hybrid":
		return "refuses hybrid cgroups"
	case p.Version == "":
		return "does not say its version"
	}
	return ""
}

// ways says for every pair of engine and runtime whether a verification runs.
func (x *exam) ways() {
	for _, e := range x.Engines {
		if e.Err != nil {
			continue
		}
		for _, name := range runtimesOf(e) {
			x.way(x.through(e, name))
		}
	}
	if x.GOOS == "linux" && x.Self.Daemonless {
		for _, p := range x.ociPrograms() {
			x.way(x.without(p))
		}
	}
	slices.SortStableFunc(x.out.Ways, func(a, b Way) int {
		switch {
		case a.Works == b.Works:
			return 0
		case a.Works:
			return -1
		}
		return 1
	})
	x.next()
}

// way adds a way. Those of a reason not to work have no command.
func (x *exam) way(w Way) {
	if w.Works = w.Command != ""; w.Works {
		x.out.Works = true
	}
	w.Engine, w.Host, w.Runtime = word(w.Engine), word(w.Host), word(w.Runtime)
	w.Detail = report.Sanitize(w.Detail, maxText)
	x.out.Ways = append(x.out.Ways, w)
}

// through is the way through an engine.
func (x *exam) through(e Engine, name string) Way {
	w := Way{Engine: e.Info.Name, Host: bare(e.Host), Runtime: name}
	p := e.Info.Programs[name]
	guest, asked := x.Self.Guests[e.Info.Arch]
	switch {
	case e.Info.OS != "linux":
		w.Detail = "its containers are not Linux"
	case !asked || guest != nil:
		w.Detail = "no guest for " + word(e.Info.Arch)
	case x.Self.RunDirErr != nil:
		w.Detail = "the lock directory cannot be written"
	case slices.Contains(e.Absent, name):
		w.Detail = "its program is not there"
	case isRunsc(name, p) && underTmp(p.Path):
		w.Detail = "runsc cannot work under /tmp"
	case isRunsc(name, p) && usesKVM(p.Args):
		w.Detail = "the kvm platform is not used"
	case isRunsc(name, p) && x.tooOld(p):
		w.Detail = "runsc is too old"
	case (path.Base(name) == "crun" || path.Base(p.Path) == "crun") && e.Info.Local && x.Host.Cgroup.Version == "hybrid":
		w.Detail = "crun refuses hybrid cgroups"
	default:
		w.Command = "tightship verify "
		if name != e.Info.Runtime {
			w.Command += quote("--runtime="+name) + " "
		}
		w.Command = at(e, w.Command+x.image())
		w.Account, w.Detail = x.account(e.Info.Local)
		if isRunsc(name, p) && !hasFlag(p.Args, "oci-seccomp") {
			w.Detail += "; without seccomp, unless runsc is configured otherwise"
		}
	}
	return w
}

// without is the way without an engine.
func (x *exam) without(p Program) Way {
	w := Way{Engine: "oci", Runtime: p.Name}
	switch why := x.unfit(p); {
	case why != "":
		w.Detail = why
	case x.Self.Guests[x.Arch] != nil:
		w.Detail = "no guest for " + word(x.Arch)
	case x.Self.RunDirErr != nil:
		w.Detail = "the lock directory cannot be written"
	case !x.root() && p.Name != "runsc":
		w.Detail = "needs root: an ordinary user's containers run under runsc"
	case !x.root() && x.userNSOff():
		w.Detail = "needs root, or user namespaces"
	case !x.root():
		w.Detail = "attempts; without limits, which need root, so that their checks fail"
	default:
		w.Account, w.Detail = x.account(true)
	}
	if w.Detail == "" || strings.HasPrefix(w.Detail, "attempts") {
		w.Command = "tightship verify --engine oci " + quote("--runtime="+p.Name) + " docker-archive:FILE"
	}
	return w
}

func (x *exam) userNSOff() bool {
	u := x.Host.UserNS
	return !u.Supported || u.Max == "0" || u.Clone == "0" || u.AppArmor != "" && u.AppArmor != "0"
}

func (x *exam) image() string {
	if x.Self.Image == "" {
		return "IMAGE"
	}
	return quote(x.Self.Image)
}

// account says how much of the kernel's own account a verification can add to
// what it attempts.
func (x *exam) account(local bool) (readable bool, detail string) {
	switch {
	case !local:
		return false, "attempts; not the kernel's account, which needs the engine's Unix socket on this very host"
	case x.Self.Account:
		return true, "attempts, and the kernel's account"
	}
	return false, "attempts; not the kernel's account, which /proc hides from this user: run as root"
}

// next is what to type now: the first way that works, or the first step towards
// one. The image has to be there, too.
func (x *exam) next() {
	for _, e := range x.Engines {
		for _, w := range x.out.Ways {
			if !w.Works || w.Host != word(bare(e.Host)) {
				continue
			}
			x.out.Next = Step{Text: "verify the reference image, or name one of yours", Command: w.Command}
			if !e.Image {
				x.out.Next = Step{Text: "build the reference image, or verify one of yours in its place", Command: at(e, "tightship image build")}
			}
			return
		}
	}
	for _, w := range x.out.Ways {
		if w.Works {
			x.out.Next = Step{Text: "verify an image of yours", Command: w.Command}
			return
		}
	}
	order := []string{enginesGroup, tightshipGroup, gvisorGroup, machineGroup}
	if x.answers() { // so that it is not for want of an engine
		order = []string{tightshipGroup, gvisorGroup, enginesGroup, machineGroup}
	}
	for _, level := range []Level{Missing, Warning, Note} {
		for _, group := range order {
			for _, f := range x.out.Findings {
				if f.Level != level || f.Group != group || len(f.Steps) == 0 {
					continue
				}
				i := max(0, slices.IndexFunc(f.Steps, func(s Step) bool { return s.Command != "" }))
				x.out.Next = Step{Text: fmt.Sprintf("mend this first: %s: %s", f.Title, f.Detail), Command: f.Steps[i].Command}
				return
			}
		}
	}
}
