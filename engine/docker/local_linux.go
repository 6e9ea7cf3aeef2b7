package docker

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sameKernel reports whether the engine behind a socket runs on this kernel
// and in the PID namespace that our /proc shows. Each of these rules out a case
// that a Unix socket alone does not:
//
//   - the host's name, the kernel's release and the exact amount of memory are
//     ours: not a virtual machine behind a forwarded socket (Docker Desktop,
//     Colima), and not the twin of this machine in a fleet (ssh -L, socat);
//   - whoever listens has a number in our /proc: not the host's socket mounted
//     into the container we run in;
//   - that process is in no PID namespace below ours: not a nested engine, whose
//     numbers would mean other processes here.
//
// It is a precondition and no proof, since machines may be alike in all of this:
// whoever reads a container's /proc entry should find the container's ID in its
// cgroup path.
func sameKernel(socket, host, release string, memory int64) bool {
	var uts unix.Utsname
	if unix.Uname(&uts) != nil || unix.ByteSliceToString(uts.Nodename[:]) != host || unix.ByteSliceToString(uts.Release[:]) != release {
		return false
	}
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return false
	}
	var kib int64
	if _, err := fmt.Sscanf(string(data), "MemTotal: %d kB", &kib); err != nil || kib*1024 != memory {
		return false
	}
	pid := listener(socket)
	if pid <= 0 {
		return false
	}
	data, err = os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
			return len(strings.Fields(numbers)) == 1
		}
	}
	return false
}

// listener is the process that listens on a socket, 0 if it is not in our PID
// namespace (unix(7), SO_PEERCRED).
func listener(socket string) int {
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return 0
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	var cred *unix.Ucred
	if raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }) != nil || err != nil {
		return 0
	}
	return int(cred.Pid)
}
