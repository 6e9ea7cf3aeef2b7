package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
)

// tmpfsMounts is the declared mount points, sorted.
func tmpfsMounts(in *Input) []string {
	var dirs []string
	for d := range in.Policy.Tmpfs {
		dirs = append(dirs, d)
	}
	slices.Sort(dirs)
	return dirs
}

var noTmpfs = Result{Verdict: NotApplicable, Evidence: NoGrade, Wanted: "tmpfs: {}", Reason: "the policy declares no tmpfs"}

// accountTmpfs asks every source about one option of every declared tmpfs. A
// mount that a source does not have at all makes it silent here: that is
// fs.tmp-writable's finding.
func accountTmpfs(in *Input, option string, weak func(exec, suid, dev bool) bool, mountOption string) account {
	var a account
	var want, decl []string
	a.wantedIs, a.declaredIs = on, on
	for _, dir := range tmpfsMounts(in) {
		w := in.Policy.Tmpfs[dir]
		bad := weak(w.Exec, w.Suid, w.Dev)
		want = append(want, fmt.Sprintf("%s %s: %t", dir, option, bad))
		if bad {
			a.wantedIs = off
		}
		d, ok := in.declared().Tmpfs[dir]
		switch {
		case !ok:
			decl, a.declaredIs = append(decl, dir+" no tmpfs"), a.declaredIs.and(silent)
		case weak(d.Exec, d.Suid, d.Dev):
			decl = append(decl, dir+" without "+mountOption)
			a.declaredIs = off
		default:
			decl = append(decl, dir+" "+mountOption)
		}
	}
	a.wanted, a.declared = strings.Join(want, ", "), strings.Join(decl, ", ")
	a.ask(in, func(k *kernel.State) (string, answer) {
		said, is := []string{}, on
		for _, dir := range tmpfsMounts(in) {
			m, ok := in.mountAt(k, dir)
			switch {
			case !ok:
				said, is = append(said, dir+" not mounted"), is.and(silent)
			case m.Has(mountOption):
				said = append(said, dir+" "+mountOption)
			default:
				said, is = append(said, dir+" without "+mountOption), off
			}
		}
		return strings.Join(said, ", "), is
	})
	return a
}

func judgeTmpWritable(in *Input) Result {
	dirs := tmpfsMounts(in)
	if len(dirs) == 0 {
		return noTmpfs
	}
	a := account{wanted: "tmpfs at " + strings.Join(dirs, ", "), wantedIs: on, declaredIs: on}
	var decl []string
	for _, d := range dirs {
		_, ok := in.declared().Tmpfs[d]
		decl = append(decl, d+" "+onOff(ok, "tmpfs", "no tmpfs"))
		if !ok {
			a.declaredIs = off
		}
	}
	a.declared = strings.Join(decl, ", ")
	a.ask(in, func(k *kernel.State) (string, answer) {
		said, is := []string{}, on
		for _, d := range dirs {
			m, ok := in.mountAt(k, d)
			if !ok {
				said, is = append(said, d+" not mounted"), off
				continue
			}
			said = append(said, d+" "+m.FSType)
		}
		return strings.Join(said, ", "), is
	})
	o, why := in.see(Main, probe.User, "tmp.write")
	if why != "" {
		return a.unmeasured(why)
	}
	held := on
	for _, d := range dirs {
		t, ok := attempt(o, "write, fsync, read back, delete", d)
		if !ok {
			return a.decide(silent, NoGrade, show(o.Attempts...), "no attempt was made on "+d)
		}
		if !t.OK {
			held = off
		}
	}
	return a.decide(held, Exercised, show(o.Attempts...), onOff(held == on, "each declared tmpfs took a file and gave it back", "a declared tmpfs cannot be used"))
}

func judgeTmpNoexec(in *Input) Result {
	dirs := tmpfsMounts(in)
	if len(dirs) == 0 {
		return noTmpfs
	}
	a := accountTmpfs(in, "exec", func(exec, _, _ bool) bool { return exec }, "noexec")
	o, why := in.see(Main, probe.User, "tmp.exec")
	if why != "" {
		return a.unmeasured(why)
	}
	return a.decideExec(o, dirs)
}

