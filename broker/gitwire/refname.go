package gitwire

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxRef is how long the name of a ref may be, in bytes.
const maxRef = 1024

// checkRef holds a full name, as refs/heads/agent/x, to git-check-ref-format(1), and
// to more: valid and printable UTF-8, so that the ledger and a terminal show the name
// that it is; and three parts, as refs/stash and its like are no place for a push.
func checkRef(name string) error {
	switch {
	case len(name) > maxRef:
		return fmt.Errorf("it has more than %d bytes", maxRef)
	case !strings.HasPrefix(name, "refs/"):
		return errors.New("it does not begin with refs/")
	case strings.Count(name, "/") < 2:
		return errors.New("it has nothing behind refs/…/")
	case !utf8.ValidString(name):
		return errors.New("it is not UTF-8")
	case strings.HasSuffix(name, "."):
		return errors.New("it ends with a dot")
	}
	for _, no := range []string{"..", "@{", "//"} {
		if strings.Contains(name, no) {
			return fmt.Errorf("it has %s in it", no)
		}
	}
	for _, r := range name {
		if strings.ContainsRune(" ~^:?*[\\", r) || !unicode.IsPrint(r) {
			return fmt.Errorf("it has %q in it", r)
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "":
			return errors.New("a part of it is empty")
		case part[0] == '.':
			return errors.New("a part of it begins with a dot")
		case strings.HasSuffix(part, ".lock"):
			return errors.New("a part of it ends with .lock")
		}
	}
	return nil
}

// match is path.Match part by part: * stays inside of a part. A part that is ** stands
// for any number of them, none included, and for at least one at the end: agent/**
// is what lies below agent. A malformed pattern matches nothing.
func match(pattern, name string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(name, "/")
	if want[len(want)-1] == "**" {
		want = append(want[:len(want)-1], "*", "**")
	}
	// Only the last ** has to be tried again: what an earlier one could still
	// take, the later one takes as well.
	i, j, star, mark := 0, 0, -1, 0
	for j < len(have) {
		switch {
		case i < len(want) && want[i] == "**":
			star, mark = i, j
			i++
			continue
		case i < len(want):
			if ok, err := path.Match(want[i], have[j]); ok && err == nil {
				i++
				j++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		i, j = star+1, mark
	}
	for i < len(want) && want[i] == "**" {
		i++
	}
	return i == len(want)
}
