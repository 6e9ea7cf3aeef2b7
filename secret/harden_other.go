//go:build !linux

package secret

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Harden switches core files off. Everything else it does on Linux only, which the
// error always says.
func Harden() error {
	errs := []error{errors.New("other processes of this user may read this one's memory: that can be prevented on Linux only")}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		errs = append(errs, fmt.Errorf("core files are not switched off (RLIMIT_CORE: %w)", err))
	}
	return errors.Join(errs...)
}
