package broker

import (
	"io"
	"sync/atomic"
	"time"
)

// alarm goes off when nothing has been read for a while.
type alarm struct {
	after time.Duration
	timer *time.Timer
	off   atomic.Bool
}

func newAlarm(after time.Duration, f func()) *alarm {
	a := &alarm{after: after}
	a.timer = time.AfterFunc(after, func() { a.off.Store(true); f() })
	return a
}

func (a *alarm) stop()      { a.timer.Stop() }
func (a *alarm) rang() bool { return a.off.Load() }

// reader is r, and puts the alarm off with all that it reads.
func (a *alarm) reader(r io.Reader) io.Reader { return &alarmed{r, a} }

type alarmed struct {
	r io.Reader
	a *alarm
}

func (r *alarmed) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 && r.a.timer.Stop() { // else it has gone off
		r.a.timer.Reset(r.a.after)
	}
	return n, err
}