// decideExec judges attempts to run code from directories.
func (a account) decideExec(o probe.Observation, dirs []string) Result {
	ctl, ok := control(o, "execve")
	seen := []probe.Attempt{}
	held, why := on, "execve and mmap refused; the same program ran from its read-only mount"
	for _, d := range dirs {
		for _, act := range []string{"execve", "mmap PROT_EXEC"} {
			t, found := attempt(o, act, d)
			seen = append(seen, pick(o, func(x probe.Attempt) bool { return !x.Control && x.On == d && x.Act == act })...)
			switch {
			case found && t.OK:
				return a.decide(off, Exercised, show(append(seen, ctl)...), "code ran from "+d)
			case !found || !refused(t.Errno):
				held, why = silent, "no "+act+" on "+d+" was refused for the right reason"
				if c, copied := attempt(o, "copy", d); copied {
					why = fmt.Sprintf("no program could be placed on %s to try (%s)", d, c.Errno)
				}
			}
		}
	}
	if !ok && held == on {
		held, why = silent, "the control failed: the program did not run from its own mount either"
	}
	return a.decide(held, Exercised, show(append(seen, ctl)...), why)
}

func judgeTmpNosuid(in *Input) Result {
	dirs := tmpfsMounts(in)
	if len(dirs) == 0 {
		return noTmpfs
	}
	a := accountTmpfs(in, "suid", func(_, suid, _ bool) bool { return suid }, "nosuid")
	o, why := in.see(Isolate, probe.User, "suid.run")
	if why != "" {
		return a.unmeasured(why)
	}
	ctl, _ := attempt(o, "execve setuid-root helper", "")
	seen := []probe.Attempt{}
	held, why := on, "the planted setuid file gave nothing, although no-new-privileges was off; the same file elsewhere gave root"
	kinds := []string{"setuid-root"}
	if filecap, _ := attempt(o, "execve file-capability helper", ""); !ctl.OK && in.takes("fs.tmp-nosuid", FileCapability) {
		ctl, kinds = filecap, append(kinds, "file-capability")
		why = "the planted setuid and file-capability files gave nothing, although no-new-privileges was off; the file capability elsewhere gave its privilege"
	}
	for _, d := range dirs {
		if !in.hasTmpfs(Isolate, d) {
			held, why = silent, "the isolating twin has no tmpfs at "+d
			continue
		}
		for _, kind := range kinds {
			t, found := attempt(o, "execve "+kind+" file", d)
			if found {
				seen = append(seen, t)
			}
			switch {
			case found && t.OK:
				return a.decide(off, Exercised, show(append(seen, ctl)...), "a "+kind+" file on "+d+" gave its privilege")
			case !found:
				held, why = silent, "no "+kind+" file could be placed on "+d
			case t.Errno != "unchanged":
				held, why = silent, fmt.Sprintf("the %s file on %s could not be executed (%s), so nosuid was not put to the test", kind, d, t.Errno)
			}
		}
	}
	if held == on && !ctl.OK {
		held, why = silent, "the control failed: a privileged file on a mount without nosuid gave nothing either"
	}
	return a.orKernel(held, show(append(seen, ctl)...), why)
}

// hasTmpfs says whether a twin really has a tmpfs there. The isolating twin's
// root file system is writable: without the mount an attempt would say
// something about that instead.
func (in *Input) hasTmpfs(t Twin, dir string) bool {
	tw := in.Twins[t]
	if tw == nil {
		return false
	}
	_, ok := tw.Declared.Tmpfs[dir]
	return ok
}

// orKernel falls back to the kernel's word, at its grade, where the attempt
// could not be made alone.
func (a account) orKernel(held answer, seen, why string) Result {
	if held == silent && a.kernelIs == on {
		return a.decide(on, Kernel, seen, "read from the kernel; not exercised: "+why)
	}
	return a.decide(held, Exercised, seen, why)
}

