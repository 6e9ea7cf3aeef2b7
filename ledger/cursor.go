package ledger

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Cursor reads a ledger, which may be in use, record by record. It checks the form
// of each and their numbers, and no signature: that is what Verify is for.
type Cursor struct {
	dir   string
	files layer
	next  uint64 // the record that comes next
	f     file
	in    *lines
}

// OpenCursor returns a cursor that begins with record from, or with the first one
// that there is. The error is ErrNone where there is no ledger.
func OpenCursor(dir string, from uint64) (*Cursor, error) {
	c := openCursor(system{}, dir, from)
	ls, err := list(c.files, dir)
	if err == nil && len(ls.segments) == 0 {
		err = fmt.Errorf("%w in %s", ErrNone, dir)
	}
	return c, err
}

// OpenTail returns a cursor that begins with the last n records.
func OpenTail(dir string, n int) (*Cursor, error) {
	c, err := OpenCursor(dir, 0)
	if err != nil {
		return nil, err
	}
	ls, err := list(c.files, dir)
	if err != nil {
		return nil, err
	}
	// The end is in the last segment; where that one holds too few, n counts back.
	c.next = ls.segments[len(ls.segments)-1].first
	for {
		_, err := c.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	end := c.next
	if err := c.Close(); err != nil {
		return nil, err
	}
	return OpenCursor(dir, end-min(end, uint64(max(n, 0))))
}

func openCursor(l layer, dir string, from uint64) *Cursor {
	return &Cursor{dir: dir, files: l, next: from}
}

// Next returns the next record. At the end of what has been written the error is
// io.EOF; a later call returns what came since. Where a record is not in its place
// it is ErrTampered.
func (c *Cursor) Next() (Record, error) {
	for {
		if c.in == nil {
			if err := c.enter(); err != nil {
				return Record{}, err
			}
		}
		line, err := c.in.next()
		if errors.Is(err, io.EOF) {
			if !c.moveOn() {
				return Record{}, io.EOF
			}
			// What was written since, before the next segment was begun, comes first.
			if line, err = c.in.next(); errors.Is(err, io.EOF) {
				if err := c.Close(); err != nil {
					return Record{}, err
				}
				continue
			}
		}
		if err != nil {
			return Record{}, fmt.Errorf("%w: at record %d: %w", ErrTampered, c.next, err)
		}
		h, ok := scanHead(line)
		if ok && h.seq < c.next {
			continue // from before the one to begin with
		}
		r, err := ParseRecord(line)
		if err == nil && r.Seq != c.next {
			err = fmt.Errorf("there is record %d", r.Seq)
		}
		if err != nil {
			return Record{}, fmt.Errorf("%w: where record %d should be: %w", ErrTampered, c.next, err)
		}
		c.next++
		return r, nil
	}
}

// moveOn reports whether the segment that holds the next record is another one.
func (c *Cursor) moveOn() bool {
	ls, err := list(c.files, c.dir)
	if err != nil {
		return false
	}
	for _, s := range ls.segments {
		if s.first == c.next && (s.plain || s.packed) && !c.at(s.first) {
			return true
		}
	}
	return false
}

// at reports whether the cursor has read nothing of the segment that begins here.
func (c *Cursor) at(first uint64) bool { return c.in.line == 0 && first == c.next }

// enter opens the segment that holds the next record.
func (c *Cursor) enter() error {
	for range 3 { // it may be packed between the look and the opening
		ls, err := list(c.files, c.dir)
		if err != nil {
			return err
		}
		var in segment
		found := false
		for _, s := range ls.segments {
			if !s.plain && !s.packed {
				continue
			}
			if !found && s.first > c.next {
				c.next = s.first // what was before was dropped
			}
			if s.first <= c.next {
				in, found = s, true
			}
		}
		if !found {
			return io.EOF
		}
		c.f, err = c.files.open(join(c.dir, in.file()), os.O_RDONLY, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		c.in = newLines(c.f)
		if strings.HasSuffix(in.file(), packed) {
			z, err := gzip.NewReader(c.f)
			if err != nil {
				return errors.Join(fmt.Errorf("%w: %s: %w", ErrTampered, in.file(), err), c.Close())
			}
			c.in = newLines(z)
		}
		return nil
	}
	return fmt.Errorf("the segment with record %d does not stay where it is", c.next)
}

// Close closes the file that is being read.
func (c *Cursor) Close() error {
	if c.f == nil {
		return nil
	}
	err := c.f.Close()
	c.f, c.in = nil, nil
	return err
}

// Each calls f for the records that there are, from record from on. The error is
// ErrTampered where one is not in its place.
func Each(ctx context.Context, dir string, from uint64, f func(Record)) error {
	c, err := OpenCursor(dir, from)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		r, err := c.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		f(r)
	}
}
