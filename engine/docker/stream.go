package docker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
)

// maxHeld is how much of one output is held back while the other is read.
const maxHeld = 1 << 20

// Attach connects to the streams of a container's first process.
func (e *Engine) Attach(ctx context.Context, id string) (*engine.Stream, error) {
	if err := checkName(id, engine.ErrNoContainer); err != nil {
		return nil, err
	}
	query := url.Values{"stream": {"1"}, "stdin": {"1"}, "stdout": {"1"}, "stderr": {"1"}}
	return e.open(ctx, "attach", engine.ErrNoContainer, "/containers/"+id+"/attach", query, nil, true, nil)
}

// Exec starts a process in a running container and connects to it. It has the
// container's environment and working directory, and no terminal. If the process
// cannot be started, Docker says why on the process's own stdout; reading then
// ends with an error instead of io.EOF, so that this is never mistaken for
// something the process said.
func (e *Engine) Exec(ctx context.Context, id string, x engine.Exec) (*engine.Stream, error) {
	if err := checkName(id, engine.ErrNoContainer); err != nil {
		return nil, err
	}
	if len(x.Argv) == 0 {
		return nil, fmt.Errorf("docker: exec: %w: no command", errInput)
	}
	var created client.ExecCreateResult
	err := e.do(ctx, "exec", engine.ErrNoContainer, func(ctx context.Context) (err error) {
		created, err = e.cli.ExecCreate(ctx, id, client.ExecCreateOptions{
			User: x.User, Cmd: x.Argv, AttachStdin: x.Stdin, AttachStdout: true, AttachStderr: true,
		})
		if err != nil {
			return err
		}
		return checkID(created.ID)
	})
	if err != nil {
		return nil, err
	}
	return e.open(ctx, "exec", nil, "/exec/"+created.ID+"/start", nil, container.ExecStartRequest{}, x.Stdin,
		func() error { return e.started(ctx, created.ID) })
}

// started is an error if an exec that has ended never had a process.
func (e *Engine) started(ctx context.Context, exec string) error {
	var r client.ExecInspectResult
	err := e.do(ctx, "exec", nil, func(ctx context.Context) (err error) {
		r, err = e.cli.ExecInspect(ctx, exec, client.ExecInspectOptions{})
		return err
	})
	// The container may be gone by now, and its execs with it: no news.
	never := r.PID == 0 && r.ExitCode != 0
	if e.podman {
		// It forgets the number of every process that has ended. These codes, a
		// shell's for "cannot run" and "not found", are all there is to go by.
		never = r.ExitCode == 126 || r.ExitCode == 127
	}
	if err == nil && !r.Running && never {
		return fmt.Errorf("%w (exit code %d)", errNotStarted, r.ExitCode)
	}
	return nil
}

func (e *Engine) open(ctx context.Context, call string, notFound error, route string, query url.Values, request any, stdin bool, atEnd func() error) (*engine.Stream, error) {
	var conn net.Conn
	var br *bufio.Reader
	err := e.do(ctx, call, notFound, func(ctx context.Context) (err error) {
		conn, br, err = e.hijack(ctx, route, query, request)
		return err
	})
	if err != nil {
		return nil, err
	}
	return newStream(ctx, conn, br, stdin, atEnd), nil
}

// newStream takes a connection apart into the three streams. It ends with ctx.
// A stream that ends in order ends with what atEnd says.
func newStream(ctx context.Context, conn net.Conn, br *bufio.Reader, stdin bool, atEnd func() error) *engine.Stream {
	stdout, stderr := newBuffer(maxHeld), newBuffer(maxHeld)
	closed := sync.OnceValue(func() error {
		stdout.drop(io.EOF)
		stderr.drop(io.EOF)
		return conn.Close()
	})
	stop := context.AfterFunc(ctx, func() {
		err := fmt.Errorf("docker: stream: %w", ctx.Err())
		stdout.drop(err)
		stderr.drop(err)
		conn.Close()
	})
	go func() {
		err := demultiplex(br, stdout, stderr)
		if err == nil && atEnd != nil {
			err = atEnd()
		}
		if err == nil {
			err = io.EOF
		} else {
			err = fmt.Errorf("docker: stream: %w", err)
		}
		stop()
		stdout.end(err)
		stderr.end(err)
		conn.Close()
	}()
	s := &engine.Stream{Stdout: stdout, Stderr: stderr, Close: func() error { stop(); return closed() }, Stdin: noStdin{}}
	if stdin {
		s.Stdin = &stdinWriter{conn: conn}
	}
	return s
}

// stdinWriter writes to the process. Closing it closes only this direction.
type stdinWriter struct {
	conn net.Conn
	mu   sync.Mutex
	shut bool
}

func (w *stdinWriter) Write(p []byte) (int, error) {
	n, err := w.conn.Write(p)
	if err != nil {
		return n, fmt.Errorf("docker: stdin: %w", err)
	}
	return n, nil
}

func (w *stdinWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shut {
		return nil
	}
	w.shut = true
	half, ok := w.conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.New("docker: stdin: this connection cannot be closed in one direction")
	}
	return half.CloseWrite()
}

// noStdin stands for the input of a process that was started without one.
type noStdin struct{}

func (noStdin) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
func (noStdin) Close() error              { return nil }
