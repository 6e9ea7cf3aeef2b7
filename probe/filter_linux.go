package probe

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// syscallFilter makes calls that the default profile denies and that need no
// capability. OK means that the call got past the filter: it did its harmless
// work, or the kernel complained about an argument that was bad on purpose.
func syscallFilter(s *session, r *recorder) {
	// The ID of its own session keyring, without creating one (keyctl(2)).
	_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	permitted(r.try("keyctl", "its own keyring", err), "ENOKEY")
	// No entries and no parameters: EFAULT or EINVAL before anything is made.
	permitted(r.try("io_uring_setup", "bad arguments", rawCall(unix.SYS_IO_URING_SETUP, 0, 0, 0)()), "EFAULT", "EINVAL")
	// In a child, so that this process stays where it is.
	cmd := exec.Command(plain)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWUSER}
	err = cmd.Start()
	if err == nil {
		cmd.Wait()
	}
	permitted(r.try("unshare", "a user namespace", err), "ENOSPC", "EUSERS") // a limit, past the filter
}
