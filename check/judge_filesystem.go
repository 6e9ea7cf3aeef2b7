package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
)

// below says whether path is dir or lies under it.
func below(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

func accountRootfs(in *Input) account {
	a := account{
		wanted:   "rootfs: " + string(in.Policy.Rootfs),
		wantedIs: answerOf(in.Policy.Rootfs == policy.ReadOnly),
	}
	ro := in.declared().ReadonlyRootfs
	a.declared, a.declaredIs = onOff(ro, "ReadonlyRootfs true", "ReadonlyRootfs false"), answerOf(ro)
	a.ask(in, func(k *kernel.State) (string, answer) {
		m, ok := k.MountAt("/")
		if !ok {
			return "no mount at / in mountinfo", silent
		}
		return onOff(m.Has("ro"), "/ mounted ro", "/ mounted rw"), answerOf(m.Has("ro"))
	})
	return a
}

// judgeReadOnly judges one tree of the root file system: "/" stands for all of
// it that is not /usr or /var.
func judgeReadOnly(in *Input, tree string) Result {
	a := accountRootfs(in)
	mine := func(t probe.Attempt) bool {
		if t.Control || t.Act != "create" {
			return false
		}
		if tree == "/" {
			return t.Mount == "/" && !below(t.On, "/usr") && !below(t.On, "/var")
		}
		return below(t.On, tree)
	}
	root, why := in.see(Main, probe.Auditor, "fs.create")
	if why != "" {
		return a.unmeasured(why)
	}
	user, why := in.see(Main, probe.User, "fs.create")
	if why != "" {
		return a.unmeasured(why)
	}
	tried := pick(root, mine)
	if len(tried) == 0 && tree != "/" && len(root.Attempts) > 0 {
		return a.result(NotApplicable, NoGrade, "", "the image has no "+tree+" of its own")
	}
	both := append(slices.Clone(tried), pick(user, mine)...)
	var held, broken []probe.Attempt
	for _, t := range both {
		switch {
		case t.OK:
			broken = append(broken, t)
		case t.Errno == "EROFS" || in.dialect().readOnlyErrno(t):
			held = append(held, t)
		}
	}
	ctl, ok := control(root, "create")
	seen := show(append(slices.Clone(both), ctl)...)
	switch {
	case len(broken) > 0:
		return a.decide(off, Exercised, show(broken...), "a file could be created in "+broken[0].On)
	case len(held) == 0:
		return a.decide(silent, NoGrade, seen, "no attempt was refused because of the mount")
	case !ok:
		return a.decide(silent, NoGrade, seen, "the control failed: uid 0 could not create a file anywhere, so a refusal says nothing")
	}
	return a.decide(on, Exercised, seen, fmt.Sprintf("%s refused by the mount; creating in %s succeeded", plural(len(held), "attempt", "attempts"), ctl.On))
}

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
	for _, d := range dirs {
		t, found := attempt(o, "execve setuid-root file", d)
		if found {
			seen = append(seen, t)
		}
		switch {
		case !in.hasTmpfs(Isolate, d):
			held, why = silent, "the isolating twin has no tmpfs at "+d
		case found && t.OK:
			return a.decide(off, Exercised, show(append(seen, ctl)...), "a setuid-root file on "+d+" gave root")
		case !found:
			held, why = silent, "no setuid file could be placed on "+d
		case t.Errno != "unchanged":
			held, why = silent, fmt.Sprintf("the setuid file on %s could not be executed (%s), so nosuid was not put to the test", d, t.Errno)
		}
	}
	if held == on && !ctl.OK {
		held, why = silent, "the control failed: a setuid file on a mount without nosuid gave nothing either"
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
	held, why := on, "the device node could not be opened; the same node in /dev could"
	for _, d := range dirs {
		t, found := attempt(o, "open a device node", d)
		if found {
			seen = append(seen, t)
		}
		switch {
		case !in.hasTmpfs(Isolate, d):
			held, why = silent, "the isolating twin has no tmpfs at "+d
		case found && t.OK:
			return a.decide(off, Exercised, show(append(seen, ctl)...), "a device node on "+d+" could be opened")
		case !found || !refused(t.Errno):
			held, why = silent, "no device node could be made on "+d+" to try: "+t.Note
		}
	}
	if held == on && !ok {
		held, why = silent, "the control failed: the node did not open in /dev either"
	}
	return a.orKernel(held, show(append(seen, ctl)...), why)
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

func judgeWorkspace(in *Input) Result {
	w := in.Policy.Workspace
	a := account{wanted: fmt.Sprintf("workspace: %s at %s", w.Mode, w.Target), wantedIs: on}
	if w.Mode == policy.WorkspaceNone {
		a.wanted = "workspace: none"
		return a.result(NotApplicable, NoGrade, "", "the policy has no workspace")
	}
	a.declared, a.declaredIs = "no mount at "+w.Target, off
	for _, m := range in.declared().Mounts {
		if m.Target == w.Target {
			a.declared = fmt.Sprintf("a stand-in volume at %s, %s", w.Target, onOff(m.ReadOnly, "ro", "rw"))
			a.declaredIs = answerOf(m.ReadOnly == (w.Mode == policy.WorkspaceRO))
		}
	}
	a.ask(in, func(k *kernel.State) (string, answer) {
		m, ok := in.mountAt(k, w.Target)
		if !ok {
			return "nothing mounted there", off
		}
		return onOff(m.Has("ro"), "mounted ro", "mounted rw"), answerOf(m.Has("ro") == (w.Mode == policy.WorkspaceRO))
	})
	o, why := in.see(Main, probe.User, "workspace")
	if why != "" {
		return a.unmeasured(why)
	}
	tried := pick(o, func(t probe.Attempt) bool { return t.Act != "stat" })
	if len(tried) < 2 {
		return a.decide(silent, NoGrade, show(o.Attempts...), "the workspace was not there to try")
	}
	held := on
	for _, t := range tried {
		want := t.OK
		if w.Mode == policy.WorkspaceRO {
			want = t.Errno == "EROFS"
		}
		if !want {
			held = off
		}
	}
	seen := show(tried...) + "; owner " + o.Facts["owner"]
	if w.Mode == policy.WorkspaceRO {
		return a.decide(held, Exercised, seen, onOff(held == on, "writes were refused by the mount", "writes were not refused by the mount"))
	}
	return a.decide(held, Exercised, seen, onOff(held == on, "the user can write, rename and delete there", "the user cannot work there"))
}

func judgeNothingElse(in *Input) Result {
	places := tmpfsMounts(in)
	if in.Policy.Workspace.Mode == policy.WorkspaceRW {
		places = append(places, in.Policy.Workspace.Target)
	}
	a := account{
		wanted:   "writable: " + onOff(len(places) > 0, strings.Join(places, ", "), "nothing"),
		wantedIs: answerOf(in.Policy.Rootfs == policy.ReadOnly),
		declared: onOff(in.declared().ReadonlyRootfs, "ReadonlyRootfs true", "ReadonlyRootfs false"),
	}
	a.kernel = in.kernelNote()
	if k := in.kernel(); k != nil {
		a.kernel = plural(len(k.Mounts), "mount", "mounts")
	}
	var found, unclear, counted []string
	tried := 0
	create, why := in.see(Main, probe.User, "fs.create")
	if why != "" {
		return a.unmeasured(why)
	}
	_, controlled := control(create, "create")
	for _, role := range []probe.Role{probe.User, probe.Auditor} {
		o, why := in.see(Main, role, "fs.sweep")
		if why != "" {
			return a.unmeasured(why)
		}
		for _, t := range o.Attempts {
			switch {
			case t.Control:
				controlled = controlled && t.OK
			case t.OK:
				found = append(found, fmt.Sprintf("%s (as %s, on mount %s)", t.On, role, t.Mount))
			default:
				unclear = append(unclear, fmt.Sprintf("%s: %s", t.On, t.Errno))
			}
		}
		n, _ := strconv.Atoi(o.Facts["attempts"])
		if n == 0 || o.Facts["truncated"] != "" {
			controlled = false
		}
		tried += n
		counted = append(counted, fmt.Sprintf("%s: %s directories on %s mounts, %d attempts", role, o.Facts["directories"], o.Facts["mounts"], n))
	}
	seen := strings.Join(counted, "; ")
	if len(found) > 0 {
		return a.decide(off, Exercised, seen, "a file could be created in "+few(found))
	}
	if len(unclear) > 0 {
		return a.decide(silent, NoGrade, seen, "neither written nor refused: "+few(unclear))
	}
	if !controlled {
		return a.decide(silent, NoGrade, seen, "the sweep was cut short, attempted nothing, or could not write in the declared places either")
	}
	return a.decide(on, Exercised, seen, fmt.Sprintf("%d attempts refused; the declared places could be written", tried))
}

func judgeShm(in *Input) Result {
	want := in.Wanted.ShmSize
	if want == 0 {
		want = 64 << 20 // the engines' default
	}
	a := account{wanted: fmt.Sprintf("/dev/shm noexec, at most %s", bytesText(want)), wantedIs: on, declared: "the engine's default", declaredIs: silent}
	if t, ok := in.declared().Tmpfs["/dev/shm"]; ok {
		a.declared = fmt.Sprintf("a tmpfs over it, %s, size %s", onOff(t.Exec, "exec", "noexec"), bytesText(t.Size))
		a.declaredIs = answerOf(!t.Exec && t.Size > 0)
	}
	a.ask(in, func(k *kernel.State) (string, answer) {
		m, ok := k.MountAt("/dev/shm")
		if !ok {
			return "not mounted", silent
		}
		return onOff(m.Has("noexec"), "noexec", "without noexec"), answerOf(m.Has("noexec"))
	})
	stat, why := in.see(Main, probe.User, "tmp.stat")
	if why != "" {
		return a.unmeasured(why)
	}
	o, why := in.see(Main, probe.User, "tmp.exec")
	if why != "" {
		return a.unmeasured(why)
	}
	size, err := strconv.ParseInt(stat.Facts["size:/dev/shm"], 10, 64)
	if err != nil {
		return a.unmeasured("the size of /dev/shm could not be read")
	}
	if size > want+page {
		return a.decide(off, Exercised, "statfs /dev/shm: "+bytesText(size), "/dev/shm is "+bytesText(size)+" large")
	}
	r := a.decideExec(o, []string{"/dev/shm"})
	r.Observed += "; statfs /dev/shm: " + bytesText(size)
	return r
}

func judgeDev(in *Input) Result {
	a := account{
		wanted:     fmt.Sprintf("uid %d may not write in /dev", in.Policy.User.UID),
		wantedIs:   answerOf(in.Policy.User.UID != 0),
		declared:   "user " + in.declared().User,
		declaredIs: silent,
	}
	o, why := in.see(Main, probe.User, "dev.create")
	if why != "" {
		return a.unmeasured(why)
	}
	t, found := attempt(o, "create", "/dev")
	ctl, ok := control(o, "create")
	seen := show(t, ctl)
	switch {
	case !found:
		return a.decide(silent, NoGrade, seen, "no attempt was made")
	case t.OK:
		return a.decide(off, Exercised, seen, "the agent's user could create a file in /dev")
	case !refused(t.Errno) && t.Errno != "EROFS":
		return a.decide(silent, NoGrade, seen, "the attempt failed for another reason: "+t.Errno)
	case !ok:
		return a.decide(silent, NoGrade, seen, "the control failed: the user could not create a file anywhere")
	}
	return a.decide(on, Exercised, seen, "refused; creating in "+ctl.On+" succeeded")
}

// bytesText renders a size as people write it.
func bytesText(n int64) string {
	switch {
	case n == 0:
		return "unbounded"
	case n == -1:
		return "unlimited"
	case n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
