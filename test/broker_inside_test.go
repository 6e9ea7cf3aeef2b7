package test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// wait calls f until it is content.
func (w *brokerWorld) wait(what string, f func() bool) {
	w.t.Helper()
	const most = 60 * time.Second // of a machine that is busy with others
	for deadline := time.Now().Add(most); !f(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("after %v still not: %s", most, what)
		}
	}
}

// tightship runs the program to its end.
func (w *brokerWorld) tightship(args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	return finish(w.t, exec.Command(filepath.Join(bin, "tightship"), args...))
}

// must is tightship where anything but success is an error.
func (w *brokerWorld) must(args ...string) string {
	w.t.Helper()
	stdout, stderr, code := w.tightship(args...)
	if code != 0 {
		w.t.Fatalf("tightship %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// exec runs a shell's line in the container, as its user.
func (w *brokerWorld) exec(env []string, script string) (stdout, stderr string, code int) {
	w.t.Helper()
	return finish(w.t, w.inside(w.id, env, script))
}

// inside is a shell's line in a container.
func (w *brokerWorld) inside(id string, env []string, script string) *exec.Cmd {
	args := []string{"exec"}
	for _, e := range env {
		args = append(args, "--env", e)
	}
	return exec.Command("docker", append(args, id, "sh", "-c", script)...)
}

// finish runs a command and kills what does not end.
func finish(t *testing.T, c *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
	defer cancel()
	limited := exec.CommandContext(ctx, c.Path, c.Args[1:]...)
	limited.Env, limited.Dir, limited.WaitDelay = c.Env, c.Dir, 5*time.Second
	var out, errs bytes.Buffer
	limited.Stdout, limited.Stderr = &out, &errs
	err := limited.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s: %v %v\n%s%s", strings.Join(c.Args, " "), err, ctx.Err(), out.String(), errs.String())
	}
	return out.String(), errs.String(), limited.ProcessState.ExitCode()
}

// curl is curl in the container, over the socket itself; the last line is the status.
func (w *brokerWorld) curl(args string) (body, status string) {
	w.t.Helper()
	stdout, stderr, code := w.exec(nil, curlLine+args)
	body, status, ok := cutLast(stdout, "\n")
	if !ok {
		w.t.Fatalf("curl %s: exit code %d: %s%s", args, code, stdout, stderr)
	}
	return body, status
}

const curlLine = "/clients/curl/loader --library-path /clients/curl/lib /clients/curl/curl --silent --show-error --max-time 60 " +
	"--unix-socket /run/tightship/broker.sock --write-out '\\n%{http_code}' "

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// background is a command in the container that is still at work.
type background struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

func (b *background) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

// said is what it wrote so far.
func (b *background) said() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.String()
}

// begin starts a shell's line in the container.
func (w *brokerWorld) begin(env []string, script string) *background {
	w.t.Helper()
	b := &background{cmd: w.inside(w.id, env, script), done: make(chan struct{})}
	b.cmd.Stdout, b.cmd.Stderr, b.cmd.WaitDelay = b, b, 5*time.Second
	if err := b.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		_ = b.cmd.Wait() // its exit code is in ProcessState
		close(b.done)
	}()
	w.t.Cleanup(func() {
		_ = b.cmd.Process.Kill()
		<-b.done
	})
	return b
}

// code waits for the end.
func (w *brokerWorld) code(b *background) int {
	w.t.Helper()
	w.wait("it ends: "+strings.Join(b.cmd.Args, " "), func() bool {
		select {
		case <-b.done:
			return true
		default:
			return false
		}
	})
	return b.cmd.ProcessState.ExitCode()
}
