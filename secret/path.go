package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// place makes an absolute path of one in a reference.
func (o Options) place(path string) (string, error) {
	if path == "~" || strings.HasPrefix(path, "~/") {
		home := o.lookup("HOME")
		if home == "" {
			return "", fmt.Errorf("%w: ~ stands for the home directory, and HOME is not set", ErrReference)
		}
		path = filepath.Join(home, strings.TrimPrefix(path, "~"))
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(o.BaseDir, path)
	}
	return filepath.Abs(path)
}

// open opens a regular file to be read. A pipe or a device would make the broker
// wait for somebody else, so it is opened without waiting and then refused.
func open(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: %s does not exist", ErrMissing, path)
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s is not a regular file", ErrMissing, path)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// openPrivate opens a file that nobody else can read or change. It may be the
// group's to read where somebody else owns it: that is how an administrator gives
// a file to the broker's user.
func openPrivate(path string) (*os.File, fs.FileInfo, error) {
	f, info, err := open(path)
	if err != nil {
		return nil, nil, err
	}
	if err := private(path, info, os.Geteuid()); err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

func private(path string, info fs.FileInfo, uid int) error {
	denied := fs.FileMode(0o077)
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != uid {
		denied = 0o037
	}
	if mode := info.Mode().Perm(); mode&denied != 0 {
		return fmt.Errorf("%s: %w (mode %04o): chmod %04o %s", path, ErrPermissions, mode, mode&^(denied|0o111), path)
	}
	return nil
}

// stampOf changes when the file at path does: is written, or replaced by another.
// A missing file has a stamp too.
func stampOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "-"
	}
	inode := uint64(0)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	return fmt.Sprint(inode, info.Size(), info.ModTime().UnixNano(), info.Mode())
}
