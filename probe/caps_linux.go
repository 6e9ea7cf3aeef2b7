package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// capAct is one harmless act that needs one capability. Acts that could not be
// undone pass a bad argument on purpose: the kernel looks at the permission
// first, so EPERM means refused and one of the granted errnos means allowed.
type capAct struct {
	capability, act string
	granted         []string
	f               func(t *capPlace) error
	// another marks acts on somebody else's files or process. Where the
	// "somebody else" is uid 0 as well they need no capability and say nothing.
	another bool
}

// capPlace is where the acts happen: a file of the auditor's, and the marker
// files of the other user.
type capPlace struct {
	file, dir       string // the auditor's own
	other, otherDir string // the user's marker file and its setgid directory
	pid             int    // the user's process
}

var capActList = []capAct{
	{"CHOWN", "chown its own file to uid 65534", nil, func(t *capPlace) error { return unix.Chown(t.file, 65534, -1) }, false},
	{"DAC_OVERRIDE", "open its own file of mode 0", nil, openMode0, false},
	{"DAC_READ_SEARCH", "open_by_handle_at", []string{"EINVAL", "ESTALE"}, openByHandle, false},
	{"FOWNER", "chmod another user's file to the mode it has", nil, func(t *capPlace) error { return unix.Chmod(t.other, 0o666) }, true},
	{"FSETID", "keep setgid on a file of a group it is not in", nil, keepSetgid, true},
	{"KILL", "signal 0 to another user's process", nil, func(t *capPlace) error { return unix.Kill(t.pid, 0) }, true},
	{"SETGID", "setresgid(65534)", nil, func(*capPlace) error {
		return throwaway(rawCall(unix.SYS_SETRESGID, 65534, 65534, 65534))
	}, false},
	{"SETUID", "setresuid(65534)", nil, func(*capPlace) error {
		return throwaway(rawCall(unix.SYS_SETRESUID, 65534, 65534, 65534))
	}, false},
	{"SETPCAP", "drop a capability from the bounding set", nil, func(*capPlace) error {
		return throwaway(rawCall(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, unix.CAP_WAKE_ALARM, 0))
	}, false},
	{"LEASE", "take a lease on another user's file", nil, lease, true},
	{"NET_BIND_SERVICE", "bind TCP port 81", nil, bindPrivileged, false},
	{"NET_RAW", "open a raw socket", nil, rawSocket, false},
	{"SYS_CHROOT", "chroot to /", nil, func(*capPlace) error { return unix.Chroot("/") }, false},
	{"SYS_PTRACE", "read another user's process", []string{"EFAULT"}, func(t *capPlace) error { return readRemote(t.pid) }, true},
	{"SYS_MODULE", "unload a module that does not exist", []string{"ENOENT"}, func(*capPlace) error {
		return unix.DeleteModule("tightship_none", 0)
	}, false},
	{"SYS_PACCT", "account to a file that does not exist", []string{"ENOENT"}, func(*capPlace) error {
		return unix.Acct("/.tightship-none/none")
	}, false},
	{"SYS_ADMIN", "mount a tmpfs with an impossible option", []string{"EINVAL"}, mountBad, false},
	// AppArmor's profile for containers refuses mounts whatever the capability.
	{"SYS_ADMIN", "set a host name of impossible length", []string{"EINVAL"}, func(*capPlace) error {
		return rawCall(unix.SYS_SETHOSTNAME, 0, 1<<20, 0)()
	}, false},
	{"SYS_BOOT", "reboot with a wrong magic number", []string{"EINVAL"}, func(*capPlace) error {
		return rawCall(unix.SYS_REBOOT, 1, 1, 1)()
	}, false},
	{"SYS_NICE", "give another user's process the priority it has", nil, samePriority, true},
	{"SYS_RESOURCE", "raise a hard limit by one", nil, raiseLimit, false},
	{"SYS_TIME", "set an impossible clock tick", []string{"EINVAL"}, func(*capPlace) error { return settimeBad() }, false},
	{"MKNOD", "make a device node", nil, func(t *capPlace) error {
		name := filepath.Join(t.dir, "null")
		err := unix.Mknod(name, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))
		unix.Unlink(name)
		return err
	}, false},
	{"SETFCAP", "give its own file a capability", nil, setFileCap, false},
	{"SYSLOG", "an impossible syslog action", []string{"EINVAL"}, func(*capPlace) error {
		return rawCall(unix.SYS_SYSLOG, 99, 0, 0)()
	}, false},
	{"WAKE_ALARM", "create an alarm timer", []string{"EOPNOTSUPP", "ENOTSUP"}, func(*capPlace) error {
		fd, err := unix.TimerfdCreate(8 /* CLOCK_REALTIME_ALARM */, unix.TFD_CLOEXEC)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}, false},
}