func judgeTmpNodev(in *Input) Result {
	dirs := tmpfsMounts(in)
	if len(dirs) == 0 {
		return noTmpfs
	}
	a := accountTmpfs(in, "dev", func(_, _, dev bool) bool { return dev }, "nodev")
	o, why := in.see(Isolate, probe.Auditor, "dev.open")
	if why != "" {
		return a.unmeasured(why)
	}
	ctl, ok := control(o, "open a device node")
	seen := []probe.Attempt{}
	held, grade, why := on, Exercised, "the device node could not be opened; the same node in /dev could"
	for _, d := range dirs {
		t, found := attempt(o, "open a device node", d)
		host := pick(o, func(t probe.Attempt) bool { return t.On == d && strings.HasPrefix(t.Act, "open a node of the host's") })
		if found {
			seen = append(seen, t)
		}
		switch {
		case !in.hasTmpfs(Isolate, d):
			held, why = silent, "the isolating twin has no tmpfs at "+d
		case found && t.OK && in.takes("fs.tmp-nodev", SandboxDevices) && leadNowhere(host):
			// Only the engine's word is left for nodev itself.
			seen = append(seen, host...)
			grade, why = Declared, "the engine was told; this kernel keeps no nodev, and none of the host's devices could be reached through a node on the tmpfs"
			held = held.and(a.declaredIs)
		case found && t.OK:
			return a.decide(off, Exercised, show(append(seen, ctl)...), "a device node on "+d+" could be opened")
		case !found || !refused(t.Errno):
			held, why = silent, "no device node could be made on "+d+" to try: "+t.Note
		}
	}
	if held == on && !ok {
		held, why = silent, "the control failed: the node did not open in /dev either"
	}
	if grade == Declared {
		return a.decide(held, grade, show(append(seen, ctl)...), why)
	}
	return a.orKernel(held, show(append(seen, ctl)...), why)
}

// leadNowhere says whether nodes of the host's devices were made and none had a
// device behind it.
func leadNowhere(host []probe.Attempt) bool {
	for _, t := range host {
		if t.Errno != "ENXIO" && t.Errno != "ENODEV" {
			return false
		}
	}
	return len(host) > 0
}

// page is the slack of a size: a tmpfs is rounded up to whole pages, which are
// up to 64 KiB large.
const page = 64 << 10

func near(got, want int64) bool { return got >= want && got < want+page }

func judgeTmpBounded(in *Input) Result {
	dirs := tmpfsMounts(in)
	if len(dirs) == 0 {
		return noTmpfs
	}
	a := account{wantedIs: on, declaredIs: on}
	var want, decl []string
	for _, d := range dirs {
		w := int64(in.Policy.Tmpfs[d].Size)
		want = append(want, fmt.Sprintf("%s size %s", d, bytesText(w)))
		if w <= 0 {
			a.wantedIs = off
		}
		t, ok := in.declared().Tmpfs[d]
		switch {
		case !ok:
			decl, a.declaredIs = append(decl, d+" no tmpfs"), a.declaredIs.and(silent)
		case t.Size != w:
			decl, a.declaredIs = append(decl, fmt.Sprintf("%s size %s", d, bytesText(t.Size))), off
		default:
			decl = append(decl, fmt.Sprintf("%s size %s", d, bytesText(t.Size)))
		}
	}
	a.wanted, a.declared = strings.Join(want, ", "), strings.Join(decl, ", ")
	stat, why := in.see(Main, probe.User, "tmp.stat")
	if why != "" {
		return a.unmeasured(why)
	}
	fill, why := in.see(Exhaust, probe.User, "exhaust.tmpfs")
	if why != "" {
		return a.unmeasured(why)
	}
	held, seen := on, []string{}
	why = "ENOSPC at the bound of the scaled-down stand-in; the real mount has the declared size"
	for _, d := range dirs {
		t, found := attempt(fill, "write without end", d)
		if found {
			seen = append(seen, show(t)+" after "+t.Note)
		}
		first := pick(fill, func(x probe.Attempt) bool { return x.Control && x.OK && x.On == d })
		size, _ := strconv.ParseInt(stat.Facts["size:"+d], 10, 64)
		seen = append(seen, fmt.Sprintf("statfs %s: %s", d, bytesText(size)))
		mounted, _ := attempt(stat, "statfs", d)
		switch {
		case found && t.OK:
			return a.decide(off, Exercised, strings.Join(seen, "; "), "more than its size could be written to "+d)
		case !found || t.Errno != "ENOSPC":
			held, why = silent, "the stand-in of "+d+" was not filled to ENOSPC"
		case mounted.Mount != in.real(d):
			held, why = silent, d+" is not a mount of its own"
		case len(first) == 0:
			held, why = silent, "the control failed: not even the first page could be written to "+d
		case !near(size, int64(in.Policy.Tmpfs[d].Size)):
			return a.decide(off, Exercised, strings.Join(seen, "; "), fmt.Sprintf("%s is %s large", d, bytesText(size)))
		}
	}
	return a.decide(held, Exercised, strings.Join(seen, "; "), why)
}
