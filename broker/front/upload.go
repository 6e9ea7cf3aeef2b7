package front

import (
	"bufio"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// upload is a request's body as the one reads it who passes it on, while another
// answers: an upstream may answer before it has read everything, and whoever writes
// to it may only then find out.
type upload struct {
	c    *conn
	read atomic.Int64
	done atomic.Bool // read to its end: what comes next is another request

	reading sync.Mutex // held while reading
	body    body
	stopped atomic.Bool

	going   sync.Mutex
	waiting bool // the caller waits for 100 Continue
	settled bool // an answer has begun, and 100 Continue would come too late
}

func newUpload(c *conn, br *bufio.Reader, h *Head) *upload {
	u := &upload{c: c, waiting: h.waiting, body: body{r: br, left: max(h.Length, 0), chunked: h.Length < 0}}
	u.done.Store(h.Length == 0)
	return u
}

// errStopped is for whoever still reads when the exchange is over.
var errStopped = errors.New("front: the request was answered before its body was read")

// Read reads the body with a deadline that moves on with what comes.
func (u *upload) Read(p []byte) (int, error) {
	u.reading.Lock()
	defer u.reading.Unlock()
	if err := u.proceed(); err != nil {
		return 0, err
	}
	if err := u.c.SetReadDeadline(time.Now().Add(u.c.times.Body)); err != nil {
		return 0, err
	}
	if u.stopped.Load() { // after the deadline is set, as stop moves it back
		return 0, errStopped
	}
	n, err := u.body.Read(p)
	u.read.Add(int64(n))
	if u.body.left == 0 && !u.body.chunked && u.body.complete() {
		u.done.Store(true)
	}
	return n, err
}

// ahead reads what came together with the head, up to most bytes. A body that is
// wrong from the beginning is found out before anything is done with it.
func (u *upload) ahead(most int) ([]byte, error) {
	var all []byte
	for !u.done.Load() && u.body.r.Buffered() > 0 && len(all) < most {
		part := make([]byte, most-len(all))
		n, err := u.Read(part)
		all = append(all, part[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// Close does nothing: what is left of the body is the server's.
func (u *upload) Close() error { return nil }

// proceed tells a caller that waits for it to send the body.
func (u *upload) proceed() error {
	u.going.Lock()
	defer u.going.Unlock()
	if !u.waiting {
		return nil
	}
	if u.settled {
		return errStopped
	}
	u.waiting = false
	_, err := sender{u.c}.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	return err
}

// settle is called when an answer begins. It says whether the whole body was read.
func (u *upload) settle() bool {
	u.going.Lock()
	defer u.going.Unlock()
	u.settled = true
	return u.done.Load()
}

// stop waits until nobody reads the body, and lets nobody begin.
func (u *upload) stop() {
	u.stopped.Store(true)
	if !u.done.Load() {
		_ = u.c.SetReadDeadline(time.Unix(1, 0))
	}
	u.reading.Lock()
	defer u.reading.Unlock()
}