// capActs makes the act of each capability that has a harmless one.
func capActs(s *session, r *recorder) {
	scratch, err := s.scratch()
	if err != nil {
		r.fail("%v", err)
		return
	}
	t := &capPlace{dir: s.unique(scratch, "caps")}
	if err := os.Mkdir(t.dir, 0o700); err != nil {
		r.fail("cannot make a directory to work in: %v", err)
		return
	}
	defer os.RemoveAll(t.dir)
	t.otherDir = filepath.Join(scratch, ".tightship-marker")
	t.other = filepath.Join(t.otherDir, "file")
	for _, a := range capActList {
		t.file = filepath.Join(t.dir, a.capability)
		if err := os.WriteFile(t.file, nil, 0o600); err != nil {
			r.try(a.act, a.capability, err)
			continue
		}
		if a.another && !t.foreign() {
			r.try(a.act, a.capability, unix.ENOTSUP).Note = "no other user to try it on"
			continue
		}
		permitted(r.try(a.act, a.capability, a.f(t)), a.granted...)
	}
	r.control("create", t.dir, nil)
}

// foreign says whether the marker file is there and somebody else's, and so is
// the process that it names.
func (t *capPlace) foreign() bool {
	var st unix.Stat_t
	if unix.Lstat(t.other, &st) != nil || int(st.Uid) == unix.Geteuid() {
		return false
	}
	text, err := os.ReadFile(t.other)
	if err != nil {
		return false
	}
	if t.pid, err = strconv.Atoi(string(text)); err != nil || t.pid <= 0 {
		return false
	}
	// Its status, as the owner of an undumpable process's files in /proc is root.
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", t.pid))
	return err == nil && strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t", st.Uid))
}

func openMode0(t *capPlace) error {
	if err := unix.Chmod(t.file, 0); err != nil {
		return err
	}
	fd, err := unix.Open(t.file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func openByHandle(t *capPlace) error {
	h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, t.file, 0)
	if err != nil {
		return err
	}
	dir, err := unix.Open(t.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	fd, err := unix.OpenByHandleAt(dir, h, unix.O_RDONLY|unix.O_CLOEXEC)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// keepSetgid makes a file in the user's setgid directory, whose group it gets
// and the auditor is not in. Without CAP_FSETID chmod then drops the bit
// without an error.
func keepSetgid(t *capPlace) error {
	name := filepath.Join(t.otherDir, "auditor")
	fd, err := unix.Open(name, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, 0o700)
	if err != nil {
		return err
	}
	defer unix.Unlink(name)
	defer unix.Close(fd)
	if err := unix.Fchmod(fd, 0o2750); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if inGroup(int(st.Gid)) {
		return unix.ENOTSUP // the file is of a group of ours: this says nothing
	}
	if st.Mode&unix.S_ISGID == 0 {
		return unix.EPERM
	}
	return nil
}

// mountBad asks for a type that every kernel has: AppArmor looks the type up
// before it asks for the permission, so that ENODEV would say nothing.
func mountBad(t *capPlace) error {
	err := unix.Mount("none", t.dir, "tmpfs", 0, "tightship-none=1")
	if err == nil {
		unix.Unmount(t.dir, unix.MNT_DETACH)
	}
	return err
}

func lease(t *capPlace) error {
	fd, err := unix.Open(t.other, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) // gives the lease back as well
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
	return err
}

// samePriority sets the priority of the user's process to what it is. One's own
// would say less: gVisor, where priorities do nothing, lets everybody raise it.
func samePriority(t *capPlace) error {
	// The system call returns 20 minus the nice value (getpriority(2)).
	v, err := unix.Getpriority(unix.PRIO_PROCESS, t.pid)
	if err != nil {
		return err
	}
	return unix.Setpriority(unix.PRIO_PROCESS, t.pid, 20-v)
}

// bindPrivileged binds a port below 1024, unless the network namespace lets
// everybody: then success would say nothing about the capability.
func bindPrivileged(*capPlace) error {
	start, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if n, perr := strconv.Atoi(strings.TrimSpace(string(start))); err != nil || perr != nil || n <= 81 {
		return unix.ENOTSUP
	}
	return bind("tcp4", 81)
}

func rawSocket(*capPlace) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func raiseLimit(*capPlace) error {
	var old unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_MSGQUEUE, nil, &old); err != nil {
		return err
	}
	if old.Max == unix.RLIM_INFINITY {
		return unix.ENOTSUP // nothing to raise: this says nothing
	}
	err := unix.Prlimit(0, unix.RLIMIT_MSGQUEUE, &unix.Rlimit{Cur: old.Cur, Max: old.Max + 1}, nil)
	if err == nil {
		unix.Prlimit(0, unix.RLIMIT_MSGQUEUE, &old, nil)
	}
	return err
}

// setFileCap writes an empty version 2 capability set (capabilities(7)).
func setFileCap(t *capPlace) error {
	empty := make([]byte, 20)
	empty[3] = 2
	return unix.Setxattr(t.file, "security.capability", empty, 0)
}
