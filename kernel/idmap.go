package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Unmapped is an ID that a user namespace has no name for.
const Unmapped int64 = -1

// idMap is /proc/PID/uid_map or gid_map: which IDs of ours the IDs in a user
// namespace are (user_namespaces(7)). Both the map and the IDs in
// /proc/PID/status are told in the reader's terms.
type idMap []idRange

type idRange struct{ inside, outside, count int64 }

func parseIDMap(data []byte) (idMap, error) {
	var m idMap
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		var n [3]int64
		if len(words) != len(n) {
			return nil, fmt.Errorf("ID map: %.40q is not three numbers", line)
		}
		for i, w := range words {
			v, err := strconv.ParseUint(w, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("ID map: %w", err)
			}
			n[i] = int64(v)
		}
		m = append(m, idRange{n[0], n[1], n[2]})
	}
	return m, nil
}

// inside is what an ID of ours is called in the namespace.
func (m idMap) inside(id int64) int64 {
	for _, r := range m {
		if id >= r.outside && id-r.outside < r.count {
			return r.inside + id - r.outside
		}
	}
	return Unmapped
}

// translate turns the IDs of the process into those that its own user namespace
// has for them, which is what an engine was asked for.
func (s *State) translate(proc fs.FS, dir string) error {
	for name, ids := range map[string][][]int64{"uid_map": {s.UIDs[:]}, "gid_map": {s.GIDs[:], s.Groups}} {
		data, err := readFile(proc, dir+"/"+name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without user namespaces
		}
		if err != nil {
			return err
		}
		m, err := parseIDMap(data)
		if err != nil {
			return err
		}
		for _, list := range ids {
			for i, id := range list {
				list[i] = m.inside(id)
			}
		}
	}
	return nil
}
