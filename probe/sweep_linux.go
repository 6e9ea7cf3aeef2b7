package probe

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of one sweep: a container that has the host's whole disk mounted must
// not keep the guest busy forever. A sweep that reaches one says so.
const (
	sweepEntries = 2_000_000
	sweepTime    = 30 * time.Second
	sweepDepth   = 2 // where only that is looked at
)

// fsSweep attempts to create a file in every directory whose permission bits
// would let this user, on every mount, and lists the files that carry
// privilege (setuid, setgid, file capabilities). Directories are counted by
// outcome; only successes are listed one by one.
func fsSweep(s *session, r *recorder) {
	mounts, err := readMounts()
	if err != nil {
		r.fail("cannot read mountinfo: %v", err)
		return
	}
	_, gvisor := ownKernel()
	w := &sweep{session: s, rec: r, counts: map[string]int{}, top: map[string]mount{}, stop: time.Now().Add(sweepTime), slow: gvisor}
	for _, m := range mounts {
		w.top[m.target] = m // the last one over a place is the one that is seen
	}
	for _, target := range slices.Sorted(maps.Keys(w.top)) {
		m := w.top[target]
		switch {
		case unix.Geteuid() == 0 && w.cgroupTree(m):
			if access(m.target, unix.W_OK) == nil {
				r.fact("cgroup tree", "writable")
			}
		case !w.known(m):
			w.mount(m)
		}
	}
	if w.slow {
		r.fact("privileged files", "not listed on gVisor, where looking at every file takes seconds")
	}
	if w.spared {
		r.fact("depth", sweepDepth)
	}
	r.fact("mounts", len(mounts))
	r.fact("directories", w.dirs)
	r.fact("attempts", w.attempts)
	for errno, n := range w.counts {
		r.fact("errno:"+errno, n)
	}
	if w.cut {
		r.fact("truncated", "true")
	}
	for _, dir := range s.plan.Params.Tmpfs {
		r.control("create", dir, createIn(dir, true))
	}
}

type sweep struct {
	*session
	rec      *recorder
	top      map[string]mount // what is mounted, by mount point
	counts   map[string]int   // refusals by errno
	dirs     int
	entries  int
	attempts int
	cut      bool
	spared   bool // of what lies deeper on a read-only mount
	// slow says that every look costs (gVisor). The privileged files are not
	// listed then, which no verdict rests on, and a mount that says of itself that
	// it is read-only is toured two levels deep: if what it says is not so, that
	// shows at its first directory as well as at its last.
	slow bool
	stop time.Time
}

// known leaves out mounts that have a row of their own: the declared places and
// the engines' own tmpfs in /dev, exactly, and only while they are what they
// should be; and the kernel's file systems. Something else mounted over one of
// them, or below it, is swept.
func (w *sweep) known(m mount) bool {
	if m.target == guestDir || w.plan.Params.Workspace != "" && m.target == real(w.plan.Params.Workspace) {
		return true
	}
	switch m.fstype {
	case "dev": // what gVisor calls the tmpfs in /dev
		return m.target == "/dev"
	case "tmpfs":
		return m.target == "/dev" || m.target == "/dev/shm" || slices.ContainsFunc(w.plan.Params.Tmpfs, func(d string) bool { return real(d) == m.target })
	case "proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue":
		return true
	}
	return false
}

// cgroupTree recognises the tmpfs on which runtimes mount cgroup v1's
// hierarchies, while it holds nothing that could be executed or opened as a
// device. runc leaves it writable for uid 0 since 1.2, and before had
// only its mode against it: like /dev it is the engine's own and uid 0's alone.
// Everybody else attempts it like any other place.
func (w *sweep) cgroupTree(m mount) bool {
	const tight = unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOEXEC
	var st unix.Statfs_t
	return m.target == "/sys/fs/cgroup" && m.fstype == "tmpfs" &&
		unix.Statfs(m.target, &st) == nil && st.Flags&tight == tight && hierarchies(w.top, m.target)
}

// hierarchies says whether cgroup v1 controllers are mounted right below dir.
func hierarchies(top map[string]mount, dir string) bool {
	for target, m := range top {
		if filepath.Dir(target) == dir && m.fstype == "cgroup" {
			return true
		}
	}
	return false
}

