package broker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// peer is who the kernel says is at the other end of a connection.
type peer struct {
	pid    int
	uid    uint32
	cgroup Cgroup
}

// attest asks the kernel who made a connection, and where that process is.
//
// A process may end and its number be given to another one between the two questions.
// Where the kernel has SO_PEERPIDFD (6.5) it gives a handle on the very process: if
// that one lives after the cgroup was read, the number was its own when it was read.
// Elsewhere the time at which the process started must be the same before and after,
// which still leaves the time before the first look.
func attest(c *net.UnixConn) (peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return peer{}, err
	}
	var p peer
	var inner error
	err = raw.Control(func(fd uintptr) { p, inner = attestFD(int(fd)) })
	return p, errors.Join(err, inner)
}

func attestFD(fd int) (peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{}, err
	}
	p := peer{pid: int(cred.Pid), uid: cred.Uid}
	if p.pid <= 0 {
		return p, fmt.Errorf("%w: its process is in no PID namespace of ours", ErrPeer)
	}
	handle, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if errors.Is(err, unix.ENOPROTOOPT) {
		return p.byStart(started)
	} else if err != nil { // it is known, and the process was there no more
		return p, fmt.Errorf("%w: its process %d has ended: %w", ErrPeer, p.pid, err)
	}
	defer unix.Close(handle)
	if p.cgroup, err = cgroupOf(p.pid); err != nil {
		return p, err
	}
	ended, err := unix.Poll([]unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}, 0)
	if err != nil {
		return p, err
	}
	if ended != 0 {
		return p, fmt.Errorf("%w: its process %d has ended", ErrPeer, p.pid)
	}
	return p, nil
}

// byStart is for kernels without handles on peers; started says when a process began.
func (p peer) byStart(started func(pid int) (string, error)) (peer, error) {
	before, err := started(p.pid)
	if err != nil {
		return p, err
	}
	if p.cgroup, err = cgroupOf(p.pid); err != nil {
		return p, err
	}
	after, err := started(p.pid)
	if err != nil {
		return p, err
	}
	if before != after {
		return p, fmt.Errorf("%w: its process %d has ended", ErrPeer, p.pid)
	}
	return p, nil
}

// started is when a process began, in ticks since the machine did: field 22 of
// /proc/PID/stat, counted behind the name, which may hold anything.
func started(pid int) (string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(b[strings.LastIndexByte(string(b), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return "", fmt.Errorf("%w: cannot read its start", ErrPeer)
	}
	return fields[19], nil
}
