package kernel

import (
	"io/fs"
	"strconv"
	"strings"
)

// v1NoLimit is the least value with which cgroup v1 says "no limit": the
// largest long, rounded down to a page of up to 64 KiB.
const v1NoLimit = 0x7fffffffffff0000

// parseLimit reads a file that holds one limit: a number, or max, or v1's -1.
func parseLimit(data []byte) int64 {
	word := strings.TrimSpace(string(data))
	if word == "max" || word == "-1" {
		return NoLimit
	}
	v, err := strconv.ParseUint(word, 10, 64)
	switch {
	case err != nil:
		return NotKnown
	case v >= v1NoLimit:
		return NoLimit
	}
	return int64(v)
}

// parseCPUMax reads cgroup v2's cpu.max: quota or max, then the period.
func parseCPUMax(data []byte) (quota, period int64) {
	words := strings.Fields(string(data))
	if len(words) != 2 {
		return NotKnown, NotKnown
	}
	return parseLimit([]byte(words[0])), parseCount([]byte(words[1]))
}

// parseCount reads a number that knows no limit.
func parseCount(data []byte) int64 {
	v, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || v < 0 {
		return NotKnown
	}
	return v
}

// parseKeyed takes one key's number from a file of "key number" lines.
func parseKeyed(data []byte, key string) int64 {
	for line := range strings.Lines(string(data)) {
		k, v, _ := strings.Cut(line, " ")
		if k == key {
			return parseCount([]byte(v))
		}
	}
	return NotKnown
}

// readCgroup reads limits and counters from the directories in dirs, below
// root. found says whether at least one directory is still there.
func readCgroup(root fs.FS, version int, where string, dirs map[string][]string) (cg Cgroup, found bool) {
	cg = Cgroup{
		Version: version, Path: where, Dirs: dirs,
		Memory: NotKnown, Swap: NotKnown, PIDs: NotKnown, CPUQuota: NotKnown, CPUPeriod: NotKnown,
		OOMKills: NotKnown, PIDsMax: NotKnown, CPUThrottled: NotKnown,
	}
	swap := NotKnown // v2's, without memory
	for controller, levels := range dirs {
		for _, dir := range levels {
			dir = strings.TrimPrefix(dir, "/")
			if _, err := fs.Stat(root, dir); err != nil {
				continue
			}
			found = true
			file := func(name string) []byte {
				data, err := readFile(root, dir+"/"+name)
				if err != nil {
					return nil // parses as NotKnown
				}
				return data
			}
			switch controller {
			case "memory":
				if version == 1 {
					tighten(&cg.Memory, parseLimit(file("memory.limit_in_bytes")))
					tighten(&cg.Swap, parseLimit(file("memory.memsw.limit_in_bytes")))
					cg.OOMKills = max(cg.OOMKills, parseKeyed(file("memory.oom_control"), "oom_kill"))
				} else {
					tighten(&cg.Memory, parseLimit(file("memory.max")))
					tighten(&swap, parseLimit(file("memory.swap.max")))
					cg.OOMKills = max(cg.OOMKills, parseKeyed(file("memory.events"), "oom_kill"))
				}
			case "pids":
				tighten(&cg.PIDs, parseLimit(file("pids.max")))
				cg.PIDsMax = max(cg.PIDsMax, parseKeyed(file("pids.events"), "max"))
			case "cpu":
				quota, period := parseLimit(file("cpu.cfs_quota_us")), parseCount(file("cpu.cfs_period_us"))
				if quota == NotKnown {
					quota, period = parseCPUMax(file("cpu.max"))
				}
				if tighterCPU(quota, period, cg.CPUQuota, cg.CPUPeriod) {
					cg.CPUQuota, cg.CPUPeriod = quota, period
				}
				cg.CPUThrottled = max(cg.CPUThrottled, parseKeyed(file("cpu.stat"), "nr_throttled"))
			}
		}
	}
	if version == 2 {
		cg.Swap = addLimits(cg.Memory, swap)
	}
	return cg, found
}

// tighten moves limit to v where v binds harder. A number binds harder than no
// limit, and no limit is still more than not knowing.
func tighten(limit *int64, v int64) {
	switch {
	case *limit == NotKnown:
		*limit = v
	case v >= 0 && (*limit < 0 || v < *limit):
		*limit = v
	}
}

func tighterCPU(quota, period, oldQuota, oldPeriod int64) bool {
	switch {
	case oldQuota == NotKnown:
		return true
	case quota < 0 || period <= 0:
		return false
	case oldQuota < 0:
		return true
	}
	return float64(quota)/float64(period) < float64(oldQuota)/float64(oldPeriod)
}

func addLimits(a, b int64) int64 {
	switch {
	case a == NotKnown || b == NotKnown:
		return NotKnown
	case a == NoLimit || b == NoLimit || a+b < 0:
		return NoLimit
	}
	return a + b
}
