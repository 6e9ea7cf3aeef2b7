package probe

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// mountTable looks at what is mounted: at every mount that is not one of the
// kernel's own file systems in its usual place, and at whether what is mounted
// below one of them would show elsewhere.
func mountTable(s *session, r *recorder) {
	mounts, err := readMounts()
	if err != nil {
		r.fail("cannot read mountinfo: %v", err)
		return
	}
	top := map[string]mount{}
	for _, m := range mounts {
		top[m.target] = m // the last one over a place is the one that is seen
		if m.shared {
			r.try("find a shared mount", m.target, nil)
		}
		if m.follows {
			r.try("find a mount that follows another", m.target, nil)
		}
	}
	sample, _ := parseMounts(strings.NewReader("1 0 0:1 / /s rw shared:1 master:2 - tmpfs none rw\n"))
	err = nil
	if len(sample) != 1 || !sample[0].shared || !sample[0].follows {
		err = errOther
	}
	r.control("find a shared mount", "a table that has one", err)
	r.fact("mounts", len(mounts))
	if _, gvisor := ownKernel(); gvisor {
		r.fact("peer groups", "not listed") // its table has no such fields
	}
	for _, target := range slices.Sorted(maps.Keys(top)) {
		if m := top[target]; !m.usual() {
			look(r, m)
		}
	}
}

// usual says whether a mount is one of the kernel's own file systems, where
// every container has it, or one of the masks over a part of those.
func (m mount) usual() bool {
	below := func(dir string) bool { return within(m.target, dir) }
	switch m.fstype {
	case "proc":
		return below("/proc")
	case "sysfs":
		return below("/sys")
	case "cgroup", "cgroup2":
		return below("/sys/fs/cgroup")
	case "devpts":
		return m.target == "/dev/pts" || m.target == "/dev/console"
	case "mqueue":
		return m.target == "/dev/mqueue"
	case "tmpfs", "devtmpfs":
		mask := m.root == "/null" || m.root == "/" && m.readOnly && empty(m.target)
		return m.target == "/sys/fs/cgroup" || mask && (below("/proc") || below("/sys"))
	}
	return false
}

// empty says whether a place shows nothing.
func empty(dir string) bool { return entries(dir) == 0 }

// entriesMost bounds how many entries of a directory are counted.
const entriesMost = 1000

// entries counts what somebody else has in a directory, -1 where that cannot be
// seen or it is none.
func entries(dir string) int {
	f, err := os.Open(dir)
	if err != nil {
		return -1
	}
	defer f.Close()
	names, err := f.Readdirnames(entriesMost)
	if err != nil && err != io.EOF {
		return -1
	}
	return len(slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, ".tightship-") }))
}

// look says what is at a mount point, and what of it this user sees. Devices have
// a row of their own.
func look(r *recorder, m mount) {
	var st unix.Stat_t
	if err := unix.Lstat(m.target, &st); err != nil {
		r.try("look at a mount", m.target, err)
		return
	}
	kind := "other"
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		kind = "directory"
	case unix.S_IFREG:
		kind = "file"
	case unix.S_IFSOCK:
		kind = "socket"
	case unix.S_IFCHR, unix.S_IFBLK:
		return
	}
	a := r.try("look at a mount", m.target, nil)
	a.Control = m.target == guestDir
	a.Note = fmt.Sprintf("%s, %s", kind, m.fstype)
	if m.root != "/" {
		a.Note += " from " + m.root
	}
	fact := func(key string, value any) { r.fact(key+":"+clip(m.target), value) }
	fact("fstype", m.fstype)
	fact("device", m.device)
	fact("kind", kind)
	fact("root", m.root)
	fact("access", map[bool]string{true: "ro", false: "rw"}[m.readOnly])
	if kind == "directory" {
		n := entries(m.target)
		fact("entries", n)
		a.Note += fmt.Sprintf(", %d entries", n)
	}
}
