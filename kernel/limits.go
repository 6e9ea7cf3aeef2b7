package kernel

import (
	"fmt"
	"strconv"
	"strings"
)

// limitNames translates the first column of /proc/PID/limits.
var limitNames = map[string]string{
	"Max cpu time":          "cpu",
	"Max file size":         "fsize",
	"Max data size":         "data",
	"Max stack size":        "stack",
	"Max core file size":    "core",
	"Max resident set":      "rss",
	"Max processes":         "nproc",
	"Max open files":        "nofile",
	"Max locked memory":     "memlock",
	"Max address space":     "as",
	"Max file locks":        "locks",
	"Max pending signals":   "sigpending",
	"Max msgqueue size":     "msgqueue",
	"Max nice priority":     "nice",
	"Max realtime priority": "rtprio",
	"Max realtime timeout":  "rttime",
}

// parseLimits reads /proc/PID/limits: a name of several words in 26 columns,
// then soft, hard and sometimes a unit. Lines with a name we do not know are
// passed over, so that a newer kernel's file can still be read; a limit that is
// missing is an error, because a missing key of the map would read as 0.
func parseLimits(data []byte) (map[string]Rlimit, error) {
	const nameWidth = 26
	limits := map[string]Rlimit{}
	for line := range strings.Lines(string(data)) {
		if len(line) < nameWidth {
			continue
		}
		name, ok := limitNames[strings.TrimRight(line[:nameWidth], " ")]
		if !ok {
			continue
		}
		words := strings.Fields(line[nameWidth:])
		if len(words) < 2 {
			return nil, fmt.Errorf("limits: %s has no two values", name)
		}
		soft, err := limitValue(words[0])
		if err != nil {
			return nil, fmt.Errorf("limits: %s: %w", name, err)
		}
		hard, err := limitValue(words[1])
		if err != nil {
			return nil, fmt.Errorf("limits: %s: %w", name, err)
		}
		limits[name] = Rlimit{Soft: soft, Hard: hard}
	}
	for _, name := range limitNames {
		if _, ok := limits[name]; !ok {
			return nil, fmt.Errorf("limits: %s is missing", name)
		}
	}
	return limits, nil
}

func limitValue(word string) (int64, error) {
	if word == "unlimited" {
		return NoLimit, nil
	}
	v, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		return 0, err
	}
	if v > 1<<63-1 {
		return NoLimit, nil
	}
	return int64(v), nil
}
