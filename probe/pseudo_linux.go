package probe

import (
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// The kernel's own file systems: /proc, /sys and the cgroup tree. What is the
// container's own is really read, and opened for writing without a byte being
// written. Some files there act on being opened or are the whole machine's
// (sysrq-trigger), and what lies elsewhere came from the host: of those the
// kernel is only asked, by access(2) and statfs(2).

// hidden are what engines hide of /proc and /sys from every container; of the
// others newer engines hide more, which is reported and not judged.
var (
	hiddenProc = []string{"acpi", "asound", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats"}
	hiddenSys  = []string{"firmware"}
	hiddenLate = []string{"/proc/interrupts", "/sys/devices/virtual/powercap", "/sys/devices/system/cpu/cpu0/thermal_throttle"}
)

// sysctls are files below /proc/sys that uid 0 may write by their mode alone;
// those of net belong to the container's own user namespace.
var sysctls = []string{
	"kernel/core_pattern", "kernel/modprobe", "kernel/sysrq", "kernel/hostname", "kernel/domainname",
	"vm/overcommit_memory", "vm/panic_on_oom", "fs/file-max", "net/ipv4/ip_forward", "net/ipv4/ip_unprivileged_port_start",
}

// knobs are files of sysfs that uid 0 may write by their mode alone.
var knobs = []string{
	"kernel/uevent_helper", "kernel/profiling", "kernel/mm/transparent_hugepage/enabled", "kernel/mm/ksm/run", "module/kernel/parameters/panic",
}

// controls are the files of a cgroup that set limits, take processes in, or run
// a program on the host, of both versions.
var controls = []string{
	"cgroup.procs", "tasks", "release_agent", "notify_on_release", "cgroup.subtree_control", "memory.limit_in_bytes", "memory.max",
	"pids.max", "cpu.cfs_quota_us", "cpu.max", "devices.allow",
}

// tree is a directory that is one of the kernel's file systems.
type tree struct {
	dir string
	// elsewhere says that it is not the container's own: it came from the host.
	elsewhere bool
}

// trees finds those that are recognised by is, at a mount or at one of these
// places below one. The container's own are in one place, of one of these types.
func trees(mounts []mount, own string, types, below []string, is func(dir string) bool) []tree {
	top := map[string]mount{}
	for _, m := range mounts {
		top[m.target] = m // the last one over a place is the one that is seen
	}
	dirs := []string{own}
	for _, target := range slices.Sorted(maps.Keys(top)) {
		dirs = append(dirs, target)
		for _, sub := range below {
			dirs = append(dirs, filepath.Join(target, sub))
		}
	}
	var out []tree
	seen := map[string]bool{}
	for _, dir := range dirs {
		if !seen[dir] && is(dir) {
			mine := within(dir, own) && slices.Contains(types, top[mountOf(mounts, dir)].fstype)
			out = append(out, tree{dir, !mine})
		}
		seen[dir] = true
	}
	return out
}

// has says whether a directory has all of these.
func has(names ...string) func(string) bool {
	return func(dir string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return !there(filepath.Join(dir, n)) })
	}
}

func there(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil
}

// procMasked attempts to read what engines hide.
func procMasked(s *session, r *recorder) {
	mounts, err := readMounts()
	if err != nil {
		r.fail("cannot read mountinfo: %v", err)
		return
	}
	content := func(t tree, names []string) {
		for _, name := range names {
			path := filepath.Join(t.dir, name)
			if !t.elsewhere {
				readSome(r, "read", path)
				continue
			}
			// That a directory may be listed says nothing about what is in it.
			if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
				r.try("access for reading", path, asked(path, unix.R_OK))
			}
		}
	}
	for _, t := range procTrees(mounts) {
		content(t, hiddenProc)
	}
	for _, t := range sysTrees(mounts) {
		content(t, hiddenSys)
	}
	var late recorder
	late.obs = &Observation{}
	for _, path := range hiddenLate {
		if readSome(&late, "read", path).OK {
			r.fact("readable:"+path, "true")
		}
	}
	readSome(r, "read", "/proc/version").Control = true
}

func procTrees(mounts []mount) []tree {
	return trees(mounts, "/proc", []string{"proc"}, []string{"proc"}, has("version", "sys/kernel"))
}

func sysTrees(mounts []mount) []tree {
	return trees(mounts, "/sys", []string{"sysfs"}, []string{"sys"}, has("kernel", "devices/system"))
}

