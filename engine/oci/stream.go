//go:build linux

package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"

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
