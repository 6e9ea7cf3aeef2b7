package check

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// fromHost names a directory of the host that the engine mounts and in which one
// of these would be seen, with where it is mounted; "" if there is none.
func (d pathsOf) fromHost(writable bool, in ...string) string {
	for _, m := range d.Mounts {
		if m.Kind != spec.Bind || writable && m.ReadOnly {
			continue
		}
		for _, tree := range in {
			if below(tree, path.Clean(m.Source)) {
				return fmt.Sprintf("%s of the host mounted at %s", m.Source, m.Target)
			}
		}
	}
	return ""
}

// pathsOf is what an engine declares of the kernel's file systems.
type pathsOf struct{ spec.Container }

// systemPaths is the account of what engines hide and make read-only in /proc.
func systemPaths(in *Input, wanted, host string) account {
	d := in.declared()
	a := account{wanted: wanted, wantedIs: on, declared: "the engine's default paths", declaredIs: on}
	switch {
	case d.Privileged:
		a.declared, a.declaredIs = "privileged", off
	case host != "":
		a.declared, a.declaredIs = host, off
	case in.undeclared("unmasked"):
		a.declared, a.declaredIs = "not reported by the engine", silent
	case d.Unmasked:
		a.declared, a.declaredIs = "systempaths=unconfined, or less than the default paths", off
	}
	return a
}

// readOnlyTree is the account of a file system that is mounted read-only.
func readOnlyTree(in *Input, wanted, host string) account {
	a := account{wanted: wanted, wantedIs: on, declared: "not privileged, and nothing of it mounted writable", declaredIs: on}
	switch {
	case in.declared().Privileged:
		a.declared, a.declaredIs = "privileged", off
	case host != "":
		a.declared, a.declaredIs = host, off
	}
	return a
}

func judgeProcMasked(in *Input) Result {
	d := pathsOf{in.declared()}
	a := systemPaths(in, "what engines hide of /proc and /sys is hidden", d.fromHost(false, "/proc", "/proc/kcore", "/proc/keys", "/proc/timer_list"))
	iso, why := in.see(Isolate, probe.Auditor, "proc.masked")
	if why != "" {
		return a.unmeasured(why)
	}
	shown := map[string]bool{}
	for _, t := range iso.Attempts {
		if t.Act == "read" && t.OK && !t.Control {
			shown[t.On] = true
		}
	}
	a.ask(in, func(k *kernel.State) (string, answer) { return masks(k, shown) })
	var broken, tried []probe.Attempt
	held, late := map[string]bool{}, []string{}
	_, controlled := control(iso, "read")
	for _, role := range []probe.Role{probe.User, probe.Auditor} {
		o, why := in.see(Main, role, "proc.masked")
		if why != "" {
			return a.unmeasured(why)
		}
		_, ok := control(o, "read")
		controlled = controlled && ok
		for _, t := range pick(o, func(t probe.Attempt) bool { return !t.Control }) {
			switch {
			case t.OK:
				broken = append(broken, t)
			case shown[t.On] && (t.Errno == "empty" || t.Errno == "ENOENT"):
				held[t.On] = true
			}
			if role == probe.Auditor {
				tried = append(tried, t)
			}
		}
		for fact := range o.Facts {
			if path, ok := strings.CutPrefix(fact, "readable:"); ok && !slices.Contains(late, path) {
				late = append(late, path)
			}
		}
	}
	seen := show(tried...)
	if slices.Sort(late); len(late) > 0 {
		seen += "; hidden by newer engines only, and readable here: " + strings.Join(late, ", ")
	}
	switch {
	case len(broken) > 0:
		return a.decide(off, Exercised, show(broken...), broken[0].On+" can be read")
	case !controlled:
		return a.decide(silent, NoGrade, seen, "the control failed: /proc/version could not be read either")
	case len(shown) == 0 && len(tried) > 0 && in.takes("proc.masked", SandboxFiles):
		return a.decide(on, Exercised, seen, "the sandbox's kernel has no such files, with nothing hidden either, and no other /proc is to be seen")
	case len(held) == 0:
		return a.decide(silent, NoGrade, seen, "nothing was both hidden here and there in a twin from which nothing is hidden")
	}
	return a.decide(on, Exercised, seen, fmt.Sprintf("nothing of it can be read; %s in a twin from which nothing is hidden: %s",
		onOff(len(held) == 1, "one has content", "these have content"), strings.Join(slices.Sorted(maps.Keys(held)), ", ")))
}

// masks says whether the kernel has something mounted over each of these paths,
// or over a directory that they lie in.
func masks(k *kernel.State, paths map[string]bool) (string, answer) {
	var over, bare []string
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		covered := false
		for dir := p; dir != "/proc" && dir != "/sys" && dir != "/"; dir = path.Dir(dir) {
			_, ok := k.MountAt(dir)
			covered = covered || ok
		}
		if covered {
			over = append(over, p)
		} else {
			bare = append(bare, p)
		}
	}
	switch {
	case len(bare) > 0:
		return "nothing mounted over " + few(bare), off
	case len(over) > 0:
		return "a mount over " + few(over), on
	}
	return "", silent
}

