package probe

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// secretsCanary looks for the planted variable in every environment that can be
// read, and for the planted file in every mount: whatever directory above it is
// mounted wherever, one of the ends of its path leads to it.
func secretsCanary(s *session, r *recorder) {
	c := s.plan.Params.Canary
	if c == nil || c.Variable == "" {
		r.fail("nothing was planted")
		return
	}
	own := []byte(strings.Join(os.Environ(), "\x00"))
	r.try("find the variable in", "this process", holds(own, c.Variable))
	// What is looked for in the control is the value of a variable that is there.
	for _, kv := range os.Environ() {
		if name, value, _ := strings.Cut(kv, "="); value != "" {
			r.control("find a variable in", "this process: "+name, holds(own, value))
			break
		}
	}
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	scanned := 1
	for _, f := range files {
		if data, err := os.ReadFile(f); err == nil {
			scanned++
			if holds(data, c.Variable) == nil {
				r.try("find the variable in", "pid "+filepath.Base(filepath.Dir(f)), nil)
			}
		}
	}
	r.fact("processes", scanned)
	if c.File == "" {
		return
	}
	mounts, err := readMounts()
	if err != nil {
		r.fail("the mounts cannot be listed: %v", err)
		return
	}
	for _, m := range mounts {
		switch {
		case within(m.target, "/proc"), within(m.target, "/sys"), within(m.target, "/dev"):
		case within(m.target, guestDir):
			// The file was copied to a home of ours, to be found.
			_, err := below(c, controlHome)
			r.control("find the file in", controlHome, err)
		default:
			path, err := below(c, m.target)
			a := r.try("find the file in", m.target, err)
			if a.OK {
				a.Note = "at " + clip(path)
			}
		}
	}
}

// holds is nil where a value is in some data.
func holds(data []byte, value string) error {
	if bytes.Contains(data, []byte(value)) {
		return nil
	}
	return unix.ENOENT
}

// below looks for the file at every end of its path below a directory.
func below(c *Canary, dir string) (path string, err error) {
	err = unix.ENOENT
	for _, full := range c.Paths {
		parts := strings.Split(strings.Trim(full, "/"), "/")
		for i := len(parts) - 1; i >= 0; i-- {
			path = filepath.Join(append([]string{dir}, parts[i:]...)...)
			switch e := isCanary(c, path); {
			case e == nil:
				return path, nil
			case errors.Is(e, os.ErrPermission):
				err = unix.EACCES // it may be there, out of reach
			}
		}
	}
	return path, err
}

// isCanary is nil for a file that has the canary's content.
func isCanary(c *Canary, path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return unix.ENOENT
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return err
	}
	return holds(data, c.File)
}
