package front

import (
	"bufio"
	"errors"
	"io"
	"os"
)

// body reads a request's body and never past it. Its errors are io.EOF at the end,
// a *Refusal, or what the connection said. Limit is in bytes, 0 for none.
type body struct {
	r     *bufio.Reader
	left  int64 // of the body, or of the chunk
	limit int64
	read  int64

	chunked bool
	begun   bool  // a chunk was there, whose CR LF comes next
	err     error // for ever after
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.next(p)
	if err != nil {
		b.err = bodyError(err, b.ended())
		if n > 0 {
			return n, nil
		}
	}
	return n, b.err
}

// complete says that all of the body was read, without an error.
func (b *body) complete() bool { return b.err == nil || b.err == io.EOF }

// ended says that an end of the connection is where the body ends as well.
func (b *body) ended() bool { return b.left == 0 && !b.chunked }

func (b *body) next(p []byte) (int, error) {
	if b.left == 0 {
		if !b.chunked {
			return 0, errDone
		}
		if err := b.nextChunk(); err != nil {
			return 0, err
		}
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.read += int64(n)
	return n, err
}

// errDone is a body's own end, which is not the connection's.
var errDone = errors.New("the body is complete")

func bodyError(err error, ended bool) error {
	switch {
	case err == errDone:
		return io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Refuse("slow-body", "the body did not come in time")
	case errors.Is(err, io.EOF) && !ended:
		return Refuse("body-ended", "the body ended too early")
	}
	return err
}

// nextChunk reads the line before a chunk: its size in hexadecimal, nothing else
// (RFC 9112 section 7.1). Extensions mean nothing to anybody and were a way to
// smuggle; trailers could say what no head did.
func (b *body) nextChunk() error {
	if b.begun {
		if err := b.crlf("chunk", "a chunk is longer than its size"); err != nil {
			return err
		}
	}
	b.begun = true
	var size int64
	for digits := 0; ; digits++ {
		c, err := b.r.ReadByte()
		if err != nil {
			return err
		}
		if c == '\r' && digits > 0 {
			if c, err = b.r.ReadByte(); err != nil {
				return err
			}
			if c != '\n' {
				return Refuse("chunk", "a chunk's size is not followed by CR LF")
			}
			break
		}
		v := unhex(c)
		if v > 15 || digits == 8 {
			return Refuse("chunk", "a chunk's size is not a hexadecimal number of up to 8 digits and CR LF")
		}
		size = size<<4 | int64(v)
	}
	if size == 0 {
		if err := b.crlf("trailer", "there are headers after the body"); err != nil {
			return err
		}
		b.chunked = false
		return errDone
	}
	if b.limit > 0 && size > b.limit-b.read {
		return TooLarge(b.limit)
	}
	b.left = size
	return nil
}

func (b *body) crlf(rule, reason string) error {
	for _, want := range []byte("\r\n") {
		c, err := b.r.ReadByte()
		if err != nil {
			return err
		}
		if c != want {
			return Refuse(rule, "%s", reason)
		}
	}
	return nil
}

// TooLarge is the refusal of a body beyond a limit in bytes.
func TooLarge(limit int64) *Refusal {
	return Refuse("body-size", "the body is larger than %d bytes, which is all that limits.body allows", limit)
}
