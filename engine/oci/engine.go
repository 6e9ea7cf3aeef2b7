//go:build linux

package oci

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/engine"
)

// Engine runs containers as children of this process.
type Engine struct {
	store    store
	runtimes map[string]ociRuntime
	standard string // name of the default runtime
	root     bool   // limits, owners and mounts can be had
	timeout  time.Duration

	mu        sync.Mutex
	attached  map[string]*pipes   // by container ID, until it is started
	processes map[string]*process // by container ID, those we started
}

var _ engine.Deriver = (*Engine)(nil)

// New finds the runtimes and opens the state directory. Without any runtime the
// error wraps engine.ErrUnreachable.
func New(ctx context.Context, o Options) (engine.Engine, error) {
	e := &Engine{
		root: os.Geteuid() == 0, timeout: o.Timeout,
		attached: map[string]*pipes{}, processes: map[string]*process{},
	}
	if e.timeout <= 0 {
		e.timeout = DefaultTimeout
	}
	if e.runtimes = findRuntimes(o.Beside); len(e.runtimes) == 0 {
		return nil, hinted{fmt.Errorf("oci: %w: no OCI runtime (%s) beside this program or on PATH", engine.ErrUnreachable, strings.Join(known, ", ")),
			"`make build` makes bin/runsc; or install runc"}
	}
	var err error
	if e.standard, err = e.preferred(); err != nil {
		return nil, fmt.Errorf("oci: %w: %w", engine.ErrUnreachable, err)
	}
	if e.store, err = openStore(o.Dir, e.root); err != nil {
		return nil, fmt.Errorf("oci: %w", err)
	}
	return e, nil
}

// preferred is the default runtime: what nearly every engine uses, where it can
// be used, else gVisor's. The error says why the last one cannot.
func (e *Engine) preferred() (name string, err error) {
	for _, name := range known {
		if r, ok := e.runtimes[name]; ok {
			if err = e.usable(r); err == nil {
				return name, nil
			}
		}
	}
	return "", err
}

// Close forgets the containers this process started; it does not end them.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, p := range e.attached {
		p.close()
		delete(e.attached, id)
	}
	return nil
}

// Info describes this machine.
func (e *Engine) Info(ctx context.Context) (engine.Info, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return engine.Info{}, fmt.Errorf("oci: %w", err)
	}
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return engine.Info{}, fmt.Errorf("oci: %w", err)
	}
	version, err := e.runtimes[e.standard].version(ctx)
	if err != nil {
		return engine.Info{}, err
	}
	programs := map[string]engine.Program{}
	for name, r := range e.runtimes {
		programs[name] = engine.Program{Path: r.path}
	}
	return engine.Info{
		Name: "oci", Version: version, OS: "linux", Arch: goruntime.GOARCH,
		Kernel: unix.ByteSliceToString(u.Release[:]), NCPU: goruntime.NumCPU(),
		Memory: int64(uint64(s.Totalram) * uint64(s.Unit)), Cgroup: "v" + cgroupVersion(),
		Runtimes: slices.Sorted(maps.Keys(e.runtimes)), Runtime: e.standard,
		Rootless: !e.root, Local: true, Programs: programs,
	}, nil
}

// bounded gives a context without a deadline one.
func (e *Engine) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, e.timeout)
}

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint is what to do about the error.
func (h hinted) Hint() string { return h.hint }

// defaultDir is where the state is. Not /run: it is often mounted nosuid, and a
// volume must be able to hold a setuid program.
func defaultDir(root bool) (string, error) {
	if root {
		return "/var/lib/tightship/oci", nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", hinted{fmt.Errorf("there is no place for containers and images: %w", err), "set HOME or XDG_CACHE_HOME"}
	}
	return filepath.Join(cache, "tightship", "oci"), nil
}
