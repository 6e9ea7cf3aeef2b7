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
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/engine"
)

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
