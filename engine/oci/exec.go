//go:build linux

package oci

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/tightship-dev/tightship/engine"
)

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
