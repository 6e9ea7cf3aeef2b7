// Command tightship runs AI agents in containers that can be proved tight.
//
// This package is flags, wiring and exit codes. What the program does is in the
// packages it imports; how it talks to people is in ui.go.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set by the linker: -ldflags "-X main.version=v1.2.3".
var version string

func main() {
	ctx, stop := withSignals(context.Background())
	code := newApp().run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// stopped is why a context ended: a signal. It makes the exit code.
type stopped struct{ signal syscall.Signal }

func (s stopped) Error() string {
	switch s.signal {
	case syscall.SIGINT:
		return "interrupted"
	case syscall.SIGTERM:
		return "terminated"
	}
	return fmt.Sprintf("stopped by signal %d", s.signal)
}

// exitCode is what a shell shows for a program that died of the signal.
func (s stopped) exitCode() int { return 128 + int(s.signal) }

// together is how close two signals count as one: a terminal, a shell and
// timeout(1) may each pass the same one on.
const together = 500 * time.Millisecond

// withSignals returns a context that the first SIGINT, SIGTERM or SIGHUP ends,
// so that everything created is removed. The second one ends the program at
// once, for whoever cannot wait; `tightship clean` removes what is left then.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ch := make(chan os.Signal, 2)
	wanted := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it, and means it
		wanted = append(wanted, syscall.SIGHUP)
	}
	signal.Notify(ch, wanted...)

	// Without this, writing to a pipe that nobody reads any more would kill the
	// program before it has cleaned up. With it the write returns EPIPE.
	// signal.Ignore would do the same here, but children would inherit it.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)

	go func() {
		var first time.Time
		for {
			s, ok := (<-ch).(syscall.Signal)
			switch {
			case !ok:
				return
			case first.IsZero():
				first = time.Now()
				cancel(stopped{s})
			case time.Since(first) > together:
				os.Exit(stopped{s}.exitCode())
			}
		}
	}()
	return ctx, func() {
		signal.Stop(ch)
		cancel(nil)
	}
}
