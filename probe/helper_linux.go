package probe

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Helper runs one of the guest's child modes and returns true, or false when
// the arguments name none.
func Helper(args []string) bool {
	if len(args) == 0 {
		return false
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
	case "wait": // to be read, until its input ends
		io.Copy(io.Discard, os.Stdin)
	case "abort":
		sigDefault(unix.SIGABRT)
		unix.Kill(os.Getpid(), unix.SIGABRT)
		select {}
	default:
		return false
	}
	return true
}
