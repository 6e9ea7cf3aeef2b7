//go:build unix

package front

import "golang.org/x/sys/unix"

// readiness is what a look at a socket shows.
type readiness int

const (
	nothing readiness = iota
	readable
	gone // the other end has closed both directions
)

// poll looks without waiting and without reading. A caller that only shut down its
// sending direction waits for its answer and is not gone.
func poll(fd uintptr) readiness {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	switch {
	case err != nil || n == 0:
		return nothing
	case p[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0:
		return gone
	}
	return readable
}
