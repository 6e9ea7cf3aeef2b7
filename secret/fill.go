package secret

import (
	"bytes"
	"errors"
	"io"
)

// fill reads a credential to its end, straight into locked memory. Of a line that
// ends with the file, the line break is no part. The error wraps ErrEmpty or
// ErrTooLong, or is r's.
func fill(r io.Reader) (*Value, error) {
	// One page holds what most are; the memory grows by copying, not by Go's means.
	mem, err := allocate(1)
	if err != nil {
		return nil, err
	}
	n := 0
	for {
		if n == len(mem.bytes) {
			bigger, err := allocate(2 * n)
			if err != nil {
				mem.free()
				return nil, err
			}
			copy(bigger.bytes, mem.bytes)
			bigger.locked = bigger.locked && mem.locked
			mem.free()
			mem = bigger
		}
		got, err := r.Read(mem.bytes[n:])
		n += got
		if errors.Is(err, io.EOF) {
			break
		}
		// Two bytes more, for the line break.
		if err == nil && n > MaxSize+2 {
			err = ErrTooLong
		}
		if err != nil {
			mem.free()
			return nil, err
		}
	}
	n = len(trimLine(mem.bytes[:n]))
	switch {
	case n == 0:
		err = ErrEmpty
	case n > MaxSize:
		err = ErrTooLong
	default:
		clear(mem.bytes[n:])
		return hide(&inside{mem: mem, n: n}), nil
	}
	mem.free()
	return nil, err
}

// trimLine is b without one "\n" or "\r\n" at its end.
func trimLine(b []byte) []byte {
	if cut, ok := bytes.CutSuffix(b, []byte("\n")); ok {
		return bytes.TrimSuffix(cut, []byte("\r"))
	}
	return b
}
