package kernel

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// parseMountinfo reads /proc/PID/mountinfo (proc_pid_mountinfo(5)):
//
//	36 35 98:0 /root /target rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//
// Between the options and the dash stands any number of optional fields. Fields
// are separated by exactly one space, and a source may be empty.
func parseMountinfo(data []byte) ([]Mount, error) {
	var mounts []Mount
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		m, err := parseMount(line)
		if err != nil {
			return nil, fmt.Errorf("mountinfo: %w in %.200q", err, line)
		}
		mounts = append(mounts, m)
	}
	return mounts, nil
}

func parseMount(line string) (Mount, error) {
	f := strings.Split(line, " ")
	const optional = 6
	dash := -1
	if len(f) > optional {
		dash = slices.Index(f[optional:], "-")
	}
	if dash < 0 {
		return Mount{}, fmt.Errorf("no separator")
	}
	tail := f[optional+dash+1:]
	if len(tail) < 3 {
		return Mount{}, fmt.Errorf("%d fields after the separator, not 3", len(tail))
	}
	id, err := strconv.Atoi(f[0])
	if err != nil {
		return Mount{}, err
	}
	parent, err := strconv.Atoi(f[1])
	if err != nil {
		return Mount{}, err
	}
	if !strings.HasPrefix(f[4], "/") {
		return Mount{}, fmt.Errorf("mount point is not absolute")
	}
	return Mount{
		ID:           id,
		Parent:       parent,
		Device:       f[2],
		Root:         unescape(f[3]),
		Target:       unescape(f[4]),
		Options:      strings.Split(f[5], ","),
		FSType:       unescape(tail[0]),
		Source:       unescape(tail[1]),
		SuperOptions: splitOptions(tail[2]),
		Propagation:  append([]string(nil), f[optional:optional+dash]...),
	}, nil
}

func splitOptions(s string) []string {
	options := strings.Split(s, ",")
	for i, o := range options {
		options[i] = unescape(o)
	}
	return options
}

// unescape undoes the kernel's \ooo for space, tab, newline and backslash.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// MountAt returns the mount that a process of the container meets at a mount
// point. Of several mounted over one another the topmost wins, and a mount that
// a later one on a parent directory hides does not count.
func (s *State) MountAt(target string) (Mount, bool) {
	target = path.Clean(target)
	at := s.rootMount()
	if at < 0 {
		return Mount{}, false
	}
	// Walk down from the root as the kernel resolves the path: from each mount
	// to its child that lies first on the way. Each mount is met once at most,
	// which also ends the walk in a table that makes no sense.
	for range s.Mounts {
		next := -1
		for i, m := range s.Mounts {
			if i == at || m.Parent != s.Mounts[at].ID || !under(target, m.Target) || !under(m.Target, s.Mounts[at].Target) {
				continue
			}
			if next < 0 || len(m.Target) <= len(s.Mounts[next].Target) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		at = next
	}
	return s.Mounts[at], s.Mounts[at].Target == target
}

// rootMount is the first mount at "/", whose parent lies outside the table.
func (s *State) rootMount() int {
	for i, m := range s.Mounts {
		inside := func(p Mount) bool { return p.ID == m.Parent && p.ID != m.ID }
		if m.Target == "/" && !slices.ContainsFunc(s.Mounts, inside) {
			return i
		}
	}
	return -1
}

// under reports whether p is dir or lies below it.
func under(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/")
}

// perMount is the flags that the kernel keeps for each mount (mount_setattr(2)).
var perMount = []string{"nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "nosymfollow"}

// Has reports whether an option is in force. "ro" holds if either the mount or
// its file system is read-only, "rw" if neither is; nosuid, nodev and noexec
// are read from the mount alone, where the kernel keeps them.
func (m Mount) Has(option string) bool {
	switch {
	case option == "rw":
		return !m.Has("ro") && slices.Contains(m.Options, "rw")
	case slices.Contains(perMount, option):
		return slices.Contains(m.Options, option)
	}
	return slices.Contains(m.Options, option) || slices.Contains(m.SuperOptions, option)
}