func judgeProcSys(in *Input) Result {
	d := pathsOf{in.declared()}
	host := append(d.under("/proc/sys"), "/proc/sys", "/proc/sysrq-trigger")
	a := systemPaths(in, "/proc/sys and /proc/sysrq-trigger read-only", d.fromHost(true, host...))
	a.ask(in, func(k *kernel.State) (string, answer) { return mountedReadOnly(k, "/proc/sys") })
	return a.writes(in, "proc.sys-read-only", "proc.write")
}

func judgeSys(in *Input) Result {
	d := pathsOf{in.declared()}
	host := slices.DeleteFunc(d.under("/sys"), func(s string) bool { return below(s, "/sys/fs/cgroup") })
	a := readOnlyTree(in, "/sys read-only", d.fromHost(true, append(host, "/sys")...))
	a.ask(in, func(k *kernel.State) (string, answer) { return mountedReadOnly(k, "/sys") })
	return a.writes(in, "sys.read-only", "sys.write")
}

func judgeCgroup(in *Input) Result {
	d := pathsOf{in.declared()}
	a := readOnlyTree(in, "the cgroup tree read-only", d.fromHost(true, append(d.under("/sys/fs/cgroup"), "/sys/fs/cgroup")...))
	a.ask(in, func(k *kernel.State) (string, answer) {
		var targets []string
		for _, m := range k.Mounts {
			if m.FSType == "cgroup" || m.FSType == "cgroup2" {
				targets = append(targets, m.Target)
			}
		}
		return mountedReadOnly(k, targets...)
	})
	if o, why := in.see(Main, probe.Auditor, "cgroup.write"); why == "" && o.Facts["hierarchies"] == "0" {
		return a.decideNone(show(o.Attempts...), "no cgroup hierarchy can be seen in the container")
	}
	return a.writes(in, "cgroup.read-only", "cgroup.write")
}

// decideNone is not-applicable, unless a source says that the protection is off.
func (a account) decideNone(seen, why string) Result {
	if r := a.decide(silent, NoGrade, seen, why); r.Verdict == Fail {
		return r
	}
	return a.result(NotApplicable, NoGrade, seen, why)
}

// under is the sources of bind mounts that lie in a directory of the host.
func (d pathsOf) under(dir string) []string {
	var out []string
	for _, m := range d.Mounts {
		if s := path.Clean(m.Source); m.Kind == spec.Bind && below(s, dir) {
			out = append(out, s)
		}
	}
	return out
}

// mountedReadOnly says whether the kernel has all of these mounted read-only.
func mountedReadOnly(k *kernel.State, targets ...string) (string, answer) {
	var tight []string
	for _, target := range targets {
		m, ok := k.MountAt(target)
		if !ok || !m.Has("ro") {
			return target + " " + onOff(ok, "mounted rw", "no mount of its own"), off
		}
		tight = append(tight, target)
	}
	if len(tight) == 0 {
		return "no such mount", silent
	}
	return few(tight) + " mounted ro", on
}

// writes judges the attempts to write to one of the kernel's file systems. In a
// sandbox's own, where that is an accommodation, nothing of them is evidence:
// only what came from the host is.
func (a account) writes(in *Input, id, name string) Result {
	o, why := in.see(Main, probe.Auditor, name)
	if why != "" {
		return a.unmeasured(why)
	}
	sandbox := in.takes(id, SandboxFiles)
	var broken, held, flagged, its []probe.Attempt
	for _, t := range pick(o, func(t probe.Attempt) bool { return !t.Control }) {
		switch {
		case t.Act != "access for writing" && sandbox:
			its = append(its, t)
		case t.OK:
			broken = append(broken, t)
		case t.Errno == "EROFS" && t.Act == "find mounted for writing":
			flagged = append(flagged, t)
		case t.Errno == "EROFS":
			held = append(held, t)
		}
	}
	ctl, ok := control(o, "create")
	seen := show(append(slices.Concat(held, flagged, its), ctl)...)
	switch {
	case len(broken) > 0:
		return a.decide(off, Exercised, show(broken...), broken[0].On+" can be written by uid 0")
	case !ok:
		return a.decide(silent, NoGrade, seen, "the control failed: uid 0 could not create a file anywhere, so a refusal says nothing")
	case len(held) > 0:
		return a.decide(on, Exercised, seen, fmt.Sprintf("%s refused by the mount; creating in %s succeeded", plural(len(held), "attempt", "attempts"), ctl.On))
	case len(its) > 0:
		return a.decide(on, Exercised, seen, "these are the sandbox's own, and nothing of the host's is to be seen beside them; creating in "+ctl.On+" succeeded")
	case len(flagged) > 0:
		return a.decide(on, Kernel, seen, "mounted read-only; the files' modes refuse uid 0 as well, so that no attempt could show it")
	}
	return a.decide(silent, NoGrade, seen, "no attempt was refused because of the mount")
}
