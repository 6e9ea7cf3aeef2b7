package gitwire

import (
	"errors"
	"fmt"
	"strings"
)

// Format is the hash that a repository names its objects with.
type Format string

// The formats of objects.
const (
	SHA1   Format = "sha1"
	SHA256 Format = "sha256"
)

// size is the length of an id, in bytes.
func (f Format) size() int {
	if f == SHA256 {
		return 32
	}
	return 20
}

// validID says whether an id is written as this format's are: lower case, as git
// writes them, so that an id has one spelling in the ledger.
func (f Format) validID(s string) bool {
	return len(s) == 2*f.size() && strings.Trim(s, "0123456789abcdef") == ""
}

// Capabilities are what the client of a push asked for.
type Capabilities struct {
	Report   bool // report-status or report-status-v2
	Sideband bool // side-band-64k
	Atomic   bool
	Options  bool // push-options
	Format   Format
	Agent    string // the client's name and version, its own word; may be empty
}

// parseCapabilities reads the list behind the NUL of the first command. What is not
// known is refused: it may change how the rest is read. (Push options did.)
func parseCapabilities(list string) (Capabilities, error) {
	c := Capabilities{Format: SHA1}
	for i := range len(list) {
		if list[i] < ' ' || list[i] > '~' {
			return c, fmt.Errorf("the capabilities have %q in them", list[i])
		}
	}
	seen := map[string]bool{}
	var first error
	for word := range strings.SplitSeq(list, " ") {
		if word == "" {
			continue
		}
		name, value, valued := strings.Cut(word, "=")
		if seen[name] {
			return c, fmt.Errorf("the capability %.40q stands there twice", name)
		}
		seen[name] = true
		// The first error counts, and reading goes on: the answer is framed
		// as the client asked for it.
		if err := c.set(name, value, valued); err != nil && first == nil {
			first = err
		}
	}
	return c, first
}

func (c *Capabilities) set(name, value string, valued bool) error {
	switch name {
	case "object-format", "agent", "session-id":
		if !valued || value == "" {
			return fmt.Errorf("the capability %s has no value", name)
		}
	default:
		if valued {
			return fmt.Errorf("the capability %.40q has a value or is not known", name)
		}
	}
	switch name {
	case "report-status", "report-status-v2":
		c.Report = true
	case "side-band-64k":
		c.Sideband = true
	case "atomic":
		c.Atomic = true
	case "push-options":
		c.Options = true
	case "agent":
		c.Agent = value
	case "object-format":
		c.Format = Format(value)
		if c.Format != SHA1 && c.Format != SHA256 {
			c.Format = SHA1
			return fmt.Errorf("the object format %.20q is not known, sha1 and sha256 are", value)
		}
	case "session-id", "quiet", "delete-refs", "ofs-delta", "no-thin":
	default:
		return errors.New("the capability " + fmt.Sprintf("%.40q", name) + " is not known")
	}
	return nil
}
