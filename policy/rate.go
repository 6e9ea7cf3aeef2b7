package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	ratePattern = `^[1-9][0-9]*/(s|min|h)$`
	maxRate     = 1_000_000_000
)

var (
	rateRE    = regexp.MustCompile(ratePattern)
	rateUnits = map[string]time.Duration{"s": time.Second, "min": time.Minute, "h": time.Hour}
)

// String is the rate as the file has it.
func (r Rate) String() string {
	for unit, per := range rateUnits {
		if r.Requests > 0 && r.Per == per {
			return fmt.Sprintf("%d/%s", r.Requests, unit)
		}
	}
	return unlimited
}

// parseRate reads a rate that is not unlimited, like parseSize.
func parseRate(s string) (Rate, string) {
	if !rateRE.MatchString(s) {
		return Rate{}, "want a rate as 10/s, 100/min, 1000/h or unlimited, found " + quoted(s)
	}
	digits, unit, _ := strings.Cut(s, "/")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > maxRate {
		return Rate{}, "is more than any server answers, write unlimited"
	}
	return Rate{Requests: n, Per: rateUnits[unit]}, ""
}
