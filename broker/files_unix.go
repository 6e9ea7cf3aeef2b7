//go:build unix

package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// reserved is how many open files are kept for what is no connection of a sandbox:
// upstreams, the ledger, the policy.
const reserved = 256

// ErrFiles says that the process may not open enough files.
var ErrFiles = errors.New("too few files may be open")

// openFiles raises the limit of open files as far as it goes, and returns how many
// connections have room below it.
func openFiles() (int, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	if l.Cur < l.Max {
		l.Cur = l.Max
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
			return 0, err
		}
	}
	if l.Cur < 2*reserved {
		return 0, fmt.Errorf("%w: the limit is %d, and %d are needed: raise it with `ulimit -n`", ErrFiles, l.Cur, 2*reserved)
	}
	return int(min(l.Cur-reserved, math.MaxInt32)), nil
}

// ownDir makes a directory where there is none, and refuses one that somebody else
// could change, or turn into another one.
func ownDir(path string, mode os.FileMode) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(path, mode); err != nil {
			return err
		}
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%w: %s is none, or leads to another place", ErrDir, path)
	case !ok || int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%w: %s belongs to another user than uid %d", ErrDir, path, os.Geteuid())
	case info.Mode()&0o022 != 0:
		return fmt.Errorf("%w: others can write in %s: take that away with `chmod go-w`, after a look at what is there", ErrDir, path)
	}
	return nil
}

// lockDir takes a directory for one broker.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %s is locked", ErrRunning, path)
	}
	return f, nil
}
