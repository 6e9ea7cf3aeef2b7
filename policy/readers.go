package policy

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// text reads a text that keeps the rule into dst.
func (d *decoder) text(dst *string, ok rule) reader {
	return func(n *yaml.Node, at string) {
		if s, good := d.word(n, at, ok); good {
			*dst = s
		}
	}
}

// words reads a list of texts into dst. With distinct, one that repeats is an
// error: it is a slip of the pen in a set, but not in a command's arguments.
func (d *decoder) words(dst *[]string, distinct bool, ok rule) reader {
	return func(n *yaml.Node, at string) {
		list, seen := []string{}, map[string]bool{}
		d.items(n, at, func(n *yaml.Node, at string) {
			s, good := d.word(n, at, ok)
			switch {
			case !good:
			case distinct && seen[s]:
				d.add(n, at, quoted(s)+" is listed twice", "")
			default:
				list = append(list, s)
			}
			seen[s] = true
		})
		*dst = list
	}
}

// flag reads true or false into dst.
func (d *decoder) flag(dst *bool) reader {
	return func(n *yaml.Node, at string) {
		if !scalar(n, "!!bool") {
			// yes and no were booleans in YAML 1.1, and still are elsewhere.
			if slices.Contains(oldBools, strings.ToLower(n.Value)) {
				d.add(n, at, "want true or false, "+quoted(n.Value)+" is neither in YAML 1.2", "")
			} else {
				d.wrongType(n, at, "true or false")
			}
			return
		}
		*dst = strings.EqualFold(n.Value, "true")
	}
}

// choice reads one of the values into dst; later holds values of releases to
// come.
func choice[T ~string](d *decoder, dst *T, later []string, values ...T) reader {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return func(n *yaml.Node, at string) {
		s, ok := d.word(n, at, func(s string) (string, string) {
			switch {
			case slices.Contains(names, s):
				return "", ""
			case slices.Contains(later, s):
				return notYet(s), ""
			}
			return "want " + strings.Join(names, " or ") + ", found " + quoted(s), Nearest(s, names)
		})
		if ok {
			*dst = T(s)
		}
	}
}

// Numbers end where the kernel's own types and limits end.
const (
	maxID     = 1<<32 - 2  // 2^32-1 is the "no such user" of setresuid
	maxPIDs   = 4194304    // PID_MAX_LIMIT
	maxNoFile = 1073741816 // the largest fs.nr_open
	minMemory = 6 << 20    // what docker asks for to start anything
	minTmpfs  = 4 << 10    // one page
	minCPUs   = 10         // a hundredth, the least that docker hands to the scheduler
	minNoFile = 16         // below this the runtime cannot start the process
)

// id reads a user or group ID into dst.
func (d *decoder) id(dst *int64) reader {
	return func(n *yaml.Node, at string) {
		if v, ok := d.whole(n, at, 0, maxID); ok {
			*dst = v
		}
	}
}

func (d *decoder) whole(n *yaml.Node, at string, low, high int64) (int64, bool) {
	// A number too large for the parser's int64 is a float to it.
	if !scalar(n, "!!int", "!!float") {
		d.wrongType(n, at, "a whole number")
		return 0, false
	}
	v, problem := parseWhole(n.Value, low, high)
	if problem != "" {
		d.add(n, at, problem, "")
		return 0, false
	}
	return v, true
}

// quantity reads a number or "unlimited" into dst. Where unlimited is stored
// as 0, a written 0 is refused: it reads as "none" and would mean the opposite.
func quantity[T ~int64](d *decoder, dst *T, want string, least, noBound T, parse func(string) (T, string)) reader {
	return func(n *yaml.Node, at string) {
		if !scalar(n, "!!str", "!!int", "!!float") {
			d.wrongType(n, at, want)
			return
		}
		if n.Value == unlimited {
			*dst = noBound
			return
		}
		v, problem := parse(n.Value)
		switch {
		case problem != "":
			d.add(n, at, problem, Nearest(n.Value, []string{unlimited}))
		case v == 0 && noBound == 0:
			d.add(n, at, "must not be 0, write unlimited for no limit", "")
		case v < least:
			d.add(n, at, fmt.Sprintf("is too little, want at least %v", least), "")
		default:
			*dst = v
		}
	}
}

// size reads a size where 0 stands for no limit.
func (d *decoder) size(dst *Size, least Size) reader {
	return quantity(d, dst, "a size as 512m, 2g or unlimited", least, 0, parseSize)
}

// allowance reads a size where 0 stands for none.
func (d *decoder) allowance(dst *Size) reader {
	return quantity(d, dst, "a size as 0, 512m or unlimited", 0, noLimit, parseSize)
}

func (d *decoder) cpus(dst *CPUs) reader {
	return quantity(d, dst, "a number of CPUs as 2, 0.5 or unlimited", minCPUs, 0, parseCPUs)
}

func (d *decoder) count(dst *Count, least, most Count) reader {
	return quantity(d, dst, "a number or unlimited", least, 0, func(s string) (Count, string) {
		n, problem := parseWhole(s, 0, int64(most))
		return Count(n), problem
	})
}
