package kernel

// ParseMountinfo reads the text of /proc/PID/mountinfo, in mount order
// (proc_pid_mountinfo(5)).
func ParseMountinfo(data []byte) ([]Mount, error) { return parseMountinfo(data) }

// ParseCgroup reads the text of /proc/PID/cgroup into the path of each v1
// controller; the path in cgroup v2 has the key "" (cgroups(7)).
func ParseCgroup(data []byte) (map[string]string, error) { return parseCgroup(data) }
