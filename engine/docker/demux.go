package docker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// maxSystemError is how much we read of the engine's own words in a stream.
const maxSystemError = 4096

// demultiplex takes apart what the engine sends for a process without terminal
// (Engine API, "Stream format"): frames of one byte for the stream, three zero
// bytes, the payload's length in four bytes, big-endian, and the payload. A
// payload may be 4 GiB long; none is ever held as a whole. A stream that ends
// inside a frame is an error: what a process said must not be cut off unnoticed.
func demultiplex(r *bufio.Reader, stdout, stderr io.Writer) error {
	var header [8]byte
	for {
		n, err := io.ReadFull(r, header[:])
		switch {
		case err == io.EOF:
			return nil
		case err == io.ErrUnexpectedEOF:
			return notFrame(r, header[:n])
		case err != nil:
			return err
		case header[1] != 0 || header[2] != 0 || header[3] != 0:
			return notFrame(r, header[:])
		}
		var w io.Writer
		switch header[0] {
		case 0, 1: // 0 is stdin, which Docker's own client also shows on stdout
			w = stdout
		case 2:
			w = stderr
		case 3:
			said, _ := io.ReadAll(io.LimitReader(r, min(int64(binary.BigEndian.Uint32(header[4:])), maxSystemError)))
			return fmt.Errorf("engine says: %s", text.OneLine(string(said)))
		default:
			return notFrame(r, header[:])
		}
		size := int64(binary.BigEndian.Uint32(header[4:]))
		if n, err := io.CopyN(w, r, size); err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return fmt.Errorf("%w: stream ends %d bytes before its frame does", engine.ErrBadAnswer, size-n)
			}
			return err
		}
	}
}

// notFrame quotes bytes that are no frame.
func notFrame(r *bufio.Reader, header []byte) error {
	rest, _ := r.Peek(r.Buffered())
	text := text.OneLine(string(header) + string(rest))
	return fmt.Errorf("%w: no frame in the stream: %.80q", engine.ErrBadAnswer, text)
}

// buffer is one output between the engine and its reader. It holds a limited
// amount; when that is reached the engine has to wait for the reader.
type buffer struct {
	mu    sync.Mutex
	cond  sync.Cond
	data  bytes.Buffer
	limit int
	err   error // set once, when nothing more will come
}

func newBuffer(limit int) *buffer {
	b := &buffer{limit: limit}
	b.cond.L = &b.mu
	return b
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	written := 0
	for written < len(p) {
		for b.err == nil && b.data.Len() >= b.limit {
			b.cond.Wait()
		}
		if b.err != nil {
			return written, io.ErrClosedPipe
		}
		n, _ := b.data.Write(p[written:min(len(p), written+b.limit-b.data.Len())])
		written += n
		b.cond.Broadcast()
	}
	return written, nil
}

func (b *buffer) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.err == nil && b.data.Len() == 0 && len(p) > 0 {
		b.cond.Wait()
	}
	if b.data.Len() == 0 && len(p) > 0 {
		return 0, b.err
	}
	n, _ := b.data.Read(p)
	b.cond.Broadcast()
	return n, nil
}

// end lets the reader have what is held and then err.
func (b *buffer) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
	}
	b.cond.Broadcast()
}

// drop gives the reader err at once.
func (b *buffer) drop(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data.Reset()
	if b.err == nil {
		b.err = err
	}
	b.cond.Broadcast()
}
