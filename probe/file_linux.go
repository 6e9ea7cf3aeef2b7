package probe

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// createIn attempts to create a file in dir. It uses O_TMPFILE first, because
// nothing ever becomes visible then; where the file system does not know that
// (gVisor never does) and named is set, it creates a name of its own and
// removes it at once. "Not supported" is not a refusal, so without named the
// answer is what access(2) says of the directory.
func createIn(dir string, named bool) error {
	fd, err := -1, error(unix.EOPNOTSUPP)
	if _, gvisor := ownKernel(); !gvisor {
		fd, err = unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	}
	if err == nil {
		return unix.Close(fd)
	}
	switch err {
	case unix.EOPNOTSUPP, unix.EISDIR, unix.EINVAL:
	default:
		return err
	}
	if !named {
		return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	}
	name := filepath.Join(dir, ".tightship-"+token())
	fd, err = unix.Open(name, unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	unix.Close(fd)
	return unix.Unlink(name)
}

// token is a random name part.
func token() string {
	b := make([]byte, 8)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// mount is what a probe needs of one line of mountinfo (proc(5)).
type mount struct {
	target, fstype string
	device         string // major:minor of the file system
	root, source   string // of the file system, where it comes from
	readOnly       bool
	shared         bool // in a peer group: what is mounted below shows there
	follows        bool // another one: what is mounted there shows below
}

// readMounts returns the mounts of this process, in mount order.
func readMounts() ([]mount, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseMounts(f)
}

func parseMounts(from io.Reader) ([]mount, error) {
	var all []mount
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, MaxLine)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 6 || len(rest) < 1 {
			continue
		}
		m := mount{target: unescape(fields[4]), fstype: rest[0], device: fields[2], root: unescape(fields[3])}
		if len(rest) > 2 { // a source may be empty
			m.source = unescape(rest[1])
		}
		for _, o := range fields[6:] {
			m.shared = m.shared || strings.HasPrefix(o, "shared:")
			m.follows = m.follows || strings.HasPrefix(o, "master:")
		}
		for _, o := range strings.Split(fields[5], ",") {
			m.readOnly = m.readOnly || o == "ro"
		}
		all = append(all, m)
	}
	return all, lines.Err()
}

// unescape undoes mountinfo's octal escapes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// mountOf returns the mount point that path lies on: the longest one that is
// path or a parent of it.
func mountOf(all []mount, path string) string {
	best := "/"
	for _, m := range all {
		if within(path, m.target) && len(m.target) > len(best) {
			best = m.target
		}
	}
	return best
}

// within says whether path is dir or lies below it.
func within(path, dir string) bool {
	return dir == "/" || path == dir || strings.HasPrefix(path, dir+"/")
}

// bits says what the permission bits of an object would answer this process
// about writing, capabilities aside.
func bits(st *unix.Stat_t) string {
	var want uint32 = 0o002
	switch {
	case int(st.Uid) == unix.Geteuid():
		want = 0o200
	case inGroup(int(st.Gid)):
		want = 0o020
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		want |= want >> 1 // making an entry needs search permission as well
	}
	if st.Mode&want == want {
		return "allow"
	}
	return "deny"
}

func inGroup(gid int) bool {
	if gid == unix.Getegid() {
		return true
	}
	groups, _ := unix.Getgroups()
	for _, g := range groups {
		if g == gid {
			return true
		}
	}
	return false
}

// place writes the helper program to path with the given mode, set by chmod so
// that no umask takes a bit away.
func place(path string, mode uint32) error {
	data, err := HelperELF(runtime.GOARCH)
	if err != nil {
		return err
	}
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_WRONLY|unix.O_CLOEXEC, 0o700)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), path)
	_, err = f.Write(data)
	if err == nil {
		err = unix.Fchmod(fd, mode)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}
