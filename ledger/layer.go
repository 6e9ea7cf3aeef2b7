package ledger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// layer is every way in which this package touches files. Tests put one in its
// place that fails on demand, or forgets what was not synced.
type layer interface {
	mkdir(dir string) error
	list(dir string) ([]string, error)
	// open is os.OpenFile. What is created is durable only once its directory is
	// synced, and what is written once the file is.
	open(path string, flag int, perm fs.FileMode) (file, error)
	rename(from, to string) error
	remove(path string) error
	syncDir(dir string) error
	// lock fails with ErrInUse where another holds it. The kernel lets go of it
	// when a process dies.
	lock(path string) (io.Closer, error)
}

type file interface {
	io.Reader
	io.Writer
	io.Closer
	Sync() error
}

// system is the layer of the operating system.
type system struct{}

func (system) mkdir(dir string) error { return os.MkdirAll(dir, 0o700) }

func (system) list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

func (system) open(path string, flag int, perm fs.FileMode) (file, error) {
	f, err := os.OpenFile(path, flag|unix.O_NONBLOCK, perm) // or a FIFO would keep us waiting
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is no regular file", path), err, f.Close())
	}
	return f, nil
}

func (system) rename(from, to string) error { return os.Rename(from, to) }
func (system) remove(path string) error     { return os.Remove(path) }

func (system) syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (system) lock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		_ = f.Close() // the lock's error is the one to tell
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// replace writes a file anew: a reader, and a crash, see the old or the new one.
func replace(l layer, path string, data []byte, perm fs.FileMode) error {
	if err := create(l, path+tmp, data, perm); err != nil {
		return err
	}
	if err := l.rename(path+tmp, path); err != nil {
		return err
	}
	return l.syncDir(filepath.Dir(path))
}

// create writes a file and syncs it.
func create(l layer, path string, data []byte, perm fs.FileMode) error {
	f, err := l.open(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readAll reads a file of at most so many bytes.
func readAll(l layer, path string, most int64) ([]byte, error) {
	f, err := l.open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	err = errors.Join(err, f.Close())
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return data, err
}

// within reports whether path lies in dir. Links are followed as far as they lead
// somewhere.
func within(dir, path string) bool {
	resolve := func(p string) string {
		abs, err := filepath.Abs(p)
		if err != nil {
			return filepath.Clean(p)
		}
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			return real
		}
		if real, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
			return filepath.Join(real, filepath.Base(abs))
		}
		return abs
	}
	rel, err := filepath.Rel(resolve(dir), resolve(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
