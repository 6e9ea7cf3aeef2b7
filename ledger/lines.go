package ledger

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// lines reads a segment line by line, in bounded memory. After io.EOF it may be
// asked again: a file that is being written grows.
type lines struct {
	r          io.Reader
	buf        []byte // buf[0] is never part of a line
	start, end int    // what was read and not yet returned
	line       int    // from 1; of the line that was returned last
	at, to     int    // where that one lies
	skipping   bool   // within a line that is too long
}

// readBuffer is how much is read at once.
const readBuffer = 128 << 10

func newLines(r io.Reader) *lines {
	return &lines{r: r, buf: make([]byte, 1+readBuffer), start: 1, end: 1}
}

// reset begins with another file.
func (l *lines) reset(r io.Reader) { *l = lines{r: r, buf: l.buf, start: 1, end: 1} }

// errLong says that a line is longer than a record can be. It was skipped.
var errLong = errors.New("a line is too long")

// next returns the next whole line, valid until the next call. At the end of the
// file the error is io.EOF, and rest says how many bytes have no line feed.
func (l *lines) next() ([]byte, error) {
	searched := l.start
	for {
		if i := bytes.IndexByte(l.buf[searched:l.end], '\n'); i >= 0 {
			l.at, l.to = l.start, searched+i
			l.start = l.to + 1
			l.line++
			if l.skipping {
				l.skipping = false
				return nil, errLong
			}
			return l.buf[l.at:l.to], nil
		}
		if l.skipping || l.end-l.start > MaxRecord {
			l.skipping = true
			l.start, l.end = 1, 1
		}
		searched = l.makeRoom()
		n, err := l.r.Read(l.buf[l.end:])
		l.end += n
		if n == 0 && err != nil {
			return nil, err
		}
	}
}

// makeRoom returns where what was not searched begins.
func (l *lines) makeRoom() int {
	if l.end == len(l.buf) {
		if l.start > 1 {
			copy(l.buf[1:], l.buf[l.start:l.end])
			l.end -= l.start - 1
			l.start = 1
		}
		if l.end == len(l.buf) {
			l.buf = append(l.buf, make([]byte, len(l.buf))...)
		}
	}
	return l.end
}

// rest is how many bytes stand after the last line feed.
func (l *lines) rest() int { return l.end - l.start }

// hash is the leaf hash of the line that was returned last: SHA-256 of a zero
// byte and the line (RFC 6962, section 2.1). The byte is put where the line feed
// before it was, which spares a copy.
func (l *lines) hash() tlog.Hash {
	l.buf[l.at-1] = 0
	return sha256.Sum256(l.buf[l.at-1 : l.to])
}
