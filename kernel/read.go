package kernel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
)

// maxFile bounds what we read of one file. The largest by far is mountinfo,
// about 200 bytes a mount.
const maxFile = 16 << 20

// namespaces is the entries of /proc/PID/ns we look at.
var namespaces = []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}

// read is Read over any file systems: proc is /proc, root is /.
func read(proc, root fs.FS, pid int) (*State, error) {
	if pid <= 0 {
		return nil, fmt.Errorf("kernel: pid %d: %w", pid, ErrGone)
	}
	dir := strconv.Itoa(pid)
	start, err := startTime(proc, dir)
	if err != nil {
		return nil, fmt.Errorf("kernel: pid %d: %w", pid, err)
	}
	s := &State{PID: pid, Start: start}
	if err := s.fill(proc, root, dir); err != nil {
		// What went wrong may be that the process ended meanwhile.
		if _, gone := startTime(proc, dir); gone != nil {
			err = gone
		}
		return nil, fmt.Errorf("kernel: pid %d: %w", pid, err)
	}
	// The number may have been given to another process while we read.
	again, err := startTime(proc, dir)
	if err != nil {
		return nil, fmt.Errorf("kernel: pid %d: %w", pid, err)
	}
	if again != start {
		return nil, fmt.Errorf("kernel: pid %d: number was given to another process: %w", pid, ErrGone)
	}
	return s, nil
}

func (s *State) fill(proc, root fs.FS, dir string) error {
	data, err := readFile(proc, dir+"/status")
	if err != nil {
		return err
	}
	if err := parseStatus(data, s); err != nil {
		return err
	}
	if err := s.translate(proc, dir); err != nil {
		return err
	}
	if data, err = readFile(proc, dir+"/mountinfo"); err != nil {
		return err
	}
	if s.Mounts, err = parseMountinfo(data); err != nil {
		return err
	}
	if len(s.Mounts) == 0 {
		return fmt.Errorf("mountinfo is empty: %w", ErrUnavailable)
	}
	if data, err = readFile(proc, dir+"/limits"); err != nil {
		return err
	}
	if s.Limits, err = parseLimits(data); err != nil {
		return err
	}
	if err := s.fillCgroup(proc, root, dir); err != nil {
		return err
	}
	s.LSM = label(proc, dir)
	if data, err := readFile(proc, dir+"/net/dev"); err == nil {
		s.Interfaces = parseInterfaces(data)
	}
	for _, name := range namespaces {
		if id, err := fs.ReadLink(proc, dir+"/ns/"+name); err == nil {
			if s.Namespaces == nil {
				s.Namespaces = map[string]string{}
			}
			s.Namespaces[name] = id
		}
	}
	return nil
}

func (s *State) fillCgroup(proc, root fs.FS, dir string) error {
	data, err := readFile(proc, dir+"/cgroup")
	if err != nil {
		return err
	}
	paths, err := parseCgroup(data)
	if err != nil {
		return err
	}
	if data, err = readFile(proc, "self/mountinfo"); err != nil {
		return err
	}
	ours, err := parseMountinfo(data)
	if err != nil {
		return err
	}
	version, dirs, where := cgroupDirs(paths, ours)
	s.Cgroup, _ = readCgroup(root, version, where, dirs)
	return nil
}

// refresh is Refresh over any file system.
func (s *State) refresh(root fs.FS) (*Cgroup, error) {
	if len(s.Cgroup.Dirs) == 0 {
		return nil, fmt.Errorf("kernel: pid %d: cgroup is not visible: %w", s.PID, ErrUnavailable)
	}
	cg, found := readCgroup(root, s.Cgroup.Version, s.Cgroup.Path, s.Cgroup.Dirs)
	if !found {
		return nil, fmt.Errorf("kernel: cgroup %s: %w", s.Cgroup.Path, ErrGone)
	}
	return &cg, nil
}

// label reads the security module's word. A host with several stacked keeps
// AppArmor's in a directory of its own.
func label(proc fs.FS, dir string) string {
	for _, name := range []string{"/attr/apparmor/current", "/attr/current"} {
		if data, err := readFile(proc, dir+name); err == nil {
			if l := strings.TrimRight(string(data), "\x00\n"); l != "" {
				return l
			}
		}
	}
	return ""
}

// startTime identifies the process behind a number. A zombie has no mounts and
// no limits any more: it counts as gone.
func startTime(proc fs.FS, dir string) (uint64, error) {
	data, err := readFile(proc, dir+"/stat")
	if err != nil {
		return 0, err
	}
	state, start, err := parseStat(data)
	if err != nil {
		return 0, err
	}
	if strings.IndexByte("ZXx", state) >= 0 {
		return 0, fmt.Errorf("process has ended: %w", ErrGone)
	}
	return start, nil
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, mapError(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, mapError(err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return data, nil
}

func mapError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		return fmt.Errorf("%w: %w", ErrGone, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
