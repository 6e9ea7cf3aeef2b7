package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// bindPorts binds privileged and unprivileged ports on loopback, TCP and UDP,
// IPv4 and IPv6, and connects to one of them.
func bindPorts(s *session, r *recorder) {
	for _, port := range []int{1, 80, 443, 1023} {
		for _, proto := range []string{"tcp4", "udp4", "tcp6", "udp6"} {
			r.try("bind "+proto, fmt.Sprint(port), bind(proto, port))
		}
	}
	for _, port := range []int{1024, 8080, 0} {
		for _, proto := range []string{"tcp4", "udp4", "tcp6", "udp6"} {
			r.control("bind "+proto, fmt.Sprint(port), bind(proto, port))
		}
	}
	for _, port := range []int{8080, 0} {
		err, used := loopback(port), port
		// In the host's network somebody else may have it: its neighbours do as well.
		for port != 0 && errors.Is(err, unix.EADDRINUSE) && used < port+20 {
			used++
			err = loopback(used)
		}
		a := r.try("bind, listen, connect to itself", fmt.Sprint(port), err)
		if used != port {
			a.Note = fmt.Sprintf("at %d in its place, which was taken", used)
		}
	}
}

func bind(proto string, port int) error {
	fd, err := listenSocket(proto, port)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// listenSocket returns a bound socket on loopback.
func listenSocket(proto string, port int) (int, error) {
	family, kind := unix.AF_INET, unix.SOCK_STREAM
	var addr unix.Sockaddr = &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	if proto[3] == '6' {
		family = unix.AF_INET6
		addr = &unix.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}}
	}
	if proto[:3] == "udp" {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, addr); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// loopback serves one connection to itself.
func loopback(port int) error {
	l, err := listenSocket("tcp4", port)
	if err != nil {
		return err
	}
	defer unix.Close(l)
	if err := unix.Listen(l, 1); err != nil {
		return err
	}
	addr, err := unix.Getsockname(l)
	if err != nil {
		return err
	}
	c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(c)
	if err := unix.Connect(c, addr); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return err
	}
	poll := []unix.PollFd{{Fd: int32(l), Events: unix.POLLIN}}
	if n, err := unix.Poll(poll, 2000); err != nil || n == 0 {
		return unix.ETIMEDOUT
	}
	fd, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// netAdmin attempts to change the network configuration in ways that change
// nothing: the flags lo has already, a link of an impossible kind, an address
// on an interface that does not exist. The kernel asks for CAP_NET_ADMIN before
// it looks at any of that.
func netAdmin(s *session, r *recorder) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		r.fail("no socket: %v", err)
		return
	}
	defer unix.Close(fd)
	flags, err := ioctlIfreq(fd, unix.SIOCGIFFLAGS, "lo", 0)
	r.control("SIOCGIFFLAGS", "lo", err)
	if err == nil {
		_, err = ioctlIfreq(fd, unix.SIOCSIFFLAGS, "lo", flags)
		r.try("SIOCSIFFLAGS", "lo", err)
	}
	permitted(r.try("RTM_NEWLINK", "a link of no kind", netlinkRequest(unix.RTM_NEWLINK, ifInfo(), attr(unix.IFLA_LINKINFO, attr(unix.IFLA_INFO_KIND, []byte("tightship-none\x00"))))),
		"EOPNOTSUPP", "ENODEV", "EINVAL")
	permitted(r.try("RTM_NEWADDR", "no interface", netlinkRequest(unix.RTM_NEWADDR, []byte{unix.AF_INET, 32, 0, 0, 0xff, 0xff, 0xff, 0x7f}, attr(unix.IFA_LOCAL, []byte{127, 0, 0, 9}))),
		"EOPNOTSUPP", "ENODEV", "EINVAL")
}

// permitted marks an attempt as successful when it failed with one of these:
// the permission check was passed and only then the bad argument was seen.
func permitted(a *Attempt, errnos ...string) {
	for _, e := range errnos {
		if a.Errno == e {
			a.OK, a.Errno, a.Note = true, "", "permission granted; then "+e+" for the argument that was bad on purpose"
		}
	}
}

func ifInfo() []byte { return make([]byte, unix.SizeofIfInfomsg) }

// attr encodes one netlink attribute (netlink(7)).
func attr(kind int, data []byte) []byte {
	b := make([]byte, 4, 4+len(data)+3)
	binary.NativeEndian.PutUint16(b, uint16(4+len(data)))
	binary.NativeEndian.PutUint16(b[2:], uint16(kind))
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// netlinkRequest sends one NETLINK_ROUTE request and returns its error.
func netlinkRequest(kind int, parts ...[]byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2})
	msg := make([]byte, unix.SizeofNlMsghdr)
	for _, p := range parts {
		msg = append(msg, p...)
	}
	binary.NativeEndian.PutUint32(msg, uint32(len(msg)))
	binary.NativeEndian.PutUint16(msg[4:], uint16(kind))
	binary.NativeEndian.PutUint16(msg[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE)
	if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, 8192)
	n, _, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(buf[4:]) != unix.NLMSG_ERROR {
		return fmt.Errorf("unexpected netlink answer")
	}
	return errno(unix.Errno(-int32(binary.NativeEndian.Uint32(buf[unix.SizeofNlMsghdr:]))))
}

// netInterfaces lists the network interfaces of this namespace: those that are
// up, and those that are there and down. Kernels with tunnel modules put such
// fallback devices into every namespace, and they lead nowhere.
func netInterfaces(s *session, r *recorder) {
	data, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		r.fail("the interfaces cannot be listed: %v", err)
		return
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		r.fail("no socket: %v", err)
		return
	}
	defer unix.Close(fd)
	var up, down []string
	for line := range strings.Lines(string(data)) {
		name, _, ok := strings.Cut(line, ":")
		if !ok {
			continue // the two head lines
		}
		name = strings.TrimSpace(name)
		if flags, err := ioctlIfreq(fd, unix.SIOCGIFFLAGS, name, 0); err == nil && flags&unix.IFF_UP == 0 {
			down = append(down, name)
		} else {
			up = append(up, name)
		}
	}
	r.fact("interfaces", strings.Join(up, " "))
	r.fact("down", strings.Join(down, " "))
}
