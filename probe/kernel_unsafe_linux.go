package probe

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// text is a string as the kernel takes it.
type text []byte

// Texts for raw calls: variables of the package, whose addresses do not change.
var (
	textNone   = text("tightship_none\x00") // no module, no device
	textRoot   = text("/\x00")
	textTmpfs  = text("tmpfs\x00")
	textOption = text("tightship-none=1\x00") // that no file system has
)

func (t text) at() uintptr { return uintptr(unsafe.Pointer(&t[0])) }

// rawCall4 makes a call of four arguments.
func rawCall4(nr, a, b, c, d uintptr) error {
	_, _, e := unix.RawSyscall6(nr, a, b, c, d, 0, 0)
	return errno(e)
}

// inNamespaces makes a child in a new user namespace, and the others that flags
// ask for, which makes one system call there and ends. The error is that call's,
// or clone's where it made no child.
func inNamespaces(flags, nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	child, e := cloneCall(uintptr(unix.SIGCHLD)|unix.CLONE_NEWUSER|flags, nr, &a)
	if e != 0 {
		return e
	}
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(child, &status, 0, nil); err != unix.EINTR {
			if err != nil {
				return err
			}
			break
		}
	}
	if !status.Exited() {
		return unix.ECANCELED // a filter that kills
	}
	return errno(unix.Errno(status.ExitStatus()))
}

// cloneCall is fork with flags; the child makes the call and exits with its
// errno. Like fork's it shares nothing with Go's runtime.
//
//go:norace
//go:nosplit
func cloneCall(flags, nr uintptr, a *[6]uintptr) (pid int, e unix.Errno) {
	r, _, e := unix.RawSyscall6(unix.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	if e != 0 || r != 0 {
		return int(r), e
	}
	_, _, e = unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	for {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(e), 0, 0)
	}
}

// A result that a sweeping child leaves is an errno plus made, so that a call it
// did not come back from shows.
const (
	notMade = 0
	made    = 1
)

// results is shared memory as the results of n calls.
func results(page []byte, n int) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(&page[0])), len(page)/4)[:n]
}

// sweepFrom makes the calls from the nth on in a child, and waits for its end.
func sweepFrom(all []sweptCall, came []uint32, n int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	child, e := cloneSweep(all, came, n)
	if e != 0 {
		return e
	}
	for {
		if _, err := unix.Wait4(child, nil, 0, nil); err != unix.EINTR {
			return err
		}
	}
}

// cloneSweep is fork; the child sweeps and exits. Like fork's it shares nothing
// with Go's runtime.
//
//go:norace
//go:nosplit
func cloneSweep(all []sweptCall, came []uint32, n int) (pid int, e unix.Errno) {
	r, _, e := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e != 0 || r != 0 {
		return int(r), e
	}
	for ; n < len(all); n++ {
		c := &all[n]
		_, _, e := unix.RawSyscall6(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5])
		came[n] = uint32(e) + made
	}
	for {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
}
