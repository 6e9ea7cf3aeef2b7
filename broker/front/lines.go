package front

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
)

// How large a head may be. Real clients stay below a tenth of it.
const (
	MaxHead   = 32 << 10 // bytes
	MaxLine   = 8 << 10  // bytes of a line, the request line among them
	MaxFields = 100      // header lines
)

// readLines reads a head up to and with the empty line that ends it, and appends
// it to buf. Every line ends with CR LF and holds no other of the two. The error is
// io.EOF where nothing came at all, a Refusal, or what the connection said.
func readLines(r *bufio.Reader, buf []byte) ([]byte, error) {
	first, err := r.Peek(1)
	if err != nil {
		return buf, err
	}
	// Whoever speaks TLS here sends no line feed to wait for.
	if first[0] < 'A' || first[0] > 'Z' {
		return buf, notMethod(first[0])
	}
	for lines, start := 0, len(buf); ; {
		part, err := r.ReadSlice('\n')
		buf = append(buf, part...)
		line := buf[start:]
		switch {
		case len(line) > MaxLine:
			return buf, Refuse("long-line", "a line of the head is longer than %d bytes", MaxLine)
		case len(buf) > MaxHead:
			return buf, Refuse("long-head", "the head is larger than %d bytes", MaxHead)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return buf, headError(err)
		case len(line) < 2 || line[len(line)-2] != '\r':
			return buf, Refuse("bare-lf", "a line of the head ends with a line feed alone, want CR LF")
		}
		if i := bytes.IndexByte(line, '\r'); i != len(line)-2 {
			return buf, Refuse("bare-cr", "a line of the head has a carriage return inside of it")
		}
		if len(line) == 2 {
			return buf, nil
		}
		if lines++; lines > 1+MaxFields {
			return buf, Refuse("many-lines", "the head has more than %d headers", MaxFields)
		}
		start = len(buf)
	}
}

func notMethod(c byte) *Refusal {
	switch {
	case c == '\n':
		return Refuse("bare-lf", "the request begins with a line feed")
	case c == '\r':
		return Refuse("request-line", "the request begins with an empty line")
	}
	return Refuse("method", "a request begins with a method in upper case, this one with the byte %#02x: speak HTTP/1.1, without TLS", c)
}

// headError is what it means that a head stopped in the middle.
func headError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return Refuse("slow-head", "the head did not come in time")
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
