package probe

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Raw system calls that x/sys either does not wrap or wraps for the whole
// process. Everything in this package that needs unsafe is in this file.

// setgroups changes the calling thread's groups only.
func setgroups(gids []uint32) error {
	_, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(gids)), uintptr(unsafe.Pointer(&gids[0])), 0)
	return errno(e)
}

// fork makes a child that only ever sleeps and dies with its parent's thread.
// The child shares nothing with Go's runtime: it must not return, allocate or
// grow its stack, so it makes raw system calls in a loop.
//
//go:norace
//go:nosplit
func fork() (pid int, e unix.Errno) {
	r, _, e := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e != 0 || r != 0 {
		return int(r), e
	}
	unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0)
	for {
		unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
}

// sigDefault gives a signal its default action, which Go's runtime has replaced.
func sigDefault(sig unix.Signal) error {
	var act [32]byte // struct sigaction, all zero: SIG_DFL
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
	return errno(e)
}

// settimeBad asks adjtimex for an impossible tick: the permission is checked
// before the value.
func settimeBad() error {
	tx := unix.Timex{Modes: 0x4000 /* ADJ_TICK */, Tick: 1}
	_, err := unix.Adjtimex(&tx)
	return err
}

// readRemote asks to read one byte at address 0 of another process.
func readRemote(pid int) error {
	var b [1]byte
	local := unix.Iovec{Base: &b[0]}
	local.SetLen(1)
	_, err := unix.ProcessVMReadv(pid, []unix.Iovec{local}, []unix.RemoteIovec{{Base: 0, Len: 1}}, 0)
	return err
}

// ioctlIfreq makes an interface request (netdevice(7)) with a flags field.
func ioctlIfreq(fd int, req uintptr, name string, flags uint16) (uint16, error) {
	var ifr [40]byte
	copy(ifr[:15], name)
	*(*uint16)(unsafe.Pointer(&ifr[16])) = flags
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), req, uintptr(unsafe.Pointer(&ifr)))
	return *(*uint16)(unsafe.Pointer(&ifr[16])), errno(e)
}
