package probe

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// ids reads who this process is and what it may do, from system calls where
// there is one: procfs leaves lines out on some runtimes.
func ids(s *session, r *recorder) {
	ruid, euid, suid := unix.Getresuid()
	rgid, egid, sgid := unix.Getresgid()
	r.fact("uids", fmt.Sprint(ruid, euid, suid))
	r.fact("gids", fmt.Sprint(rgid, egid, sgid))
	// setfsuid with an impossible ID changes nothing and returns the current one.
	if fsuid, err := unix.SetfsuidRetUid(-1); err == nil {
		r.fact("fsuid", fsuid)
	} else if fsuid, ok := statusFsuid(); ok {
		r.fact("fsuid", fsuid)
	}
	kernel, gvisor := ownKernel()
	r.fact("kernel", kernel)
	r.fact("gvisor", gvisor)
	groups, err := unix.Getgroups()
	if err != nil {
		r.fail("getgroups: %v", err)
		return
	}
	r.fact("groups", strings.Trim(fmt.Sprint(groups), "[]"))
	c, err := readCaps()
	if err != nil {
		r.fail("capget: %v", err)
		return
	}
	for name, mask := range c {
		r.fact("cap:"+name, fmt.Sprintf("%016x", mask))
	}
	nnp, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err == nil {
		r.fact("no_new_privs", nnp)
	}
	if sec, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0); err == nil {
		r.fact("seccomp", sec)
	}
	for _, dir := range append([]string{s.plan.Params.Workspace}, s.plan.Params.Tmpfs...) {
		if dir != "" {
			r.fact("real:"+dir, real(dir))
		}
	}
	name, found, err := passwdName(euid)
	switch {
	case os.IsNotExist(err):
		r.fact("passwd", "absent")
	case err != nil:
		r.fact("passwd", "unreadable")
	case !found:
		r.fact("passwd", "no entry")
	default:
		r.fact("passwd", "entry")
		r.fact("name", name)
	}
}

// statusFsuid reads the last of the four uids in /proc/self/status (proc(5)): a
// kernel without setfsuid(2), as gVisor's, has it all the same.
func statusFsuid() (string, bool) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "Uid:"); ok {
			f := strings.Fields(v)
			return f[len(f)-1], len(f) == 4
		}
	}
	return "", false
}

// ownKernel returns the kernel that answers here, and whether it is gVisor's.
// That one says so in its release, and older ones by a build date that was never
// true of another kernel and never changed.
var ownKernel = sync.OnceValues(func() (name string, gvisor bool) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "", false
	}
	release, version := unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Version[:])
	return clip(release + " " + version), strings.HasSuffix(release, "-gvisor") || version == "#1 SMP Sun Jan 10 15:06:54 PST 2016"
})

// readCaps returns the five capability sets (capabilities(7)) from capget and
// prctl.
func readCaps() (map[string]uint64, error) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return nil, err
	}
	sets := map[string]uint64{
		"inheritable": uint64(data[1].Inheritable)<<32 | uint64(data[0].Inheritable),
		"permitted":   uint64(data[1].Permitted)<<32 | uint64(data[0].Permitted),
		"effective":   uint64(data[1].Effective)<<32 | uint64(data[0].Effective),
		"bounding":    0,
		"ambient":     0,
	}
	read := 0
	for c := 0; c < 64; c++ {
		set, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if err != nil {
			break // past the last capability this kernel knows
		}
		read++
		sets["bounding"] |= uint64(set) << c
		if set, err := unix.PrctlRetInt(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, uintptr(c), 0, 0); err == nil {
			sets["ambient"] |= uint64(set) << c
		}
	}
	if read == 0 {
		return nil, fmt.Errorf("the bounding set cannot be read")
	}
	return sets, nil
}

// passwdName looks a uid up in /etc/passwd.
func passwdName(uid int) (name string, found bool, err error) {
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) >= 4 && fields[2] == fmt.Sprint(uid) {
			return fields[0], true, nil
		}
	}
	return "", false, lines.Err()
}
