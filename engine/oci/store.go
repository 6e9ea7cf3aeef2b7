//go:build linux

package oci

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// store is the state directory.
type store struct{ dir string }

// openStore makes the directory where it is missing, refuses one that somebody
// else could change, and sweeps out what was never completed.
func openStore(dir string, root bool) (store, error) {
	if dir == "" {
		var err error
		if dir, err = defaultDir(root); err != nil {
			return store{}, err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return store{}, err
	}
	s := store{dir}
	for _, sub := range []string{"containers", "volumes", "images", "runtime", "staging"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return s, fmt.Errorf("cannot keep state: %w", err)
		}
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return s, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return s, err
	}
	if !info.IsDir() || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return s, hinted{fmt.Errorf("%w: the state directory %s must be a directory of this user's own with mode 0700", engine.ErrPermission, dir),
			"move it away; it is made anew"}
	}
	return s, s.sweep()
}

func (s store) runtimeDir(name string) string   { return filepath.Join(s.dir, "runtime", name) }
func (s store) container(id string) string      { return filepath.Join(s.dir, "containers", id) }
func (s store) volume(name string) string       { return filepath.Join(s.dir, "volumes", name) }
func (s store) volumeData(name string) string   { return filepath.Join(s.volume(name), "data") }
func (s store) image(digest string) string      { return filepath.Join(s.dir, "images", digest) }
func (s store) volumeRecord(name string) string { return filepath.Join(s.volume(name), "volume.json") }

// record is what we remember of a container beside its bundle.
type record struct {
	ID, Name    string
	Labels      map[string]string
	Image       string // as it was asked for
	Runtime     string
	RuntimePath string
	Network     string
	Lower       string   // the image's root file system, the overlay's lower layer; "" is no overlay
	Own         []string // mount points that are ours, not the caller's
	Other       []string // lines for State.Other
	Groups      []string // as they were asked for
	OpenStdin   bool
	RawSockets  bool   // it may have CAP_NET_RAW
	AllowSetuid bool   // setuid files may give privileges
	CgroupPath  string // "" where the runtime makes none
}

func (r record) runtime() ociRuntime { return ociRuntime{r.Runtime, r.RuntimePath} }

// volumeInfo is what we remember of a volume.
type volumeInfo struct{ Labels map[string]string }

var (
	validName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}$`)
	validID   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// idOf is the ID of the container of that name: one name, one container.
func idOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// find reads the record of a container, named by its ID or its name.
func (s store) find(id string) (record, error) {
	if !validID.MatchString(id) {
		if !validName.MatchString(id) {
			return record{}, fmt.Errorf("oci: %w: %q", engine.ErrNoContainer, text.OneLine(id))
		}
		id = idOf(id)
	}
	var r record
	err := readJSON(filepath.Join(s.container(id), "container.json"), &r)
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("oci: %w: %s", engine.ErrNoContainer, id)
	}
	if err == nil && r.ID != id {
		err = fmt.Errorf("the record is of %q", text.OneLine(r.ID))
	}
	if err != nil {
		return r, fmt.Errorf("oci: %w: container %s: %w", engine.ErrBadAnswer, id, err)
	}
	return r, nil
}

// staged is a directory that is being made. Its lock says that its maker lives.
type staged struct {
	path string
	lock *os.File
}

// stage begins a directory that publish renames into place.
func (s store) stage() (*staged, error) {
	unlock, err := s.lockStaging()
	if err != nil {
		return nil, err
	}
	defer unlock()
	path := filepath.Join(s.dir, "staging", rand.Text())
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		os.RemoveAll(path)
		return nil, err
	}
	return &staged{path, f}, nil
}

// publish puts a complete directory where everyone looks for it. One that is
// already there stays, and the error wraps fs.ErrExist.
func (g *staged) publish(to string) error {
	defer g.lock.Close()
	err := os.Rename(g.path, to)
	if err == nil {
		return nil
	}
	os.RemoveAll(g.path)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", filepath.Base(to), fs.ErrExist)
	}
	return err
}

// discard gives up.
func (g *staged) discard() {
	os.RemoveAll(g.path)
	g.lock.Close()
}

// drop removes a published directory: out of sight first, so that one which was
// removed by half is swept out later and never looked at.
func (s store) drop(path string) error {
	away := filepath.Join(s.dir, "staging", rand.Text())
	if err := os.Rename(path, away); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return removeAll(away)
}

// removeAll removes a tree, also below directories that forbid it.
func removeAll(path string) error {
	if err := os.RemoveAll(path); err == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}

// sweep removes what is being made by nobody any more.
func (s store) sweep() error {
	unlock, err := s.lockStaging()
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := os.ReadDir(filepath.Join(s.dir, "staging"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		path := filepath.Join(s.dir, "staging", e.Name())
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			err = removeAll(path)
		}
		f.Close()
		if err != nil {
			return fmt.Errorf("cannot clear up after a run that was ended: %w", err)
		}
	}
	return nil
}

// lockStaging keeps a sweep from taking a directory between its making and its
// locking.
func (s store) lockStaging() (func(), error) {
	f, err := os.OpenFile(filepath.Join(s.dir, "staging", "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := flock(ctx, f); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// lockContainer keeps a start and a removal of one container apart.
func (s store) lockContainer(ctx context.Context, id string) (func(), error) {
	f, err := os.Open(s.container(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("oci: %w: %s", engine.ErrNoContainer, id)
	}
	if err != nil {
		return nil, err
	}
	if err := flock(ctx, f); err != nil {
		f.Close()
		return nil, fmt.Errorf("oci: another process is busy with container %s: %w", id, err)
	}
	return func() { f.Close() }, nil
}

func flock(ctx context.Context, f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// maxJSON bounds the files of ours that we read back.
const maxJSON = 16 << 20

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(data) > maxJSON {
		return fmt.Errorf("%s is too large", filepath.Base(path))
	}
	return json.Unmarshal(data, v)
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o600)
}
