package gitwire

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Types of objects in a pack (gitformat-pack).
const (
	packCommit   = 1
	packTree     = 2
	packBlob     = 3
	packTag      = 4
	packOfsDelta = 6
	packRefDelta = 7
)

// maxCommit is how long a commit may be to be looked at, in bytes.
const maxCommit = 1 << 20

var errPack = errors.New("the pack can't be read")

// appendHeader is what git hashes before the body of a commit.
func appendHeader(body []byte) []byte {
	h := append([]byte("commit "), strconv.Itoa(len(body))...)
	return append(h, 0)
}

// objectHeader reads the type and the inflated size of an object.
func objectHeader(r io.ByteReader) (kind byte, size int64, err error) {
	b, err := r.ReadByte()
	if err != nil {
		return 0, 0, unexpected(err)
	}
	kind, size = b>>4&7, int64(b&15)
	for shift := 4; b&0x80 != 0; shift += 7 {
		if b, err = r.ReadByte(); err != nil {
			return 0, 0, unexpected(err)
		}
		if shift > 53 {
			return 0, 0, fmt.Errorf("%w: an object's size has too many digits", errPack)
		}
		size |= int64(b&0x7f) << shift
	}
	return kind, size, nil
}

// deltaOffset reads how far back the base of a delta begins.
func deltaOffset(r io.ByteReader) (int64, error) {
	b, err := r.ReadByte()
	if err != nil {
		return 0, unexpected(err)
	}
	n := int64(b & 0x7f)
	for b&0x80 != 0 {
		if b, err = r.ReadByte(); err != nil {
			return 0, unexpected(err)
		}
		if n > math.MaxInt64>>8 {
			return 0, fmt.Errorf("%w: a delta's offset has too many digits", errPack)
		}
		n = (n+1)<<7 | int64(b&0x7f)
	}
	return n, nil
}

// applyDelta makes an object from another one and a delta: its two sizes, then
// pieces to copy from the base and pieces to insert. False: the delta is malformed,
// or the result has more than maxCommit bytes.
func applyDelta(base, delta []byte) ([]byte, bool) {
	from, delta, ok := deltaSize(delta)
	if !ok || from != len(base) {
		return nil, false
	}
	size, delta, ok := deltaSize(delta)
	if !ok || size > maxCommit {
		return nil, false
	}
	out := make([]byte, 0, size)
	for len(delta) > 0 {
		op := delta[0]
		delta = delta[1:]
		if op == 0 {
			return nil, false
		}
		piece := delta
		n := int(op)
		if op&0x80 != 0 {
			var args [7]int // four bytes of offset, three of size
			for i := range args {
				if op>>i&1 == 0 {
					continue
				}
				if len(delta) == 0 {
					return nil, false
				}
				args[i], delta = int(delta[0]), delta[1:]
			}
			at := args[0] | args[1]<<8 | args[2]<<16 | args[3]<<24
			if n = args[4] | args[5]<<8 | args[6]<<16; n == 0 {
				n = 0x10000
			}
			if at > len(base) {
				return nil, false
			}
			piece = base[at:]
		}
		if n > len(piece) || len(out)+n > size {
			return nil, false
		}
		out = append(out, piece[:n]...)
		if op&0x80 == 0 {
			delta = delta[n:]
		}
	}
	return out, len(out) == size
}

func deltaSize(d []byte) (int, []byte, bool) {
	n := 0
	for i, b := range d {
		if i == 5 {
			break
		}
		n |= int(b&0x7f) << (7 * i)
		if b&0x80 == 0 {
			return n, d[i+1:], true
		}
	}
	return 0, nil, false
}
