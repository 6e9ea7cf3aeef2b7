package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of one sweep: a container that has the host's whole disk mounted must
// not keep the guest busy forever. A sweep that reaches one says so.
const (
	sweepEntries = 2_000_000
	sweepTime    = 30 * time.Second
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
	w := &sweep{session: s, rec: r, counts: map[string]int{}, roots: map[string]bool{}, stop: time.Now().Add(sweepTime)}
	for _, m := range mounts {
		w.roots[m.target] = true
	}
	done := map[string]bool{}
	for _, m := range mounts {
		if done[m.target] || w.skip(m.target) {
			continue
		}
		done[m.target] = true
		w.mount(m)
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
	roots    map[string]bool // every mount point
	counts   map[string]int  // refusals by errno
	dirs     int
	entries  int
	attempts int
	cut      bool
	stop     time.Time
}

// skip leaves out what has a row of its own: declared writable places, the
// kernel's file systems and, for uid 0, /dev.
func (w *sweep) skip(path string) bool {
	if within(path, "/dev") {
		return w.plan.Role == Auditor || path == "/dev"
	}
	return w.elsewhere(path)
}

// mount sweeps one mount. Outside the root file system a first success is the
// whole finding, and nothing there gets a name: it may be somebody's disk.
func (w *sweep) mount(m mount) {
	var st unix.Stat_t
	if err := unix.Lstat(m.target, &st); err != nil {
		return
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		// A single file mounted in (resolv.conf, hosts): asked, never opened.
		err := unix.Faccessat(unix.AT_FDCWD, m.target, unix.W_OK, unix.AT_EACCESS)
		w.attempts++
		if err == nil {
			a := w.rec.try("access for writing", m.target, nil)
			a.Mount, a.Bits = m.target, bits(&st)
		} else {
			w.counts[errnoName(err)]++
		}
		return
	}
	root := m.target == "/"
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
		f, err := os.Open(dir)
		if err != nil {
			continue // not readable by this user: its children cannot be found either
		}
		entries, _ := f.ReadDir(-1) // unsorted, and without a stat per entry
		w.entries += len(entries)
		for _, e := range entries {
			switch {
			case e.IsDir():
				if path := filepath.Join(dir, e.Name()); !w.roots[path] && !w.skip(path) {
					stack = append(stack, path)
				}
			case e.Type().IsRegular() && w.plan.Role == Auditor:
				w.privileged(int(f.Fd()), dir, e.Name())
			}
		}
		f.Close()
	}
}

// create makes the attempt where the permission bits would allow it, and says
// whether it succeeded.
func (w *sweep) create(dir, mount string, named bool) bool {
	var st unix.Stat_t
	if unix.Lstat(dir, &st) != nil {
		return false
	}
	w.dirs++
	if bits(&st) == "deny" {
		w.counts["permission bits"]++
		return false
	}
	w.attempts++
	if err := createIn(dir, named); err != nil {
		w.counts[errnoName(err)]++
		return false
	}
	a := w.rec.try("create", dir, nil)
	a.Mount, a.Bits = mount, "allow"
	return true
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
