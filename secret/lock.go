package secret

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	lockTime = time.Minute           // how long a lock is waited for
	lockPoll = 20 * time.Millisecond // how often it is looked at
)

// lockLogin takes what keeps others from refreshing the login at path, which real
// is behind any links: flock(2) on a file beside it, which ends with the process,
// and then the locks of the program whose login it is. The lock file stays:
// removing it would let two in.
func lockLogin(ctx context.Context, path, real string, l *login) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTime, fmt.Errorf("another process is refreshing the login, or hangs: %w", ErrTemporary))
	defer cancel()
	name := real + ".tightship.lock"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the login cannot be locked, and is not refreshed: %w", err)
	}
	// Made by root for somebody else's file, the lock must be theirs to take too.
	if info, statErr := os.Stat(real); statErr == nil && os.Geteuid() == 0 {
		err = alike(f, info)
	}
	if err == nil {
		err = poll(ctx, func() (bool, error) {
			err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
			if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
				return false, nil
			}
			return err == nil, err
		})
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	release := func() {}
	if l.siblingLocks {
		if release, err = lockSiblings(ctx, filepath.Dir(path)); err != nil {
			f.Close()
			return nil, err
		}
	}
	return func() {
		release()
		f.Close()
	}, nil
}

// poll tries until it succeeds, fails, or ctx ends.
func poll(ctx context.Context, try func() (bool, error)) error {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		if ok, err := try(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
