package secret

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// region is memory outside of Go's heap. It has no guard pages: nothing here runs
// past a slice's end without Go noticing.
type region struct {
	bytes  []byte
	locked bool
}

// allocate returns at least n zeroed bytes, in whole pages.
func allocate(n int) (region, error) {
	page := os.Getpagesize()
	n = (n + page - 1) / page * page
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return region{}, fmt.Errorf("no memory for a credential: %w", err)
	}
	// Both are tried, whatever becomes of the other, and before anything is there.
	undumped, locked := leaveOutOfDumps(b), unix.Mlock(b)
	return region{bytes: b, locked: undumped == nil && locked == nil}, nil
}

// free wipes the memory and gives it back.
func (r *region) free() {
	if r.bytes == nil {
		return
	}
	clear(r.bytes)
	// It can fail only for a range that is not mapped. Unmapping also unlocks.
	unix.Munmap(r.bytes)
	r.bytes = nil
}
