package kernel

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// members is Members over any file systems. Of a cgroup's directories the last
// is the container's own; what lies in cgroups below that is not listed.
func (s *State) members(proc, root fs.FS, most int) (all []*State, more bool, err error) {
	var dirs []string
	for _, c := range controllers {
		if dirs = s.Cgroup.Dirs[c]; len(dirs) > 0 {
			break
		}
	}
	if len(dirs) == 0 {
		return nil, false, fmt.Errorf("kernel: pid %d: cgroup is not visible: %w", s.PID, ErrUnavailable)
	}
	seen := map[int]bool{s.PID: true}
	for _, dir := range dirs {
		data, err := readFile(root, strings.TrimPrefix(dir, "/")+"/cgroup.procs")
		if err != nil {
			return nil, false, fmt.Errorf("kernel: pid %d: %w", s.PID, err)
		}
		for line := range strings.Lines(string(data)) {
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil || seen[pid] {
				continue // 0 is a process of another PID namespace
			}
			if seen[pid] = true; len(all) == most {
				return all, true, nil
			}
			// One that has ended meanwhile has no privileges left.
			if member, err := read(proc, root, pid); err == nil {
				all = append(all, member)
			}
		}
	}
	return all, false, nil
}
