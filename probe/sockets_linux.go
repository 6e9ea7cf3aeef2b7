package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// runtimeSockets is where those listen that start containers, or hand out what
// they have, on a host's usual paths.
var runtimeSockets = []string{
	"/run/docker.sock", "/run/docker/docker.sock", "/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock",
	"/run/crio/crio.sock", "/run/podman/podman.sock", "/run/cri-dockerd.sock", "/run/dockershim.sock", "/run/k3s/containerd/containerd.sock",
	"/run/buildkit/buildkitd.sock", "/run/systemd/private", "/run/dbus/system_bus_socket", "/run/libvirt/libvirt-sock",
	"/var/run/docker.sock", "/var/run/docker/containerd/containerd.sock", "/var/snap/lxd/common/lxd/unix.socket", "/var/lib/incus/unix.socket",
}

// sockets looks for Unix sockets on which somebody outside listens: where those
// of container runtimes are, at every mount; where the sweep came by one; and
// among the abstract names of this network namespace. It connects and closes,
// and sends nothing.
func sockets(s *session, r *recorder) {
	mounts, err := readMounts()
	if err != nil {
		r.fail("cannot read mountinfo: %v", err)
		return
	}
	found, looked := map[string]bool{}, 0
	for _, p := range s.sockets {
		found[p] = true
	}
	for _, m := range mounts {
		if m.usual() || m.target == guestDir {
			continue
		}
		for _, known := range runtimeSockets {
			// Below what a mount shows of the host: all of it, /run, or /var.
			for _, p := range []string{known, strings.TrimPrefix(strings.TrimPrefix(known, "/var"), "/run")} {
				var st unix.Stat_t
				p = filepath.Join(m.target, p)
				looked++
				if unix.Lstat(p, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
					found[p] = true
				}
			}
		}
	}
	r.fact("looked", looked)
	for _, p := range sorted(found) {
		s.connect(r, p)
	}
	names, err := abstractNames()
	if err != nil {
		r.fail("the abstract names cannot be read: %v", err)
		return
	}
	r.fact("abstract names", len(names))
	for _, name := range names {
		s.connect(r, name)
	}
	s.ownSocket(r)
}

// connect records one attempt.
func (s *session) connect(r *recorder, name string) {
	inside, err := connectTo(name)
	if err == nil && inside && ownProcesses() {
		r.try("connect to a socket of this container's own", name, nil)
		return
	}
	r.try("connect", name, err)
}

// ownProcesses says whether process numbers here are the container's own: the
// first process is the guest. A listener that has a number then is inside.
func ownProcesses() bool {
	line, err := os.ReadFile("/proc/1/cmdline")
	return err == nil && strings.HasPrefix(string(line), guestDir+"/guest")
}

// connectTo connects to a path, or to an abstract name that starts with @, and
// closes. inside says that who listens has a number in this PID namespace
// (unix(7), SO_PEERCRED); who has none is outside.
func connectTo(name string) (inside bool, err error) {
	for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET} {
		var fd int
		if fd, err = unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			return false, err
		}
		err = connectNamed(fd, name)
		if err == nil {
			cred, cerr := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
			inside = cerr == nil && cred.Pid > 0
		}
		unix.Close(fd)
		switch {
		case err == unix.EPROTOTYPE, err == unix.ECONNREFUSED && name[0] == '@':
			continue // an abstract name is one for each kind
		case err == unix.EAGAIN: // a queue that is full, of somebody who listens
			return false, nil
		}
		return inside, err
	}
	return false, err
}

// connectNamed also reaches a path that is longer than an address has room for.
func connectNamed(fd int, name string) error {
	if len(name) > 107 && name[0] == '/' {
		dir, err := unix.Open(filepath.Dir(name), unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(dir)
		name = fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(name))
	}
	return unix.Connect(fd, &unix.SockaddrUnix{Name: name})
}

// abstractNames is the abstract sockets of this network namespace (unix(7)).
func abstractNames() ([]string, error) {
	data, err := os.ReadFile("/proc/self/net/unix")
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		at := strings.Index(line, " @")
		if at < 0 || len(strings.Fields(line[:at])) != 7 || len(seen) >= 2*socketsMost {
			continue
		}
		// The file shows a zero byte as one more @.
		name := line[at+1:]
		seen[name] = true
		seen["@"+strings.ReplaceAll(name[1:], "@", "\x00")] = true
	}
	return sorted(seen), nil
}

// ownSocket is the control: somebody who is there can be connected to. A
// datagram socket does where a filter refuses to listen.
func (s *session) ownSocket(r *recorder) {
	var err error
	for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
		if err = reachOwn(kind); err == nil {
			break
		}
	}
	r.control("connect", "a socket of its own", err)
}

func reachOwn(kind int) error {
	name := "@tightship-" + token()
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		return err
	}
	if kind == unix.SOCK_STREAM {
		if err := unix.Listen(fd, 1); err != nil {
			return err
		}
	}
	_, err = connectTo(name)
	return err
}