// readSome reads the beginning of a file, or looks into a directory. It succeeds
// where there is something, and is "empty" where there is not.
func readSome(r *recorder, act, path string) *Attempt {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return r.try(act, path, err)
	}
	defer f.Close()
	n := 0
	if info, serr := f.Stat(); serr == nil && info.IsDir() {
		names, _ := f.Readdirnames(1)
		n = len(names)
	} else {
		n, err = unix.Read(int(f.Fd()), make([]byte, 64))
	}
	a := r.try(act, path, err)
	if err == nil && n <= 0 {
		a.OK, a.Errno = false, "empty"
	}
	return a
}

// procWrite attempts to open kernel settings for writing.
func procWrite(s *session, r *recorder) {
	mounts, err := readMounts()
	if err != nil {
		r.fail("cannot read mountinfo: %v", err)
		return
	}
	for _, t := range trees(mounts, "/proc/sys", []string{"proc"}, []string{"sys", "proc/sys"}, has("kernel/ostype", "vm")) {
		t.write(r, sysctls)
	}
	for _, t := range procTrees(mounts) {
		t.ask(r, []string{"sysrq-trigger", "irq/default_smp_affinity"})
		if t.elsewhere {
			continue
		}
		for _, name := range []string{"sys", "irq", "bus", "fs"} {
			mountedWritable(r, filepath.Join(t.dir, name))
		}
	}
	s.writes(r)
}

// sysWrite does the same in /sys.
func sysWrite(s *session, r *recorder) {
	mounts, err := readMounts()
	if err != nil {
		r.fail("cannot read mountinfo: %v", err)
		return
	}
	for _, t := range sysTrees(mounts) {
		t.write(r, knobs)
		t.ask(r, []string{"kernel", "class"})
		if !t.elsewhere {
			mountedWritable(r, t.dir)
		}
	}
	s.writes(r)
}

// cgroupWrite does the same in the cgroup tree. A child is not made: the kernel
// is asked whether it may be.
func cgroupWrite(s *session, r *recorder) {
	mounts, err := readMounts()
	if err != nil {
		r.fail("cannot read mountinfo: %v", err)
		return
	}
	const own = "/sys/fs/cgroup"
	isCgroup := has("cgroup.procs")
	below := []string{"memory", "pids", "cpu", "fs/cgroup", "fs/cgroup/memory", "sys/fs/cgroup", "sys/fs/cgroup/memory"}
	// Version 1 has a mount per controller.
	found := trees(mounts, own, []string{"cgroup", "cgroup2"}, below, isCgroup)
	r.fact("hierarchies", len(found))
	for _, t := range found {
		t.write(r, controls)
		t.ask(r, []string{"."})
		if !t.elsewhere {
			mountedWritable(r, t.dir)
		}
	}
	s.writes(r)
}

// write attempts to open each file that is there for writing.
func (t tree) write(r *recorder, names []string) {
	if t.elsewhere {
		t.ask(r, names)
		return
	}
	for _, name := range names {
		path := filepath.Join(t.dir, name)
		var st unix.Stat_t
		if unix.Lstat(path, &st) != nil {
			continue
		}
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
		}
		r.try("open for writing", path, err).Bits = bits(&st)
	}
}

// ask asks the kernel whether each that is there may be written.
func (t tree) ask(r *recorder, names []string) {
	act := "ask to write"
	if t.elsewhere {
		act = "access for writing"
	}
	for _, name := range names {
		path := filepath.Join(t.dir, name)
		var st unix.Stat_t
		if unix.Lstat(path, &st) == nil {
			r.try(act, path, asked(path, unix.W_OK)).Bits = bits(&st)
		}
	}
}

// mountedWritable succeeds where the mount that a directory lies on is not
// read-only, whatever the permission bits are.
func mountedWritable(r *recorder, dir string) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return
	}
	var err error
	if st.Flags&unix.ST_RDONLY != 0 {
		err = unix.EROFS
	}
	r.try("find mounted for writing", dir, err)
}

// writes shows that this process can write where it may: what it is refused
// elsewhere is not for want of anything of its own.
func (s *session) writes(r *recorder) {
	for _, dir := range s.places() {
		if createIn(dir, true) == nil {
			r.control("create", dir, nil)
			return
		}
	}
}
