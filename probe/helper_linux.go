package probe

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Helper runs one of the guest's child modes and returns true, or false when
// the arguments name none. A setuid copy of the guest refuses everything but
// "ids", which only prints who it is: it must not be a tool for anyone.
func Helper(args []string) bool {
	if len(args) == 0 {
		return false
	}
	if args[0] == "ids" {
		helperIDs()
		return true
	}
	if unix.Geteuid() != unix.Getuid() || unix.Getegid() != unix.Getgid() {
		fmt.Fprintln(os.Stderr, "tightship-guest: refused: running with privileges that the caller lacks")
		os.Exit(ExitProtocol)
	}
	n := 0
	if len(args) > 1 {
		n, _ = strconv.Atoi(args[1])
	}
	switch args[0] {
	case "nofile":
		helperNoFile(n)
	case "touch":
		helperTouch(n)
	case "forks":
		helperForks(n)
	case "abort":
		sigDefault(unix.SIGABRT)
		unix.Kill(os.Getpid(), unix.SIGABRT)
		select {}
	default:
		return false
	}
	return true
}

// helperIDs prints who this process became. Elevated means that it gained what
// its caller does not have: an effective ID that is not the real one, or a
// permitted capability while its real uid is not 0.
func helperIDs() {
	ruid, euid, _ := unix.Getresuid()
	rgid, egid, _ := unix.Getresgid()
	caps, _ := readCaps()
	elevated := ruid != euid || rgid != egid || ruid != 0 && caps["permitted"] != 0
	fmt.Printf("elevated=%t uid=%d euid=%d gid=%d egid=%d permitted=%016x\n", elevated, ruid, euid, rgid, egid, caps["permitted"])
}
