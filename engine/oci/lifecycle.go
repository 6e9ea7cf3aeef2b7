//go:build linux

package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/engine"
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
		return fmt.Errorf("oci: kill: %w: signal %q", ErrInput, oneLine(signal))
	}
	if _, err := e.call(ctx, r, "kill", r.ID, signal); err != nil {
		return fmt.Errorf("oci: kill: %w", err)
	}
	return nil
}

// Remove ends a container and removes everything of it. It does not rest on the
// runtime's memory, which a kill at the wrong moment leaves behind reality: what
// still runs in the container's name, its cgroups and the runtime's files are
// looked for too.
func (e *Engine) Remove(ctx context.Context, id string) error {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	r, err := e.store.find(id)
	if errors.Is(err, engine.ErrNoContainer) {
		return nil
	}
	if err != nil {
		return err
	}
	unlock, err := e.store.lockContainer(ctx, r.ID)
	if errors.Is(err, engine.ErrNoContainer) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	e.mu.Lock()
	p, run := e.attached[r.ID], e.processes[r.ID]
	delete(e.attached, r.ID)
	e.mu.Unlock()
	if p != nil {
		p.close()
	}
	if err := e.end(ctx, r, run); err != nil {
		return fmt.Errorf("oci: remove: %w", err)
	}
	if run != nil {
		select {
		case <-run.done:
		case <-ctx.Done():
			return fmt.Errorf("oci: remove: %s does not end: %w", r.Runtime, ctx.Err())
		}
		e.mu.Lock()
		delete(e.processes, r.ID)
		e.mu.Unlock()
	}
	if err := e.store.drop(e.store.container(r.ID)); err != nil {
		return fmt.Errorf("oci: remove: %w", err)
	}
	return nil
}

// end kills everything that runs for a container; run is the runtime's command,
// where this process started it.
func (e *Engine) end(ctx context.Context, r record, run *process) error {
	// The runtime may fail, or not know the container at all: what counts is
	// what is left afterwards.
	short, cancel := context.WithTimeout(ctx, 5*time.Second)
	_, asked := e.call(short, r, "delete", "--force", r.ID)
	cancel()
	if run != nil {
		run.kill()
	}
	for {
		left := processesOf(r)
		for _, dir := range cgroupsOf(r) {
			left = append(left, inCgroup(dir)...)
		}
		if len(left) == 0 {
			break
		}
		for _, pid := range left {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v do not end (%s: %v): %w", left, r.Runtime, asked, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	for _, dir := range cgroupsOf(r) {
		if err := removeCgroup(ctx, dir); err != nil {
			return err
		}
	}
	leftovers, err := filepath.Glob(filepath.Join(e.store.runtimeDir(r.Runtime), "*"+r.ID+"*"))
	if err != nil {
		return err
	}
	for _, path := range leftovers {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// processesOf finds the runtime's processes for a container: its command has the
// container's ID, a hash that nothing else is called by, as a word.
func processesOf(r record) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err != nil {
			continue
		}
		words := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
		program := filepath.Base(words[0])
		if words[0] != "/proc/self/exe" && !strings.HasPrefix(program, r.Runtime) {
			continue
		}
		if slices.Contains(words, r.ID) && !zombie(entry.Name()) {
			found = append(found, pid)
		}
	}
	return found
}

// zombie says whether a process has ended and waits for its parent.
func zombie(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return true
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return len(rest) > 0 && (rest[0] == 'Z' || rest[0] == 'X')
}

// cgroupsOf lists a container's cgroups that are there: one per hierarchy on
// version 1.
func cgroupsOf(r record) []string {
	if r.CgroupPath == "" {
		return nil
	}
	found, _ := filepath.Glob(filepath.Join(cgroupRoot, "*", r.CgroupPath))
	if _, err := os.Lstat(filepath.Join(cgroupRoot, r.CgroupPath)); err == nil {
		found = append(found, filepath.Join(cgroupRoot, r.CgroupPath))
	}
	return found
}

// inCgroup lists the processes in a cgroup and those below it.
func inCgroup(dir string) []int {
	var found []int
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != "cgroup.procs" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for word := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 0 && !zombie(word) {
				found = append(found, pid)
			}
		}
		return nil
	})
	return found
}

// removeCgroup removes a cgroup and those below it. The kernel may still count
// processes that have just ended.
func removeCgroup(ctx context.Context, dir string) error {
	for {
		var dirs []string
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		var err error
		for _, d := range slices.Backward(dirs) {
			if rerr := unix.Rmdir(d); rerr != nil && !errors.Is(rerr, unix.ENOENT) {
				err = fmt.Errorf("cgroup %s: %w", d, rerr)
			}
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
