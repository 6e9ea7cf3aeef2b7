package kernel

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// parseStatus reads /proc/PID/status (proc_pid_status(5)) into s. The kernel
// escapes newlines in the process's name, so that a container cannot add lines.
func parseStatus(data []byte, s *State) error {
	fields := map[string]string{}
	for line := range strings.Lines(string(data)) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if !ok {
			continue
		}
		if _, twice := fields[key]; twice {
			return fmt.Errorf("status: %.40q appears twice", key)
		}
		fields[key] = strings.TrimSpace(value)
	}

	for key, ids := range map[string]*[4]int64{"Uid": &s.UIDs, "Gid": &s.GIDs} {
		words := strings.Fields(fields[key])
		if len(words) != len(ids) {
			return fmt.Errorf("status: %s has %d numbers, not 4", key, len(words))
		}
		for i, w := range words {
			id, err := strconv.ParseUint(w, 10, 32)
			if err != nil {
				return fmt.Errorf("status: %s: %w", key, err)
			}
			ids[i] = int64(id)
		}
	}

	groups, ok := fields["Groups"]
	if !ok {
		return fmt.Errorf("status: no Groups")
	}
	s.Groups = nil
	for w := range strings.FieldsSeq(groups) {
		id, err := strconv.ParseUint(w, 10, 32)
		if err != nil {
			return fmt.Errorf("status: Groups: %w", err)
		}
		s.Groups = append(s.Groups, int64(id))
	}

	// A missing set is an error, not zero: zero is the tightest value there is.
	for key, set := range map[string]*uint64{
		"CapInh": &s.Caps.Inheritable,
		"CapPrm": &s.Caps.Permitted,
		"CapEff": &s.Caps.Effective,
		"CapBnd": &s.Caps.Bounding,
		"CapAmb": &s.Caps.Ambient,
	} {
		mask, err := strconv.ParseUint(fields[key], 16, 64)
		if err != nil {
			return fmt.Errorf("status: %s: %w", key, err)
		}
		*set = mask
	}

	s.NoNewPrivs = nil
	if v, ok := fields["NoNewPrivs"]; ok {
		on, err := flag(v)
		if err != nil {
			return fmt.Errorf("status: NoNewPrivs: %w", err)
		}
		s.NoNewPrivs = &on
	}

	s.Seccomp = -1
	if v, ok := fields["Seccomp"]; ok {
		mode, err := strconv.ParseUint(v, 10, 8)
		if err != nil {
			return fmt.Errorf("status: Seccomp: %w", err)
		}
		s.Seccomp = int(mode)
	}
	return nil
}

func flag(v string) (bool, error) {
	switch v {
	case "0":
		return false, nil
	case "1":
		return true, nil
	}
	return false, fmt.Errorf("%.40q is neither 0 nor 1", v)
}

// parseStat takes the state letter and the start time from /proc/PID/stat. The
// process's name stands in parentheses and may hold any byte, parentheses too;
// everything after the last one is the kernel's.
func parseStat(data []byte) (state byte, start uint64, err error) {
	end := bytes.LastIndexByte(data, ')')
	if end < 0 {
		return 0, 0, fmt.Errorf("stat: no name")
	}
	words := strings.Fields(string(data[end+1:])) // from field 3 on
	const startField = 22 - 3
	if len(words) <= startField || len(words[0]) != 1 {
		return 0, 0, fmt.Errorf("stat: too short")
	}
	start, err = strconv.ParseUint(words[startField], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("stat: start time: %w", err)
	}
	return words[0][0], start, nil
}

// parseInterfaces reads the names in /proc/PID/net/dev (proc_pid_net(5)): two
// lines of headings, then "name: counters".
func parseInterfaces(data []byte) []string {
	var names []string
	for line := range strings.Lines(string(data)) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}
