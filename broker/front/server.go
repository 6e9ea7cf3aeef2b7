package front

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// Handler is what becomes of the requests of one connection.
type Handler interface {
	// Serve answers a request. When it returns without an answer, or with less of a
	// body than it promised, the connection is cut, so that nobody takes what came
	// for the whole.
	Serve(x *Exchange)
	// Refused is told of a request that is not taken, and returns the answer's body,
	// which is JSON.
	Refused(ctx context.Context, r *Refusal) []byte
}

// Times bounds how long a connection may wait.
type Times struct {
	Idle time.Duration // for the next request
	Head time.Duration // from a head's first byte to its last
	Body time.Duration // for some part of a body
	Send time.Duration // for the caller to take some part of an answer
}

// DefaultTimes is for callers on the same machine.
var DefaultTimes = Times{Idle: 5 * time.Minute, Head: 10 * time.Second, Body: time.Minute, Send: 2 * time.Minute}

// watchAfter is when a request that is still being answered gets somebody who looks
// whether its caller is still there. Most are done before, and save a goroutine.
const watchAfter = 100 * time.Millisecond

const bufferSize = 8 << 10

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}
	writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, bufferSize) }}
	heads   = sync.Pool{New: func() any { b := make([]byte, 0, 2<<10); return &b }}
)

// conn is one connection. While it is idle it holds no buffer.
type conn struct {
	net.Conn
	raw   syscall.RawConn
	ctx   context.Context
	times Times
	h     Handler
}

// ServeConn answers the requests of one connection until either side ends it, and
// closes it. The end of ctx cuts it at once. The connection must have a file
// descriptor, as Unix and TCP sockets do.
func ServeConn(ctx context.Context, nc net.Conn, t Times, h Handler) error {
	defer nc.Close()
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return errors.New("front: the connection has no file descriptor")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	c := &conn{Conn: nc, raw: raw, ctx: ctx, times: t, h: h}
	for {
		if err := c.await(); err != nil {
			return nil // idle for too long, or gone
		}
		if again, err := c.requests(); err != nil || !again {
			return err
		}
	}
}

// await waits for something to read.
func (c *conn) await() error {
	if err := c.SetReadDeadline(time.Now().Add(c.times.Idle)); err != nil {
		return err
	}
	return c.raw.Read(func(fd uintptr) bool { return poll(fd) != nothing })
}

// requests answers what can be read now: one request, or several that came
// together. It says whether there may be more later.
func (c *conn) requests() (again bool, err error) {
	br := readers.Get().(*bufio.Reader)
	br.Reset(c.Conn)
	defer func() { br.Reset(nil); readers.Put(br) }()
	bw := writers.Get().(*bufio.Writer)
	bw.Reset(sender{c})
	defer func() { bw.Reset(nil); writers.Put(bw) }()
	for {
		again, err = c.request(br, bw)
		if err != nil || !again || br.Buffered() == 0 {
			return again, err
		}
	}
}

func (c *conn) request(br *bufio.Reader, bw *bufio.Writer) (again bool, err error) {
	if err := c.SetReadDeadline(time.Now().Add(c.times.Head)); err != nil {
		return false, err
	}
	buf := heads.Get().(*[]byte)
	head, b, err := readHead(br, *buf)
	*buf = b
	heads.Put(buf)
	if err != nil {
		var r *Refusal
		if errors.As(err, &r) {
			c.refuse(bw, r)
			return false, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		return false, err
	}
	x := newExchange(c, head, br, bw)
	c.h.Serve(x)
	return x.finish()
}

// refuse answers what never became a request. Whatever else comes is not read as one.
func (c *conn) refuse(bw *bufio.Writer, r *Refusal) {
	x := &Exchange{Head: &Head{close: true}, conn: c, bw: bw, up: &upload{}}
	x.Respond(r.Status, http.Header{"Content-Type": {"application/json"}, "X-Content-Type-Options": {"nosniff"}}, c.h.Refused(c.ctx, r))
	if bw.Flush() == nil {
		c.linger()
	}
}

// linger lets a caller that is still sending read the answer: to close a socket with
// something unread in it resets the connection, and many a client that cannot write
// does not read any more.
func (c *conn) linger() {
	const most, wait = 30 * time.Second, 2 * time.Second
	w, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || w.CloseWrite() != nil {
		return
	}
	buf := make([]byte, 32<<10)
	for end := time.Now().Add(most); time.Now().Before(end); {
		_ = c.SetReadDeadline(time.Now().Add(wait))
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

// sender writes with a deadline that moves on with what the caller takes.
type sender struct{ c *conn }

func (s sender) Write(p []byte) (int, error) {
	if err := s.c.SetWriteDeadline(time.Now().Add(s.c.times.Send)); err != nil {
		return 0, err
	}
	return s.c.Conn.Write(p)
}
