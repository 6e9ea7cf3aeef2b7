package policy

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Size is a number of bytes, written as 512m, 2g, 1048576 or unlimited. The
// letters k, m, g and t are powers of 1024, as docker reads them.
type Size int64

// CPUs is thousandths of a CPU, written as 2, 0.5 or unlimited (0).
type CPUs int64

// Count is a number of things, or unlimited (0).
type Count int64

const (
	unlimited = "unlimited"
	noLimit   = -1 // how Swap and Core say unlimited, where 0 means none

	// A sum of two sizes (memory and swap) must still fit an int64.
	maxSize = Size(1) << 60
	// More CPUs than any kernel can be built for (NR_CPUS).
	maxCPUs = CPUs(8192 * 1000)
)

// String is the shortest exact way to write the size. -1 is "unlimited"; 0 is
// "0", also where it stands for no limit.
func (s Size) String() string {
	if s == noLimit {
		return unlimited
	}
	for _, u := range []struct {
		letter string
		shift  int
	}{{"t", 40}, {"g", 30}, {"m", 20}, {"k", 10}} {
		if s > 0 && s&(1<<u.shift-1) == 0 {
			return strconv.FormatInt(int64(s)>>u.shift, 10) + u.letter
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// String is the number of CPUs, as "2", "0.5" or "unlimited".
func (c CPUs) String() string {
	if c == 0 {
		return unlimited
	}
	if c%1000 == 0 {
		return strconv.FormatInt(int64(c/1000), 10)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%03d", c/1000, c%1000), "0")
}

// String is the number, or "unlimited".
func (c Count) String() string {
	if c == 0 {
		return unlimited
	}
	return strconv.FormatInt(int64(c), 10)
}

// The schema holds files to the same patterns as the decoder. A leading zero
// is refused everywhere: YAML reads 010 as eight, people as ten.
const (
	sizePattern = `^(0|[1-9][0-9]*)[kmgtKMGT]?$`
	cpusPattern = `^(0|[1-9][0-9]*)(\.[0-9]{1,3})?$`
	wholeNumber = `^(0|[1-9][0-9]*)$`
)

var (
	sizeRE  = regexp.MustCompile(sizePattern)
	cpusRE  = regexp.MustCompile(cpusPattern)
	wholeRE = regexp.MustCompile(wholeNumber)
)

// parseSize reads a size; the second value says what is wrong, or is "".
func parseSize(s string) (Size, string) {
	if strings.HasPrefix(s, "-") {
		return 0, "must not be negative"
	}
	if !sizeRE.MatchString(s) {
		return 0, "want a size as 512m, 2g, 1048576 or unlimited, found " + quoted(s)
	}
	digits := strings.TrimRight(s, "kmgtKMGT")
	shift := 0
	if letter := s[len(digits):]; letter != "" {
		shift = 10 * (strings.Index("kmgt", strings.ToLower(letter)) + 1)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > int64(maxSize)>>shift {
		return 0, "is larger than any machine, write unlimited"
	}
	return Size(n << shift), ""
}

// parseCPUs reads a number of CPUs, like parseSize.
func parseCPUs(s string) (CPUs, string) {
	if strings.HasPrefix(s, "-") {
		return 0, "must not be negative"
	}
	if !cpusRE.MatchString(s) {
		return 0, "want a number of CPUs as 2, 0.5 or unlimited, found " + quoted(s)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f > float64(maxCPUs)/1000 {
		return 0, "is more than any machine has, write unlimited"
	}
	return CPUs(math.Round(f * 1000)), ""
}

// parseWhole reads a number between low and high, like parseSize.
func parseWhole(s string, low, high int64) (int64, string) {
	if strings.HasPrefix(s, "-") {
		return 0, "must not be negative"
	}
	if !wholeRE.MatchString(s) {
		return 0, "want a whole number, found " + quoted(s)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < low || n > high {
		return 0, fmt.Sprintf("must be between %d and %d", low, high)
	}
	return n, ""
}
