package probe

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// firstNamespaces is the identity of the namespaces that a kernel begins with:
// the host's, unless the machine nests containers. They are constants of the
// kernel (include/uapi/linux/nsfs.h), below every number that is given to
// another; those of the mount and the network namespace have been since 6.18.
var firstNamespaces = map[string]uint64{
	"mnt": 0xEFFFFFF8, "net": 0xEFFFFFF9, "time": 0xEFFFFFFA, "cgroup": 0xEFFFFFFB,
	"pid": 0xEFFFFFFC, "user": 0xEFFFFFFD, "uts": 0xEFFFFFFE, "ipc": 0xEFFFFFFF,
}

// errOther is the outcome of looking for something of the host's and finding
// the container's own.
var errOther = errors.New("its own")

// namespaces looks for what only a process in the host's namespaces finds.
func namespaces(s *session, r *recorder) {
	for _, name := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		link, err := os.Readlink("/proc/self/ns/" + name)
		number, ok := identity(link)
		switch {
		case err != nil:
		case !ok:
			err = errors.New("no namespace's identity: " + link)
		case number != firstNamespaces[name]:
			err = errOther
		}
		own(r.try("be in the kernel's first namespace", name, err))
		if ok {
			r.fact("id:"+name, link)
		}
	}
	err := errOther
	if os.Getpid() != 1 { // this process is the container's first
		err = nil
	}
	own(r.try("find another first process", "/proc/1", err))
	r.fact("processes", processes())

	// The limits on devices' queues are one for all and shown in the first network
	// namespace only; that on listeners is in every one (net/core/sysctl_net_core.c).
	r.try("find a setting of the host's network", "/proc/sys/net/core/netdev_max_backlog", access("/proc/sys/net/core/netdev_max_backlog", unix.F_OK))
	setting := "/proc/sys/net/core/somaxconn"
	if access(setting, unix.F_OK) != nil { // older kernels hide net.core from the networks of user namespaces
		setting = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
	}
	r.control("find a setting of any network", setting, access(setting, unix.F_OK))

	path, err := cgroupPath()
	if err == nil && path == "/" {
		err = errOther
	}
	own(r.try("see where in the host's tree its cgroup is", "/proc/self/cgroup", err)).Note = path

	var u unix.Utsname
	if unix.Uname(&u) == nil {
		r.fact("hostname", unix.ByteSliceToString(u.Nodename[:]))
	}
	if mounts, err := readMounts(); err == nil {
		mine := slices.ContainsFunc(mounts, func(m mount) bool { return m.target == guestDir })
		err = nil
		if !mine {
			err = unix.ENOENT
		}
		r.control("find its own mount", guestDir, err)
	}
}

// own marks an attempt that met the container's own.
func own(a *Attempt) *Attempt {
	if a.Errno == "error" {
		a.Errno = "own"
	}
	return a
}

// identity is the number in a link of /proc/PID/ns (namespaces(7)).
func identity(link string) (uint64, bool) {
	_, rest, _ := strings.Cut(link, ":[")
	number, closed := strings.CutSuffix(rest, "]")
	n, err := strconv.ParseUint(number, 10, 64)
	return n, closed && err == nil
}

// processes counts those that can be seen.
func processes() int {
	n := 0
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err == nil {
			n++
		}
	}
	return n
}

// cgroupPath is the first path in /proc/self/cgroup that is not the root: in a
// cgroup namespace of one's own they all are (cgroup_namespaces(7)).
func cgroupPath() (string, error) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	path := ""
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) == 3 && (path == "" || path == "/") {
			path = f[2]
		}
	}
	if path == "" {
		return "", errors.New("no cgroup")
	}
	return path, nil
}
