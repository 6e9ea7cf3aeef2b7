package front

import (
	"sync"
	"time"
)

// watch ends an exchange's context when its caller goes away in the meantime. It
// only looks: a request that was sent ahead stays where it is.
type watch struct {
	x     *Exchange
	timer *time.Timer

	mu      sync.Mutex
	stopped bool
	done    chan struct{} // closed when the look is over; nil while there is none
}

func startWatch(x *Exchange) *watch {
	w := &watch{x: x}
	w.mu.Lock() // as run looks at the timer
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(watchAfter, w.run)
	return w
}

func (w *watch) run() {
	w.mu.Lock()
	if w.stopped {
		w.mu.Unlock()
		return
	}
	if !w.x.up.done.Load() { // who reads the body sees it end
		w.timer.Reset(watchAfter)
		w.mu.Unlock()
		return
	}
	w.done = make(chan struct{})
	_ = w.x.conn.SetReadDeadline(time.Time{})
	w.mu.Unlock()
	defer close(w.done)
	// An error is the deadline that stop sets, or a connection that is closed.
	_ = w.x.conn.raw.Read(func(fd uintptr) bool {
		if poll(fd) == gone {
			w.x.cancel()
			return true
		}
		return false
	})
}

func (w *watch) stop() {
	w.timer.Stop()
	w.mu.Lock()
	w.stopped = true
	done := w.done
	if done != nil {
		_ = w.x.conn.SetReadDeadline(time.Unix(1, 0))
	}
	w.mu.Unlock()
	if done != nil {
		<-done
	}
}
