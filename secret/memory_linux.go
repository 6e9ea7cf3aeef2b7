package secret

import "golang.org/x/sys/unix"

// leaveOutOfDumps keeps b out of core dumps: of those too that are taken of a
// process for which Harden was not called.
func leaveOutOfDumps(b []byte) error { return unix.Madvise(b, unix.MADV_DONTDUMP) }
