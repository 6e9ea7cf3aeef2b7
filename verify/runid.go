package verify

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A run ID names one verification: OWNER-RANDOM. Everything created carries it
// as a label. While the run lives it holds a lock on a file of that name, which
// the kernel drops however the process ends: that is how clean tells a run that
// is at work from one that was killed.

// owner is a short hash of this host and user: on a shared engine, runs of
// others can't be told dead from here and are left alone.
func owner() string {
	host, _ := os.Hostname()
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", host, os.Getuid()))
	return hex.EncodeToString(sum[:4])
}

// token is 12 random bytes in hex.
func token() string {
	b := make([]byte, 12)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// lockDir is a directory of this user's own that does not follow TMPDIR: clean
// must find the lock wherever the run was started from, and nobody else must be
// able to be there first.
func lockDir() string {
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "tightship", "runs")
	}
	return filepath.Join("/tmp", fmt.Sprintf("tightship-%d", os.Getuid()))
}

// RunDir is the directory in which runs of this user mark that they are alive.
// It may not exist yet; the first run makes it.
func RunDir() string { return lockDir() }

// runLock is the sign of life of one run.
type runLock struct {
	id string
	f  *os.File
}

func newRun() (*runLock, error) {
	id := owner() + "-" + token()
	if err := os.MkdirAll(lockDir(), 0o700); err != nil {
		return nil, fmt.Errorf("cannot mark this run as alive: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(lockDir(), id), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot mark this run as alive: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot mark this run as alive: %w", err)
	}
	return &runLock{id: id, f: f}, nil
}

// Begin marks something that makes resources of its own as alive, so that Clean
// leaves them alone, and returns the ID that they are to be labelled with. end
// says that it is over, and whether something was left.
func Begin() (id string, end func(leftovers bool), err error) {
	l, err := newRun()
	if err != nil {
		return "", nil, err
	}
	return l.id, l.release, nil
}

// release ends the run. With leftovers the file stays, unlocked, as the sign
// that clean may remove them.
func (l *runLock) release(leftovers bool) {
	if !leftovers {
		os.Remove(l.f.Name())
	}
	l.f.Close()
}

// dead says whether a run is known to have ended: its lock file is there and
// nobody holds the lock. Without the file nothing is known (another host or
// user, another home), and it counts as alive.
func dead(runID string) bool {
	who, name, ok := strings.Cut(runID, "-")
	if !ok || who != owner() || strings.ContainsAny(name, "/.") {
		return false
	}
	f, err := os.OpenFile(filepath.Join(lockDir(), runID), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

// forget removes the lock file of a dead run of which nothing is left.
func forget(runID string) {
	if dead(runID) {
		os.Remove(filepath.Join(lockDir(), runID))
	}
}
