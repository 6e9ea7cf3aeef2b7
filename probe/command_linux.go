package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ran is how one of the image's programs ended.
type ran struct {
	output string
	err    error
}

// command runs a program of the image by execve, without a shell, in its own
// process group and with a time limit.
func (s *session) command(argv []string, extraEnv ...string) ran {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout())
	defer cancel()
	var out limited
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), extraEnv...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = time.Second // a grandchild may hold the pipe open
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		err = unix.ENOENT
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer within %s: %w", s.timeout(), os.ErrDeadlineExceeded)
	}
	return ran{output: strings.TrimSpace(out.String()), err: err}
}

func (s *session) timeout() time.Duration {
	if ms := s.plan.Params.CommandTimeout; ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return childTime
}

// limited keeps the first part of what a program prints and drops the rest.
type limited struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *limited) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if room := MaxText/2 - l.buf.Len(); room > 0 {
		l.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (l *limited) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// parallel runs the commands, two at a time unless they must go one by one, and
// records them in order.
func (s *session) parallel(r *recorder, act string, names []string, argvs [][]string) {
	results := make([]ran, len(argvs))
	slots := make(chan struct{}, 2)
	if s.plan.Params.OneByOne {
		slots = make(chan struct{}, 1)
	}
	var all sync.WaitGroup
	for i, argv := range argvs {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] = s.command(argv)
		})
	}
	all.Wait()
	for i, res := range results {
		a := r.try(act, names[i], res.err)
		a.Note = clip(res.output)
		if res.err != nil && res.output == "" {
			a.Note = clip(res.err.Error())
		}
	}
}

// envCommands runs the policy's environment commands.
func envCommands(s *session, r *recorder) {
	var names []string
	for _, argv := range s.plan.Params.Commands {
		if len(argv) == 0 {
			r.fail("an empty command")
			return
		}
		names = append(names, strings.Join(argv, " "))
	}
	s.parallel(r, "run", names, s.plan.Params.Commands)
}

// envPython imports each Python package, which is more than finding it.
func envPython(s *session, r *recorder) {
	python := "python3"
	for _, argv := range s.plan.Params.Commands {
		if len(argv) > 0 && strings.HasPrefix(filepath.Base(argv[0]), "python") {
			python = argv[0]
			break
		}
	}
	var argvs [][]string
	for _, p := range s.plan.Params.PythonPackages {
		argvs = append(argvs, []string{python, "-c", "import importlib,sys; importlib.import_module(sys.argv[1])", p})
	}
	s.parallel(r, "import", s.plan.Params.PythonPackages, argvs)
}
