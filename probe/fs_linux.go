package probe

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"

	"golang.org/x/sys/unix"
)

// marker makes a directory of this user's for the other role to act on: the
// auditor's attempts on somebody else's files need a somebody else.
func marker(s *session, r *recorder) {
	dir, err := s.scratch()
	if err != nil {
		r.fail("%v", err)
		return
	}
	own := filepath.Join(dir, ".tightship-marker")
	if err := os.Mkdir(own, 0o700); err != nil {
		r.try("mkdir", own, err)
		return
	}
	file := filepath.Join(own, "file")
	// The file names this process, for the acts that need somebody else's.
	r.try("create", file, os.WriteFile(file, strconv.AppendInt(nil, int64(os.Getpid()), 10), 0o600))
	// Chmod, because the umask would have taken these bits away.
	r.try("chmod", file, unix.Chmod(file, 0o666))
	r.try("chmod", own, unix.Chmod(own, 0o2777))
}

// fsCreate attempts to create a file in the top directories of the root file
// system and, as its owner, in the directories there that belong to this user.
// The auditor's attempts decide: a user's EACCES in /etc proves nothing.
func fsCreate(s *session, r *recorder) {
	mounts, err := readMounts()
	if err != nil {
		r.fail("cannot read mountinfo: %v", err)
		return
	}
	dirs := map[string]bool{"/": true}
	for _, d := range []string{"/etc", "/root", "/usr", "/usr/bin", "/usr/local/bin", "/var", "/var/tmp", "/var/lib"} {
		dirs[d] = true
	}
	entries, _ := os.ReadDir("/")
	for _, e := range entries {
		if e.IsDir() {
			dirs["/"+e.Name()] = true
		}
	}
	if home := os.Getenv("HOME"); filepath.IsAbs(home) {
		dirs[filepath.Clean(home)] = true
	}
	if wd, err := os.Getwd(); err == nil {
		dirs[wd] = true
	}
	for _, dir := range sorted(dirs) {
		if s.elsewhere(dir) {
			continue
		}
		var st unix.Stat_t
		if unix.Lstat(dir, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		on := mountOf(mounts, dir)
		err := createIn(dir, on == "/")
		a := r.try("create", dir, err)
		a.Mount, a.Bits = on, bits(&st)
		if err == nil && on == "/" {
			s.alter(r, dir)
		}
	}
	for _, dir := range s.places() {
		if err := createIn(dir, true); err == nil {
			r.control("create", dir, nil)
			return
		}
	}
	r.control("create", "every declared tmpfs, /dev/shm", errors.New("refused"))
}

// alter follows up where a file could be created: mode, name, removal.
func (s *session) alter(r *recorder, dir string) {
	name := s.unique(dir, "alter")
	fd, err := unix.Open(name, unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return
	}
	unix.Close(fd)
	r.try("chmod", name, unix.Chmod(name, 0o640))
	if err := unix.Rename(name, name+"2"); err == nil {
		name += "2"
		r.try("rename", name, nil)
	} else {
		r.try("rename", name, err)
	}
	r.try("unlink", name, unix.Unlink(name))
}

// elsewhere says whether a path belongs to a row of its own: the kernel's file
// systems, the places that are meant to be writable, and our own mount.
func (s *session) elsewhere(path string) bool {
	for _, d := range append([]string{"/proc", "/sys", "/dev", guestDir}, s.plan.Params.Tmpfs...) {
		if within(path, real(d)) {
			return true
		}
	}
	w := s.plan.Params.Workspace
	return w != "" && within(path, real(w))
}

// guestDir is where the host mounts the guest and its helpers, read-only.
const guestDir = "/.tightship"

// devCreate attempts to create a file in /dev, which engines make a tmpfs.
func devCreate(s *session, r *recorder) {
	var st unix.Stat_t
	if err := unix.Lstat("/dev", &st); err != nil {
		r.fail("no /dev: %v", err)
		return
	}
	r.try("create", "/dev", createIn("/dev", !s.hosts("/dev"))).Bits = bits(&st)
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev", &fs); err == nil {
		r.fact("size", int64(fs.Blocks)*fs.Bsize)
		r.fact("flags", mountFlags(fs.Flags))
	}
	for _, dir := range s.places() {
		if dir == "/dev" {
			continue
		}
		if err := createIn(dir, true); err == nil {
			r.control("create", dir, nil)
			return
		}
	}
}

// tmpWrite uses each declared tmpfs as a program would: write, fsync, read
// back, delete.
func tmpWrite(s *session, r *recorder) {
	for _, dir := range s.plan.Params.Tmpfs {
		r.try("write, fsync, read back, delete", dir, roundTrip(s.unique(dir, "write")))
	}
	r.fact("places", len(s.plan.Params.Tmpfs))
}

// roundTrip writes a file, reads it back and removes it.
func roundTrip(name string) error {
	want := bytes.Repeat([]byte(token()), 64)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(name)
	defer f.Close()
	if _, err := f.Write(want); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	got, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("read back something else")
	}
	return os.Remove(name)
}

// workspace uses the workspace as an agent would.
func workspace(s *session, r *recorder) {
	dir := s.plan.Params.Workspace
	if dir == "" {
		r.fact("none", "true")
		return
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		r.try("stat", dir, err)
		return
	}
	r.fact("owner", fmt.Sprintf("%d:%d", st.Uid, st.Gid))
	r.try("write, fsync, read back, delete", dir, roundTrip(s.unique(dir, "write")))
	a, b := s.unique(dir, "a"), s.unique(dir, "b")
	err := os.WriteFile(a, nil, 0o600)
	if err == nil {
		if err = os.Rename(a, b); err == nil {
			err = os.Remove(b)
		}
	}
	os.Remove(a)
	r.try("rename", dir, err)
}

// tmpStat reads size and flags of the memory-backed mounts.
func tmpStat(s *session, r *recorder) {
	mounts, err := readMounts()
	if err != nil {
		r.fail("cannot read mountinfo: %v", err)
		return
	}
	for _, dir := range append(append([]string{}, s.plan.Params.Tmpfs...), "/dev/shm") {
		var fs unix.Statfs_t
		if err := unix.Statfs(dir, &fs); err != nil {
			r.try("statfs", dir, err)
			continue
		}
		r.try("statfs", dir, nil).Mount = mountOf(mounts, real(dir))
		r.fact("size:"+dir, int64(fs.Blocks)*fs.Bsize)
		r.fact("flags:"+dir, mountFlags(fs.Flags))
	}
	// The same flags on a mount that is known to lack them: the reader can tell.
	var fs unix.Statfs_t
	if err := unix.Statfs(guestDir, &fs); err == nil {
		r.fact("flags:"+guestDir, mountFlags(fs.Flags))
	}
}

// mountFlags names the flags of statfs(2) that protect something.
func mountFlags(flags int64) string {
	var names []string
	for _, f := range []struct {
		bit  int64
		name string
	}{{unix.ST_RDONLY, "ro"}, {unix.ST_NOSUID, "nosuid"}, {unix.ST_NODEV, "nodev"}, {unix.ST_NOEXEC, "noexec"}} {
		if flags&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return fmt.Sprint(names)
}

func sorted(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for k := range set {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}