// mount sweeps one mount. Outside the root file system a first success is the
// whole finding, and nothing there gets a name: it may be somebody's disk.
func (w *sweep) mount(m mount) {
	var st unix.Stat_t
	if err := unix.Lstat(m.target, &st); err != nil {
		return
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
	case unix.S_IFREG:
		// A single file mounted in (resolv.conf, hosts): asked, never opened.
		w.attempts++
		w.outcome("access for writing", m.target, m.target, access(m.target, unix.W_OK))
		return
	case unix.S_IFSOCK:
		w.socket(m.target)
		return
	default:
		return // a device, masked or not, is no place to write a file
	}
	root := m.target == "/"
	most := strings.Count(m.target, "/") + sweepDepth
	if root {
		most--
	}
	shallow := w.slow && m.readOnly
	stack := []string{m.target}
	for len(stack) > 0 {
		dir := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if w.entries > sweepEntries || time.Now().After(w.stop) {
			w.cut = true
			return
		}
		if w.create(dir, m.target, root) && !root {
			return
		}
		if shallow && dir != "/" && strings.Count(dir, "/") >= most {
			w.spared = true
			continue
		}
		f, err := os.Open(dir)
		if err != nil {
			continue // not readable by this user: its children cannot be found either
		}
		entries, _ := f.ReadDir(-1) // unsorted, and without a stat per entry
		w.entries += len(entries)
		for _, e := range entries {
			switch {
			case e.IsDir():
				path := filepath.Join(dir, e.Name())
				if _, mounted := w.top[path]; !mounted && !(root && w.elsewhere(path)) {
					stack = append(stack, path)
				}
			case e.Type()&os.ModeSocket != 0:
				w.socket(filepath.Join(dir, e.Name()))
			case e.Type().IsRegular() && !w.slow && w.plan.Role == Auditor:
				w.privileged(int(f.Fd()), dir, e.Name())
			}
		}
		f.Close()
	}
}

// socketsMost bounds how many sockets are kept to be connected to.
const socketsMost = 256

// socket keeps the path of one for the probe that connects to them.
func (w *sweep) socket(path string) {
	if len(w.session.sockets) < socketsMost {
		w.session.sockets = append(w.session.sockets, path)
	}
}

// create makes the attempt where access(2), which knows ownership, permission
// bits and ACLs, would let this user or says that the mount is read-only. It
// reports whether the attempt succeeded.
func (w *sweep) create(dir, mount string, named bool) bool {
	w.dirs++
	if err := access(dir, unix.W_OK|unix.X_OK); err != nil && err != unix.EROFS {
		var st unix.Stat_t
		if unix.Lstat(dir, &st) != nil || bits(&st) == "deny" {
			w.counts["permission"]++
			return false
		}
	}
	w.attempts++
	err := createIn(dir, named)
	if err != nil && !w.refusal(err) && access(dir, unix.W_OK|unix.X_OK) == nil {
		// No room, no inode, no descriptor: it would have been allowed.
		return w.outcome("access for writing", dir, mount, nil)
	}
	return w.outcome("create", dir, mount, err)
}

// access asks access(2) as the effective user.
func access(path string, mode uint32) error {
	return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS)
}

// refusal says whether an errno means that writing is not allowed. What is gone
// by now cannot be written either.
func (w *sweep) refusal(err error) bool {
	switch err {
	case unix.EROFS, unix.EACCES, unix.EPERM, unix.ENOENT:
		return true
	}
	return false
}

// outcome counts a refusal and lists everything else, also what failed for
// another reason: that is for the judge to see.
func (w *sweep) outcome(act, path, mount string, err error) bool {
	if err != nil && w.refusal(err) {
		w.counts[errnoName(err)]++
		return false
	}
	w.rec.try(act, path, err).Mount = mount
	return err == nil
}

// privileged lists a file that would give its caller more than it has. It is
// looked up from its directory's descriptor: most of a sweep is this call.
func (w *sweep) privileged(dirfd int, dir, name string) {
	var st unix.Stat_t
	if unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&0o111 == 0 {
		return
	}
	path := filepath.Join(dir, name)
	if st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
		w.rec.fact("privileged:"+clip(path), fmt.Sprintf("mode %04o owner %d:%d", st.Mode&0o7777, st.Uid, st.Gid))
	}
	if n, err := unix.Lgetxattr(path, "security.capability", nil); err == nil && n > 0 {
		w.rec.fact("privileged:"+clip(path), "file capabilities")
	}
}
