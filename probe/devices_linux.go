package probe

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Devices are never opened unless they are known by number to do nothing on it:
// a watchdog starts on being opened, a tape rewinds. The kernel asks the device
// cgroup for access(2) as it does for open(2).

// nodesMost bounds the nodes that one observation lists.
const nodesMost = 512

// devList finds every device node in /dev and asks whether it may be used.
func devList(s *session, r *recorder) {
	n := 0
	err := filepath.WalkDir("/dev", func(path string, d fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err != nil || d.Type()&fs.ModeDevice == 0 || unix.Lstat(path, &st) != nil {
			return nil // what may not be listed or is gone again
		}
		if n++; n > nodesMost {
			r.fact("truncated", "true")
			return fs.SkipAll
		}
		r.try("use a node", path, usable(path)).Note = number(&st)
		return nil
	})
	if err != nil {
		r.fail("cannot look through /dev: %v", err)
		return
	}
	fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	r.control("open", "/dev/null", err)
}

// usable asks for reading and for writing; either is enough.
func usable(path string) error {
	err := asked(path, unix.R_OK)
	if err != nil && asked(path, unix.W_OK) == nil {
		return nil
	}
	return err
}

// asked is access(2) as the kernel answers it. The flag that access asks for has
// a system call of its own, and where that says EPERM, as the device cgroup
// does, the library takes it for missing and says yes to root. A guest's real
// and effective users are the same.
func asked(path string, mode uint32) error {
	return unix.Faccessat(unix.AT_FDCWD, path, mode, 0)
}

func number(st *unix.Stat_t) string {
	return device{st.Mode & unix.S_IFMT, unix.Major(st.Rdev), unix.Minor(st.Rdev)}.String()
}

type device struct {
	kind         uint32
	major, minor uint32
}

// String is its kind and number as in the device cgroup's files.
func (d device) String() string {
	kind := "c"
	if d.kind == unix.S_IFBLK {
		kind = "b"
	}
	return fmt.Sprintf("%s %d:%d", kind, d.major, d.minor)
}

// devMake makes a node of the first loop device, and where that is possible, in
// the isolating twin, a node of every device that this kernel knows: what then
// refuses its use is the device cgroup alone.
func devMake(s *session, r *recorder) {
	dir, err := s.scratch()
	if err != nil {
		r.fail("%v", err)
		return
	}
	name := s.unique(dir, "device")
	node := func(d device, use func(string) error) (made, used error) {
		if made = unix.Mknod(name, d.kind|0o600, int(unix.Mkdev(d.major, d.minor))); made != nil {
			return made, made
		}
		defer unix.Unlink(name)
		return nil, use(name)
	}
	null := device{unix.S_IFCHR, 1, 3}
	_, gvisor := ownKernel()
	disk, _ := node(device{unix.S_IFBLK, 7, 0}, usable)
	r.try("mknod", "b 7:0", disk)
	r.control("create", dir, createIn(dir, true))
	made, used := node(null, usable)
	if made != nil {
		return
	}
	r.control("use a node", null.String(), used)
	if gvisor {
		// It has no device cgroup, and few devices: opening is what tells. These are
		// known to do nothing on it.
		for _, d := range hostDevices {
			dev := device{d.kind, d.major, d.minor}
			_, err := node(dev, func(path string) error {
				fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
				if err != nil {
					return err
				}
				return unix.Close(fd)
			})
			r.try("open a node", dev.String(), err)
		}
		return
	}
	for _, d := range knownDevices() {
		_, err := node(d, usable)
		r.try("use a node", d.String(), err)
	}
}

// knownDevices is what the kernel says it has drivers for, and the memory devices.
func knownDevices() []device {
	all := []device{{unix.S_IFCHR, 1, 1}, {unix.S_IFCHR, 1, 2}, {unix.S_IFCHR, 1, 4}, {unix.S_IFCHR, 1, 11}, {unix.S_IFBLK, 7, 0}}
	kind := uint32(0)
	for _, fields := range lines("/proc/devices") {
		switch {
		case fields[0] == "Character":
			kind = unix.S_IFCHR
		case fields[0] == "Block":
			kind = unix.S_IFBLK
		default:
			if major, err := strconv.ParseUint(fields[0], 10, 20); err == nil {
				all = append(all, device{kind, uint32(major), 0})
			}
		}
	}
	for _, fields := range lines("/proc/misc") {
		if minor, err := strconv.ParseUint(fields[0], 10, 20); err == nil {
			all = append(all, device{unix.S_IFCHR, 10, uint32(minor)})
		}
	}
	for _, fields := range lines("/proc/partitions") {
		if len(fields) < 2 {
			continue
		}
		major, err := strconv.ParseUint(fields[0], 10, 20)
		minor, merr := strconv.ParseUint(fields[1], 10, 20)
		if err == nil && merr == nil {
			all = append(all, device{unix.S_IFBLK, uint32(major), uint32(minor)})
		}
	}
	return all[:min(len(all), nodesMost)]
}

// lines is the fields of each line that has some.
func lines(path string) [][]string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var out [][]string
	for scan := bufio.NewScanner(f); scan.Scan(); {
		if fields := strings.Fields(scan.Text()); len(fields) > 0 {
			out = append(out, fields)
		}
	}
	return out
}
