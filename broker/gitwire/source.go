package gitwire

import (
	"errors"
	"io"
)

// source reads a stream byte by byte or in pieces, and writes what was read to w a
// buffer at a time. It is an io.ByteReader, so that an inflater takes no byte beyond
// its end.
type source struct {
	r    io.Reader
	w    io.Writer
	buf  [32 << 10]byte
	pos  int   // the next byte to read
	sent int   // the next byte to write
	end  int   // of what is in buf
	base int64 // the offset of buf[0] in the stream
	hold bool  // what is read from now on is not written
}

func (s *source) offset() int64 { return s.base + int64(s.pos) }

// flush writes what was read.
func (s *source) flush() error {
	if s.hold || s.sent == s.pos {
		return nil
	}
	_, err := s.w.Write(s.buf[s.sent:s.pos])
	s.sent = s.pos
	return err
}

func (s *source) fill() error {
	if s.pos < s.end {
		return nil
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.base += int64(s.end)
	s.pos, s.sent, s.end = 0, 0, 0
	for range 100 {
		n, err := s.r.Read(s.buf[:])
		if n > 0 {
			s.end = n
			return nil // an error comes again
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

func (s *source) ReadByte() (byte, error) {
	if s.pos == s.end {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	s.pos++
	return s.buf[s.pos-1], nil
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.fill(); err != nil {
		return 0, err
	}
	n := copy(p, s.buf[s.pos:s.end])
	s.pos += n
	return n, nil
}

// pass writes all that was read and all that follows.
func (s *source) pass() error {
	if err := s.flush(); err != nil {
		return err
	}
	rest := s.buf[s.pos:s.end]
	s.pos, s.sent = s.end, s.end
	if _, err := s.w.Write(rest); err != nil {
		return err
	}
	_, err := io.Copy(s.w, s.r)
	return err
}

// unexpected turns an end into one that is too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
