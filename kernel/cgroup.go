package kernel

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// controllers is what we read, in the order in which Cgroup.Path is chosen.
var controllers = []string{"memory", "pids", "cpu"}

// parseCgroup reads /proc/PID/cgroup (cgroups(7)), hierarchy:controllers:path
// per line, into the path of each v1 controller; cgroup v2 has the key "".
func parseCgroup(data []byte) (map[string]string, error) {
	paths := map[string]string{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 || !strings.HasPrefix(f[2], "/") {
			return nil, fmt.Errorf("cgroup: %.200q is not hierarchy:controllers:path", line)
		}
		if f[0] == "0" && f[1] == "" {
			paths[""] = f[2]
			continue
		}
		for c := range strings.SplitSeq(f[1], ",") {
			if c != "" && !strings.HasPrefix(c, "name=") {
				paths[c] = f[2]
			}
		}
	}
	return paths, nil
}

// containerName is a path element that names a container: every engine puts
// the 64 digits of its ID there, bare or as in docker-ID.scope.
var containerName = regexp.MustCompile(`[0-9a-f]{64}`)

// cgroupDirs finds the directory of each controller on this host: paths are the
// container's, mounts our own. The directories go from the process's own cgroup
// up to the one that carries the container's ID, because some runtimes put the
// process into a child of the cgroup that has the limits.
//
// A cgroup mount may show only part of a hierarchy: its root field says which.
// What lies outside is not visible to us and has no entry.
func cgroupDirs(paths map[string]string, mounts []Mount) (version int, dirs map[string][]string, where string) {
	dirs = map[string][]string{}
	for _, c := range controllers {
		p, v1 := paths[c]
		if !v1 {
			var ok bool
			if p, ok = paths[""]; !ok {
				continue
			}
		}
		for _, m := range mounts {
			if v1 && (m.FSType != "cgroup" || !slices.Contains(m.SuperOptions, c)) || !v1 && m.FSType != "cgroup2" {
				continue
			}
			levels, ok := visible(p, m)
			if !ok {
				continue
			}
			dirs[c] = levels
			break
		}
		if where == "" {
			where = p
			version = 2
			if v1 {
				version = 1
			}
		}
	}
	return version, dirs, where
}

// visible translates a cgroup's path into directories below a mount.
func visible(cgroup string, m Mount) ([]string, bool) {
	root := strings.TrimSuffix(m.Root, "/")
	rest, ok := strings.CutPrefix(cgroup, root)
	if !ok || rest != "" && rest[0] != '/' {
		return nil, false
	}
	// "/.." leads out of our cgroup namespace; path.Join would quietly drop it.
	if slices.Contains(strings.Split(rest, "/"), "..") {
		return nil, false
	}
	var levels []string
	for p := path.Clean("/" + rest); ; p = path.Dir(p) {
		levels = append(levels, path.Join(m.Target, p))
		if containerName.MatchString(path.Base(p)) {
			return levels, true
		}
		if p == "/" {
			return levels[:1], true
		}
	}
}
