package broker

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// Cgroup is where a process is in the trees of control groups: the exact path in each,
// by controllers as /proc/PID/cgroup lists them ("memory", "cpu,cpuacct",
// "name=systemd"), and "" for the unified tree of version 2. The paths are those of
// the host.
type Cgroup map[string]string

// Errors about the cgroup of a caller, or of a sandbox that is to be bound.
var (
	ErrCgroup = errors.New("the control group is no one's own")
	ErrPeer   = errors.New("the caller is not of this sandbox")
)

// parseCgroup reads /proc/PID/cgroup: lines of ID:CONTROLLERS:PATH.
func parseCgroup(text string) (Cgroup, error) {
	c := Cgroup{}
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		_, rest, ok := strings.Cut(line, ":")
		controllers, p, ok2 := strings.Cut(rest, ":")
		if _, twice := c[controllers]; !ok || !ok2 || twice || !strings.HasPrefix(p, "/") {
			return nil, fmt.Errorf("%w: cannot read the line %q", ErrCgroup, line)
		}
		c[controllers] = p
	}
	// Where the first version rules, the unified tree has no controllers, and some
	// runtimes leave their processes at its root.
	if len(c) > 1 {
		delete(c, "")
	}
	return c, nil
}

func cgroupOf(pid int) (Cgroup, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, err
	}
	return parseCgroup(string(b))
}

// at is the cgroup of one path in every tree that this machine has.
func at(p string) (Cgroup, error) {
	if !strings.HasPrefix(p, "/") || path.Clean(p) != p || p == "/" {
		return nil, fmt.Errorf("%w: %q: want the exact path, as /system.slice/docker-ID.scope", ErrCgroup, p)
	}
	own, err := cgroupOf(os.Getpid())
	if err != nil {
		return nil, err
	}
	c := Cgroup{}
	for controllers := range own {
		c[controllers] = p
	}
	return c, nil
}

// equal is exact: a path that begins or ends with another one, or has it inside, is
// somebody else's.
func (c Cgroup) equal(d Cgroup) bool { return len(c) > 0 && maps.Equal(c, d) }

// check refuses a cgroup that does not tell a sandbox from the rest of the machine.
func (c Cgroup) check() error {
	own, err := cgroupOf(os.Getpid())
	if err != nil {
		return err
	}
	if c.equal(own) {
		return fmt.Errorf("%w: it is the broker's own, and every process beside the broker would be the sandbox", ErrCgroup)
	}
	for _, p := range c {
		if p != "/" {
			return nil
		}
	}
	return fmt.Errorf("%w: it is the root, where every process is that has no container", ErrCgroup)
}

// String is one path where all are the same, as with Docker.
func (c Cgroup) String() string {
	paths := slices.Sorted(maps.Values(c))
	return strings.Join(slices.Compact(paths), " ")
}
