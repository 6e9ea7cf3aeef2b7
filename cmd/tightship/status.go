package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tightship-dev/tightship/report"
)

// status is the line at the bottom of a terminal that says what is awaited. It
// needs no escape sequence: it is overwritten with spaces.
type status struct {
	w       io.Writer
	width   int
	started time.Time
	what    string
	frame   int
	shown   int // characters on the line now
	stop    chan struct{}
}

const tick = 120 * time.Millisecond

// startStatus shows what is awaited until stopStatus, where stderr is a
// terminal.
func (u *ui) startStatus(what string) {
	if u.errWidth == 0 || u.quiet {
		return
	}
	s := &status{w: u.err.w, width: u.errWidth, started: time.Now(), what: what, stop: make(chan struct{})}
	u.mu.Lock()
	u.status = s
	s.draw()
	u.mu.Unlock()
	go func() {
		t := time.NewTicker(tick)
		defer t.Stop()
		for {
			select {
			case <-s.stop:
				return
			case <-t.C:
				u.mu.Lock()
				if u.status == s {
					s.draw()
				}
				u.mu.Unlock()
			}
		}
	}()
}

// setStatus changes what is awaited.
func (u *ui) setStatus(what string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.status != nil {
		u.status.what = what
		u.status.draw()
	}
}

// stopStatus erases the line for good.
func (u *ui) stopStatus() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.status != nil {
		u.status.erase()
		close(u.status.stop)
		u.status = nil
	}
}

func (s *status) draw() {
	frames := `|/-\`
	line := fmt.Sprintf("%c %s (%ds)", frames[s.frame%len(frames)], s.what, int(time.Since(s.started).Seconds()))
	s.frame++
	// The last column stays free: writing to it makes some terminals wrap.
	line = report.Wrap(line, s.width-1)[0]
	_, _ = io.WriteString(s.w, "\r"+line+strings.Repeat(" ", max(0, s.shown-len(line))))
	s.shown = max(s.shown, len(line))
}

func (s *status) erase() {
	if s.shown > 0 {
		_, _ = io.WriteString(s.w, "\r"+strings.Repeat(" ", s.shown)+"\r")
		s.shown = 0
	}
}
