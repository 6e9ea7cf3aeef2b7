package gitwire

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// ErrEncoding says that the body of a push has an encoding that isn't read, or isn't
// the encoding that it says.
var ErrEncoding = errors.New("the body's encoding can't be read")

// Body undoes the Content-Encoding of a git-receive-pack request, none or gzip, in a
// streaming way. The request is then sent on without that header and without a
// length. No more than most bytes come out of it, then an error that wraps
// [ErrEncoding]; 0 means no limit.
//
// Git compresses the requests of a fetch only. Those are sent on as they are.
func Body(r io.Reader, encoding string, most int64) (io.Reader, error) {
	switch encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bufio.NewReader(r))
		if err != nil {
			return nil, fmt.Errorf("%w: it says gzip: %w", ErrEncoding, err)
		}
		r = z
	default:
		return nil, fmt.Errorf("%w: %.40q, and gzip is the only one that git uses", ErrEncoding, encoding)
	}
	if most == 0 {
		return r, nil
	}
	return &limited{r: r, left: most, most: most}, nil
}

// limited is an io.LimitReader that says so: an end of the body there would be taken
// for its true end.
type limited struct {
	r          io.Reader
	left, most int64
}

func (l *limited) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	// One byte more than is left shows whether there is more.
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if int64(n) > l.left {
		n = int(l.left)
		err = fmt.Errorf("%w: it has more than %d bytes", ErrEncoding, l.most)
	}
	l.left -= int64(n)
	return n, err
}
