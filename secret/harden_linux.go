package secret

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Harden keeps the kernel from dumping this process's memory, and other processes
// of the same user from reading it (its /proc/PID then belongs to root). It
// is for the start of a program that holds credentials; children that run another
// program are not affected, except that they write no core files either.
//
// Both are tried. The error says what could not be done, and the program can go
// on without.
func Harden() error {
	var errs []error
	// Not dumpable is the decisive one: the limit does not hold where core_pattern
	// names a program.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		errs = append(errs, fmt.Errorf("other processes of this user can read this one's memory (PR_SET_DUMPABLE: %w)", err))
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		errs = append(errs, fmt.Errorf("core files are not switched off (RLIMIT_CORE: %w)", err))
	}
	return errors.Join(errs...)
}
