package front

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Exchange is one request and its answer. Start, Write, Flush and End belong to one
// goroutine; another one may read Body at the same time.
type Exchange struct {
	Head *Head

	conn   *conn
	br     *bufio.Reader
	bw     *bufio.Writer
	up     *upload
	ctx    context.Context
	cancel context.CancelFunc
	watch  *watch

	started, ended, hijacked bool
	bare                     bool  // an answer without a body, whatever its headers say
	left                     int64 // of the answer; -1 is chunked
	scratch                  [18]byte
}

func newExchange(c *conn, h *Head, br *bufio.Reader, bw *bufio.Writer) *Exchange {
	x := &Exchange{Head: h, conn: c, br: br, bw: bw, up: newUpload(c, br, h)}
	x.ctx, x.cancel = context.WithCancel(c.ctx)
	x.watch = startWatch(x)
	return x
}

// Context ends when the caller is gone.
func (x *Exchange) Context() context.Context { return x.ctx }

// Cancel ends the context, from any goroutine.
func (x *Exchange) Cancel() { x.cancel() }

// HasBody says whether the request has a body, if an empty one.
func (x *Exchange) HasBody() bool { return x.Head.Length != 0 }

// aheadMost is how much of a body is looked at before anything is done with it.
const aheadMost = 16 << 10

// Body is the request's body, of no more than limit bytes (0 is no limit), and its
// length where that is known now, else -1. It is to be called once. What came together
// with the head was read, and the error is a *Refusal of that; a caller that waits for
// 100 Continue is told on the first Read.
func (x *Exchange) Body(limit int64) (r io.ReadCloser, length int64, err error) {
	x.up.body.limit = limit
	if x.Head.waiting {
		return x.up, x.Head.Length, nil
	}
	ahead, err := x.up.ahead(aheadMost)
	switch {
	case err != nil:
		return nil, 0, err
	case x.up.done.Load():
		return io.NopCloser(bytes.NewReader(ahead)), int64(len(ahead)), nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(ahead), x.up), x.up}, x.Head.Length, nil
}

// BodyWhole says whether the body was read to its end.
func (x *Exchange) BodyWhole() bool { return x.up.done.Load() }

// BodyRead is how many bytes of the body were read.
func (x *Exchange) BodyRead() int64 { return x.up.read.Load() }

// Start writes the head of the answer. Length is of its body; -1 sends it in chunks.
// Headers about the connection are left out, whoever put them there.
func (x *Exchange) Start(status int, h http.Header, length int64) {
	x.started, x.left = true, length
	x.bare = x.Head.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified || status < 200
	if !x.up.settle() {
		x.Head.close = true // nobody knows whether the rest of the body will come
	}
	w := x.bw
	_, _ = w.WriteString("HTTP/1.1 ")
	_, _ = w.Write(strconv.AppendInt(x.scratch[:0], int64(status), 10))
	_ = w.WriteByte(' ')
	_, _ = w.WriteString(http.StatusText(status))
	_, _ = w.WriteString("\r\n")
	for name, values := range h {
		if hopByHop[name] || !isToken(name) {
			continue
		}
		for _, v := range values {
			writeField(w, name, v)
		}
	}
	switch {
	case status == http.StatusSwitchingProtocols:
		writeField(w, "Connection", "Upgrade")
		writeField(w, "Upgrade", "websocket")
	case status == http.StatusNoContent || status < 200:
	case length >= 0:
		_, _ = w.WriteString("Content-Length: ")
		_, _ = w.Write(strconv.AppendInt(x.scratch[:0], length, 10))
		_, _ = w.WriteString("\r\n")
	case !x.bare:
		writeField(w, "Transfer-Encoding", "chunked")
	}
	if x.Head.close {
		writeField(w, "Connection", "close")
	}
	_, _ = w.WriteString("\r\n")
}

// hopByHop is what Start leaves out.
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Transfer-Encoding": true,
	"Te": true, "Trailer": true, "Upgrade": true, "Content-Length": true, "Proxy-Authenticate": true,
}

var noBreaks = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")

func writeField(w *bufio.Writer, name, value string) {
	_, _ = w.WriteString(name)
	_, _ = w.WriteString(": ")
	if strings.ContainsAny(value, "\r\n\x00") {
		value = noBreaks.Replace(value)
	}
	_, _ = w.WriteString(value)
	_, _ = w.WriteString("\r\n")
}

// errLong is a body longer than was promised.
var errLong = errors.New("front: the body is longer than its Content-Length")

// Write sends a part of the body. It reaches the caller with the next Flush.
func (x *Exchange) Write(p []byte) (int, error) {
	switch {
	case x.bare || len(p) == 0:
		return len(p), nil
	case x.left < 0:
		_, _ = x.bw.Write(append(strconv.AppendInt(x.scratch[:0], int64(len(p)), 16), "\r\n"...))
		if _, err := x.bw.Write(p); err != nil {
			return 0, err
		}
		_, err := x.bw.WriteString("\r\n")
		return len(p), err
	case int64(len(p)) > x.left:
		return 0, errLong
	}
	x.left -= int64(len(p))
	return x.bw.Write(p)
}

// Flush sends what was written.
func (x *Exchange) Flush() error { return x.bw.Flush() }

// End completes the answer. Trailers are sent with chunks only.
func (x *Exchange) End(trailer http.Header) error {
	x.ended = x.bare || x.left <= 0
	if x.left < 0 && !x.bare {
		_, _ = x.bw.WriteString("0\r\n")
		for name, values := range trailer {
			if hopByHop[name] || !isToken(name) {
				continue
			}
			for _, v := range values {
				writeField(x.bw, name, v)
			}
		}
		_, _ = x.bw.WriteString("\r\n")
	}
	return x.bw.Flush()
}

// Respond answers with a body that is there already, unless an answer has begun.
func (x *Exchange) Respond(status int, h http.Header, body []byte) {
	if x.started {
		return
	}
	x.Start(status, h, int64(len(body)))
	_, _ = x.Write(body)
	_ = x.End(nil)
}

// Started says whether an answer has begun.
func (x *Exchange) Started() bool { return x.started }

// Hijack ends HTTP on this connection, after Start with status 101: what comes is
// read from the reader, and Write and Flush send no more. The connection is closed
// when the handler returns.
func (x *Exchange) Hijack() (net.Conn, *bufio.Reader, error) {
	x.watch.stop()
	x.hijacked = true
	if err := x.bw.Flush(); err != nil {
		return nil, nil, err
	}
	return x.conn.Conn, x.br, errors.Join(x.conn.SetDeadline(time.Time{}))
}

// finish says whether another request may come on this connection.
func (x *Exchange) finish() (again bool, err error) {
	x.watch.stop()
	x.cancel()
	x.up.stop()
	switch {
	case x.hijacked:
		return false, nil
	case !x.ended:
		return false, x.bw.Flush()
	case !x.up.done.Load():
		x.conn.linger()
		return false, nil
	}
	return !x.Head.close, nil
}
