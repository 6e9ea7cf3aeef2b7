package kernel

import "os"

// Read returns the kernel's account of a process on this host. The number is
// one in our own PID namespace. It fails with ErrGone when the process ended
// before we were done, and with ErrUnavailable when we may not look.
func Read(pid int) (*State, error) {
	return read(os.DirFS("/proc"), os.DirFS("/"), pid)
}

// Refresh reads the cgroup's limits and counters again. It needs the cgroup,
// not the process: it works as long as the container has any process left, and
// fails with ErrGone once the engine has removed the cgroup.
func (s *State) Refresh() (*Cgroup, error) {
	return s.refresh(os.DirFS("/"))
}

// Members reads the other processes in the container's cgroup, at most so many;
// more says that there are others.
func (s *State) Members(most int) (all []*State, more bool, err error) {
	return s.members(os.DirFS("/proc"), os.DirFS("/"), most)
}
