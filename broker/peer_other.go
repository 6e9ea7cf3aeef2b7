//go:build !linux

package broker

import (
	"errors"
	"net"
)

type peer struct {
	pid    int
	uid    uint32
	cgroup Cgroup
}

// attest has no kernel to ask: control groups are Linux's.
func attest(*net.UnixConn) (peer, error) {
	return peer{}, errors.Join(ErrPeer, errors.ErrUnsupported)
}
