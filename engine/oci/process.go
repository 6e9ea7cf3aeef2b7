//go:build linux

package oci

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/tightship-dev/tightship/engine"
)

// pipes are the two ends of a process's standard streams.
type pipes struct {
	child, ours [3]*os.File // stdin, stdout, stderr; stdin may be missing
}

func newPipes(stdin bool) (*pipes, error) {
	p := &pipes{}
	for i := range p.child {
		if i == 0 && !stdin {
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			p.close()
			return nil, err
		}
		p.child[i], p.ours[i] = w, r
		if i == 0 {
			p.child[i], p.ours[i] = r, w
		}
	}
	return p, nil
}

func (p *pipes) close() {
	p.started()
	for _, f := range p.ours {
		if f != nil {
			f.Close()
		}
	}
}

// started closes the ends that the child has copies of.
func (p *pipes) started() {
	for _, f := range p.child {
		if f != nil {
			f.Close()
		}
	}
}

// give makes the pipes a command's streams.
func (p *pipes) give(c *exec.Cmd) {
	if p.child[0] != nil {
		c.Stdin = p.child[0]
	}
	c.Stdout, c.Stderr = p.child[1], p.child[2]
}

// stream is the caller's view. It ends with ctx. atEnd says whether an output
// that ended did so in order.
func (p *pipes) stream(ctx context.Context, atEnd func() error) *engine.Stream {
	var once sync.Once
	ended := func() { once.Do(p.close) }
	stop := context.AfterFunc(ctx, ended)
	read := func(f *os.File) io.Reader { return &output{f: f, ctx: ctx, atEnd: atEnd} }
	s := &engine.Stream{
		Stdin: noStdin{}, Stdout: read(p.ours[1]), Stderr: read(p.ours[2]),
		Close: func() error { stop(); ended(); return nil },
	}
	if p.ours[0] != nil {
		s.Stdin = stdin{p.ours[0]}
	}
	return s
}

// output reads one of a process's outputs.
type output struct {
	f     *os.File
	ctx   context.Context
	atEnd func() error
}

func (o *output) Read(b []byte) (int, error) {
	n, err := o.f.Read(b)
	switch {
	case err == nil:
		return n, nil
	case o.ctx.Err() != nil:
		return n, fmt.Errorf("oci: stream: %w", o.ctx.Err())
	case errors.Is(err, os.ErrClosed):
		return n, io.EOF
	case err == io.EOF && o.atEnd != nil:
		if err := o.atEnd(); err != nil {
			return n, fmt.Errorf("oci: stream: %w", err)
		}
	}
	return n, err
}

// stdin can be closed twice.
type stdin struct{ *os.File }

func (s stdin) Close() error {
	if err := s.File.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// noStdin stands for the input of a process that was started without one.
type noStdin struct{}

func (noStdin) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
func (noStdin) Close() error              { return nil }

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

// Exec starts a process in a running container and connects to it. It has the
// container's environment, limits, bounding set and system call filter. Reading
// ends with an error instead of io.EOF where it could not be started.
func (e *Engine) Exec(ctx context.Context, id string, x engine.Exec) (*engine.Stream, error) {
	r, err := e.store.find(id)
	if err != nil {
		return nil, err
	}
	s, err := e.exec(ctx, r, x)
	if err != nil {
		return nil, fmt.Errorf("oci: exec: %w", err)
	}
	return s, nil
}

func (e *Engine) exec(ctx context.Context, r record, x engine.Exec) (*engine.Stream, error) {
	if len(x.Argv) == 0 {
		return nil, fmt.Errorf("%w: no command", ErrInput)
	}
	dir := e.store.container(r.ID)
	spec, err := e.execProcess(dir, r, x)
	if err != nil {
		return nil, err
	}
	base := filepath.Join(dir, "exec-"+strings.ToLower(rand.Text()))
	file, log := base+".json", base+".log"
	if err := writeJSON(file, spec); err != nil {
		return nil, err
	}
	p, err := newPipes(x.Stdin)
	if err != nil {
		return nil, err
	}
	c := command(ctx, r.RuntimePath, append(e.flags(r, log), "exec", "--process", file, r.ID)...)
	p.give(c)
	if err := c.Start(); err != nil {
		p.close()
		return nil, err
	}
	p.started()
	var failed error
	run := watch(c, func(code int) {
		if message := complaint(log); code != 0 && message != "" {
			failed = &runtimeError{r.Runtime, message}
		}
		_ = os.Remove(file)
		_ = os.Remove(log)
	})
	return p.stream(ctx, func() error {
		select {
		case <-run.done:
			return failed
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Second):
			return nil // it closed its output and goes on
		}
	}), nil
}

// execProcess is the container's process with another command and user.
func (e *Engine) execProcess(dir string, r record, x engine.Exec) (*specs.Process, error) {
	var bundle specs.Spec
	if err := readJSON(filepath.Join(dir, "config.json"), &bundle); err != nil {
		return nil, err
	}
	p := bundle.Process
	if p == nil || p.Capabilities == nil {
		return nil, fmt.Errorf("%w: the bundle has no process", engine.ErrBadAnswer)
	}
	p.Args = x.Argv
	if x.User == "" {
		return p, nil
	}
	img := &rootImage{rootfs: bundle.Root.Path}
	if r.Lower != "" {
		img.rootfs = r.Lower
	}
	var err error
	if p.User, err = img.lookUp(x.User, r.Groups); err != nil {
		return nil, err
	}
	p.Capabilities = capabilities(p.Capabilities.Bounding, p.User.UID)
	return p, nil
}
