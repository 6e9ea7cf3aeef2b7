package secret

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// A journal is the file that will replace a token file. It is made before the
// refresh token is spent, and named after that token: whoever finds one that is
// whole, and named after the token in the token file, knows that this token was
// spent and what was given for it.
type journal struct {
	f    *os.File
	path string // of the token file
	done bool
}

// room is how much longer a token file may get.
const room = 4 * MaxSize

func journalName(path string, sum [sha256.Size]byte) string {
	return fmt.Sprintf("%s.tightship-%x", path, sum[:8])
}

// newJournal makes the file, with the mode and owner of the token file, and room
// for it on the disk. Those that others left, for tokens of the past, go.
func newJournal(path string, sum [sha256.Size]byte, size int) (*journal, error) {
	left, err := filepath.Glob(escapeGlob(path) + ".tightship-*")
	if err != nil {
		return nil, err
	}
	for _, name := range left {
		os.Remove(name)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(journalName(path, sum), os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{f: f, path: path}
	// NUL bytes are not JSON anywhere: whatever part of the tokens reaches the disk
	// before a crash, only the whole of them is taken for it.
	if _, err = f.Write(make([]byte, size+room)); err == nil {
		err = alike(f, info)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(path)
	}
	if err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

// commit puts data in place of the token file. If it fails after data is on the
// disk, the next one to look puts it in place.
func (j *journal) commit(data []byte, at func(step string)) error {
	_, err := j.f.WriteAt(data, 0)
	if err == nil {
		at("written")
		err = j.f.Truncate(int64(len(data)))
	}
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		return err
	}
	j.done = true
	at("synced")
	if err := os.Rename(j.f.Name(), j.path); err != nil {
		return err
	}
	at("renamed")
	return syncDir(j.path)
}

// close removes the journal if there is nothing in it.
func (j *journal) close() {
	j.f.Close()
	if !j.done {
		os.Remove(j.f.Name())
	}
}

// readAdopted reads a token file after putting in place what a process that was
// killed had ready for it.
func readAdopted(path string) (*login, []byte, error) {
	l, data, err := readLogin(path)
	if err != nil || l.refreshToken == nil {
		return l, data, err
	}
	ready := journalName(path, l.refreshSum())
	if err := adopt(ready, path); errors.Is(err, fs.ErrNotExist) {
		return l, data, nil
	} else if err != nil {
		l.close()
		clear(data)
		return nil, nil, err
	}
	l.close()
	clear(data)
	return readLogin(path)
}

// adopt puts a journal in place if it is whole, and else removes it.
func adopt(ready, path string) error {
	f, err := os.OpenFile(ready, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	data := make([]byte, maxTokenFile+room)
	defer clear(data)
	n, _ := f.ReadAt(data, 0)
	whole := bytes.TrimRight(data[:n], "\x00")
	l, err := parseLogin(whole)
	if err != nil || l.accessToken == nil || l.refreshToken == nil {
		if l != nil {
			l.close()
		}
		if err := os.Remove(ready); err != nil {
			return err
		}
		return fs.ErrNotExist
	}
	l.close()
	if err := f.Truncate(int64(len(whole))); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(ready, path); err != nil {
		return err
	}
	return syncDir(path)
}

// alike gives f the mode and the owner that info has.
func alike(f *os.File, info fs.FileInfo) error {
	if err := f.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	own, err := f.Stat()
	if err != nil {
		return err
	}
	want, ok := info.Sys().(*syscall.Stat_t)
	have, ok2 := own.Sys().(*syscall.Stat_t)
	if ok && ok2 && (want.Uid != have.Uid || want.Gid != have.Gid) {
		return f.Chown(int(want.Uid), int(want.Gid))
	}
	return nil
}

// syncDir makes the names in a file's directory last.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func escapeGlob(path string) string {
	var b bytes.Buffer
	for i := range len(path) {
		if c := path[i]; c == '*' || c == '?' || c == '[' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(path[i])
	}
	return b.String()
}
