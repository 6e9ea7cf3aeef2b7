package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The files of a ledger. A segment is named by the number of its first record.
const (
	plain          = ".jsonl"
	packed         = ".jsonl.gz"
	started        = ".start" // the signed state that the segment begins with
	tmp            = ".tmp"
	lockName       = "lock"
	checkpointName = "checkpoint"
)

func segmentName(first uint64, ext string) string { return fmt.Sprintf("%020d%s", first, ext) }

// segment is which files there are of one.
type segment struct {
	first                  uint64
	plain, packed, started bool
}

// file is the name of the one to read: the plain one is whole as long as it is there.
func (s segment) file() string {
	if s.packed && !s.plain {
		return segmentName(s.first, packed)
	}
	return segmentName(s.first, plain)
}

// listing is what a directory holds.
type listing struct {
	segments []segment // by number; those with a start alone included
	tmps     []string  // left by a crash
	unknown  []string
}

func list(l layer, dir string) (listing, error) {
	names, err := l.list(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return listing{}, fmt.Errorf("%w in %s", ErrNone, dir)
	}
	if err != nil {
		return listing{}, err
	}
	var out listing
	all := map[uint64]*segment{}
	for _, name := range names {
		switch {
		case name == lockName || name == checkpointName:
			continue
		case strings.HasSuffix(name, tmp):
			out.tmps = append(out.tmps, name)
			continue
		}
		digits, ext := name, ""
		if i := strings.IndexByte(name, '.'); i >= 0 {
			digits, ext = name[:i], name[i:]
		}
		first, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || segmentName(first, ext) != name {
			out.unknown = append(out.unknown, name)
			continue
		}
		s := all[first]
		if s == nil {
			s = &segment{first: first}
		}
		switch ext {
		case plain:
			s.plain = true
		case packed:
			s.packed = true
		case started:
			s.started = true
		default:
			out.unknown = append(out.unknown, name)
			continue
		}
		all[first] = s
	}
	for _, s := range all {
		out.segments = append(out.segments, *s)
	}
	slices.SortFunc(out.segments, func(a, b segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return out, nil
}

func join(dir, name string) string { return filepath.Join(dir, name) }
