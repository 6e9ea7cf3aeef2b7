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
		case t.Errno == "EROFS":
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
			a.declared = fmt.Sprintf("a %s at %s, %s", onOff(in.Original == nil, "stand-in volume", string(m.Kind)), w.Target, onOff(m.ReadOnly, "ro", "rw"))
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
	var mounted []string
	for _, m := range in.declared().Mounts {
		if !m.ReadOnly && !slices.Contains(places, m.Target) {
			mounted = append(mounted, fmt.Sprintf("%s at %s", m.Source, m.Target))
		}
	}
	if len(mounted) > 0 {
		a.declared += ", mounted rw: " + strings.Join(mounted, ", ")
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
		text := fmt.Sprintf("%s: %s directories on %s mounts, %d attempts", role, o.Facts["directories"], o.Facts["mounts"], n)
		if depth := o.Facts["depth"]; depth != "" {
			text += ", on read-only mounts only " + depth + " levels deep"
		}
		counted = append(counted, text)
	}
	seen := strings.Join(counted, "; ")
	if len(found) > 0 {
		return a.decide(off, Exercised, seen, "a file could be created in "+few(found))
	}
	if len(mounted) > 0 { // a socket, say: no directory to create a file in
		return a.result(Fail, Declared, seen, "the engine mounts it writable: "+few(mounted))
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
	if in.declared().IPCMode == "host" {
		a.declared, a.declaredIs = "the host's own", off
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
