//go:build linux

package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/tightship-dev/tightship/engine"
)

// process is a runtime's command that runs in the foreground, one per container
// or exec, and ends with the code of what it runs.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended and code is set
	code int
}

// kill ends the command with all of its session that is not in a container.
func (p *process) kill() {
	if !p.ended() {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// watch waits for a started command.
func watch(c *exec.Cmd, atEnd func(code int)) *process {
	p := &process{pid: c.Process.Pid, done: make(chan struct{})}
	go func() {
		_ = c.Wait() // the code says more
		p.code = c.ProcessState.ExitCode()
		if ws, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			p.code = 128 + int(ws.Signal())
		}
		atEnd(p.code)
		close(p.done)
	}()
	return p
}

// Attach makes the streams that the first process will have; call it before
// Start. Both outputs must be read, or the process waits for that.
func (e *Engine) Attach(ctx context.Context, id string) (*engine.Stream, error) {
	r, err := e.store.find(id)
	if err != nil {
		return nil, err
	}
	p, err := newPipes(r.OpenStdin)
	if err != nil {
		return nil, fmt.Errorf("oci: attach: %w", err)
	}
	e.mu.Lock()
	old, run := e.attached[r.ID], e.processes[r.ID]
	if old == nil && run == nil {
		e.attached[r.ID] = p
	}
	e.mu.Unlock()
	if old != nil || run != nil {
		p.close()
		return nil, fmt.Errorf("oci: attach: %w: container %s is attached to or started already", ErrInput, r.Name)
	}
	return p.stream(ctx, nil), nil
}

// Start runs the container and returns when its first process does.
func (e *Engine) Start(ctx context.Context, id string) error {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	r, err := e.store.find(id)
	if err != nil {
		return err
	}
	// Nobody removes it meanwhile.
	unlock, err := e.store.lockContainer(ctx, r.ID)
	if err != nil {
		return err
	}
	defer unlock()
	if err := e.start(ctx, r); err != nil {
		return fmt.Errorf("oci: start: %w", err)
	}
	return nil
}

func (e *Engine) start(ctx context.Context, r record) error {
	dir := e.store.container(r.ID)
	log, pidFile := filepath.Join(dir, "run.log"), filepath.Join(dir, "pid")
	// The log is the mark of a start, too.
	mark, err := os.OpenFile(log, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: container %s was started before", ErrInput, r.Name)
	}
	if err != nil {
		return err
	}
	mark.Close()
	args := append(e.flags(r, log), "run", "--bundle", dir, "--pid-file", pidFile, r.ID)
	// It outlives this call.
	c := command(context.Background(), r.RuntimePath, args...)
	e.mu.Lock()
	p := e.attached[r.ID]
	delete(e.attached, r.ID)
	e.mu.Unlock()
	if p != nil {
		p.give(c)
		defer p.started()
	}
	var prepare func() error
	if r.Lower != "" {
		prepare = func() error { return mountRoot(dir, r.Lower) }
	}
	if err := startIn(c, prepare); err != nil {
		return err
	}
	run := watch(c, func(code int) {
		// For other processes; the container may be removed by now.
		_ = os.WriteFile(filepath.Join(dir, "exit"), []byte(strconv.Itoa(code)), 0o600)
	})
	e.mu.Lock()
	e.processes[r.ID] = run
	e.mu.Unlock()
	return e.running(ctx, r, run, log, pidFile)
}

// running waits until the first process runs, or ran.
func (e *Engine) running(ctx context.Context, r record, run *process, log, pidFile string) error {
	for {
		ended := run.ended() // before the rest is looked at
		if pid, err := os.ReadFile(pidFile); err == nil && len(pid) > 0 {
			if r.Runtime != "runsc" {
				return nil
			}
			// gVisor writes the file before the process starts.
			if !ended {
				s, err := e.state(ctx, r)
				if err != nil {
					return err
				}
				if s.Status == "running" {
					return nil
				}
			}
		}
		if ended {
			if message := complaint(log); message != "" {
				return &runtimeError{r.Runtime, message}
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not start it: %w", r.Runtime, ctx.Err())
		case <-run.done:
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// complaint is the last error in a runtime's log, "" for none.
func complaint(log string) string {
	f, err := os.Open(log)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return ""
	}
	return lastError(data, nil)
}
