//go:build linux

package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// Inspect says how a container is and what the runtime was told. Whether a
// process was killed for its memory is not known here.
func (e *Engine) Inspect(ctx context.Context, id string) (engine.State, error) {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	r, err := e.store.find(id)
	if err != nil {
		return engine.State{}, err
	}
	var bundle specs.Spec
	if err := readJSON(filepath.Join(e.store.container(r.ID), "config.json"), &bundle); err != nil {
		return engine.State{}, fmt.Errorf("oci: inspect: %w: %w", engine.ErrBadAnswer, err)
	}
	s, err := e.state(ctx, r)
	if err != nil {
		return engine.State{}, err
	}
	out := engine.State{ID: r.ID, Declared: e.declared(r, &bundle), Other: slices.Clone(r.Other)}
	slices.Sort(out.Other)
	if out.Running = s.Status == "running" || s.Status == "paused"; out.Running {
		out.PID = s.PID
		return out, nil
	}
	code, known, err := e.exitCode(r.ID)
	if err != nil {
		return engine.State{}, err
	}
	out.ExitCode = code
	if !known {
		out.Error = "the process that started it ended first: its exit code is not known"
	}
	return out, nil
}

// exitCode is a container's that does not run: 0 before its start.
func (e *Engine) exitCode(id string) (code int, known bool, err error) {
	e.mu.Lock()
	run := e.processes[id]
	e.mu.Unlock()
	if run != nil && run.ended() {
		return run.code, true, nil
	}
	dir := e.store.container(id)
	if _, err := os.Lstat(filepath.Join(dir, "run.log")); errors.Is(err, fs.ErrNotExist) {
		return 0, true, nil
	}
	data, err := os.ReadFile(filepath.Join(dir, "exit"))
	if errors.Is(err, fs.ErrNotExist) {
		return -1, false, nil
	}
	if err == nil {
		code, err = strconv.Atoi(string(data))
	}
	if err != nil {
		return 0, false, fmt.Errorf("oci: %w: the exit code: %w", engine.ErrBadAnswer, err)
	}
	return code, true, nil
}

// Wait blocks until the container is not running, as long as ctx allows. One
// that was never started is not running.
func (e *Engine) Wait(ctx context.Context, id string) (int, error) {
	r, err := e.store.find(id)
	if err != nil {
		return 0, err
	}
	e.mu.Lock()
	run := e.processes[r.ID]
	e.mu.Unlock()
	if run != nil {
		select {
		case <-run.done:
			return run.code, nil
		case <-ctx.Done():
			return 0, fmt.Errorf("oci: wait: %w", ctx.Err())
		}
	}
	for {
		st, err := e.Inspect(ctx, r.ID)
		switch {
		case err != nil:
			return 0, err
		case !st.Running && st.Error != "":
			return 0, fmt.Errorf("oci: wait: %s", st.Error)
		case !st.Running:
			return st.ExitCode, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("oci: wait: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

var signalName = regexp.MustCompile(`^(SIG)?[A-Z][A-Z0-9+-]{0,15}$|^[0-9]{1,2}$`)

// Kill sends a signal to a container's first process.
func (e *Engine) Kill(ctx context.Context, id, signal string) error {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	r, err := e.store.find(id)
	if err != nil {
		return err
	}
	if !signalName.MatchString(signal) {
		return fmt.Errorf("oci: kill: %w: signal %q", ErrInput, text.OneLine(signal))
	}
	if _, err := e.call(ctx, r, "kill", r.ID, signal); err != nil {
		return fmt.Errorf("oci: kill: %w", err)
	}
	return nil
}
