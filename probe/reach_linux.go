package probe

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// outside are addresses that lead off every machine. connect(2) on a datagram
// socket asks the routing table and sends nothing.
var outside = []string{
	"192.0.2.1",            // TEST-NET-1 (RFC 5737)
	"1.1.1.1",              // a public one
	"169.254.169.254",      // the metadata service of clouds, link-local
	"2001:db8::1",          // documentation (RFC 3849)
	"2606:4700:4700::1111", // a public one
	"fd00:ec2::254",        // the metadata service of a cloud
}

// netRoute asks the routing table for ways out.
func netRoute(s *session, r *recorder) {
	for _, a := range outside {
		r.try("route to", a, route(netip.MustParseAddr(a)))
	}
	r.control("route to", "127.0.0.1", route(netip.MustParseAddr("127.0.0.1")))
}

// netDNS asks for ways to the resolvers: the routing table for one elsewhere, a
// connection without a byte for one on loopback, where engines put their own.
func netDNS(s *session, r *recorder) {
	servers, err := resolvers("/etc/resolv.conf")
	if err != nil {
		r.fail("the resolvers cannot be read: %v", err)
		return
	}
	r.fact("resolvers", len(servers))
	if len(servers) == 0 {
		servers = []netip.Addr{netip.MustParseAddr("127.0.0.1")} // resolv.conf(5)
	}
	for _, a := range servers {
		if a.IsLoopback() {
			r.try("connect tcp", netip.AddrPortFrom(a, 53).String(), dial(netip.AddrPortFrom(a, 53)))
		} else {
			r.try("route to", a.String(), route(a))
		}
	}
	r.control("route to", "127.0.0.1", route(netip.MustParseAddr("127.0.0.1")))
	r.control("bind, listen, connect to itself", "0", loopback(0))
}

// resolvers reads the name servers of a resolv.conf(5); none if there is no such
// file.
func resolvers(path string) ([]netip.Addr, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseResolvers(io.LimitReader(f, 64<<10))
}

func parseResolvers(in io.Reader) ([]netip.Addr, error) {
	var all []netip.Addr
	lines := bufio.NewScanner(in)
	for lines.Scan() && len(all) < 16 {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(fields[1]); err == nil && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all, lines.Err()
}

// netHost connects to the addresses on which the verifier listens, which are the
// host's own, and sends nothing.
func netHost(s *session, r *recorder) {
	r.control("bind, listen, connect to itself", "0", loopback(0))
	type outcome struct {
		on  string
		err error
	}
	done := make(chan outcome)
	for _, l := range s.plan.Params.Listeners {
		go func() {
			to, err := netip.ParseAddrPort(l)
			if err == nil {
				err = dial(to)
			}
			done <- outcome{l, err}
		}()
	}
	for range s.plan.Params.Listeners {
		o := <-done
		r.try("connect tcp", o.on, o.err)
	}
	r.fact("listeners", len(s.plan.Params.Listeners))
}

// dialTime bounds a connection to an address of this machine, which takes less
// than a thousandth of it.
const dialTime = time.Second

// dial connects and closes.
func dial(to netip.AddrPort) error {
	fd, addr, err := socketTo(to, unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, addr); err != unix.EINPROGRESS {
		return err
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for deadline := time.Now().Add(dialTime); ; {
		n, err := unix.Poll(poll, int(max(0, time.Until(deadline).Milliseconds())))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return unix.ETIMEDOUT
		}
		code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil {
			return err
		}
		return errno(unix.Errno(code))
	}
}

// route connects a datagram socket, which sends no packet.
func route(to netip.Addr) error {
	fd, addr, err := socketTo(netip.AddrPortFrom(to, 53), unix.SOCK_DGRAM)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, addr)
}

func socketTo(to netip.AddrPort, kind int) (int, unix.Sockaddr, error) {
	family, a := unix.AF_INET6, to.Addr().Unmap()
	var addr unix.Sockaddr = &unix.SockaddrInet6{Port: int(to.Port()), Addr: a.As16()}
	if a.Is4() {
		family = unix.AF_INET
		addr = &unix.SockaddrInet4{Port: int(to.Port()), Addr: a.As4()}
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	return fd, addr, err
}
