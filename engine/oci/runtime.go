//go:build linux

package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// known is the runtimes we drive, in the order in which a default is chosen.
var known = []string{"runc", "crun", "runsc"}

// ociRuntime is one runtime's command.
type ociRuntime struct{ name, path string }

// findRuntimes looks beside the program, then on PATH.
func findRuntimes(beside string) map[string]ociRuntime {
	found := map[string]ociRuntime{}
	for _, name := range known {
		path := filepath.Join(beside, name)
		if beside == "" || unix.Access(path, unix.X_OK) != nil {
			var err error
			if path, err = exec.LookPath(name); err != nil {
				continue
			}
		}
		if abs, err := filepath.Abs(path); err == nil {
			found[name] = ociRuntime{name, abs}
		}
	}
	return found
}

// usable says why a runtime cannot be used here.
func (e *Engine) usable(r ociRuntime) error {
	switch {
	case r.name != "runsc" && !e.root:
		return hinted{fmt.Errorf("%w: %s needs root here", engine.ErrRuntime, r.name),
			"an ordinary user runs containers with runsc, whose own kernel has every user ID: --runtime runsc"}
	case r.name == "crun" && cgroupHybrid():
		return hinted{fmt.Errorf("%w: crun refuses this machine's cgroups: versions 1 and 2 are both mounted (hybrid)", engine.ErrRuntime),
			"use runc or runsc here"}
	case r.name == "runsc" && strings.HasPrefix(r.path, "/tmp/"):
		return hinted{fmt.Errorf("%w: runsc cannot run from %s, as it mounts over /tmp", engine.ErrRuntime, r.path), "move it elsewhere"}
	}
	return nil
}

// runtime finds a runtime by name, "" being the default, and refuses one that
// cannot work here.
func (e *Engine) runtime(name string) (ociRuntime, error) {
	if name == "" {
		name = e.standard
	}
	r, ok := e.runtimes[name]
	if !ok {
		return r, hinted{fmt.Errorf("%w: %q", engine.ErrRuntime, name), "this engine drives " + strings.Join(known, ", ") + ", found beside this program or on PATH"}
	}
	return r, e.usable(r)
}

// flags are the runtime's own, before its command. They are the same for every
// command on one container, as runsc takes them anew each time.
func (e *Engine) flags(rec record, log string) []string {
	r := rec.runtime()
	flags := []string{"--root", e.store.runtimeDir(r.name)}
	if log != "" {
		flags = append(flags, "--log", log, "--log-format", "json")
	}
	if r.name != "runsc" {
		return flags
	}
	// Without oci-seccomp the profile would be ignored. A network of the
	// container's own has no interface but loopback, which gVisor brings itself.
	gvisor := "none"
	if rec.Network == "host" {
		gvisor = "host"
	}
	flags = append(flags, "--oci-seccomp", "--host-uds=none", "--network="+gvisor)
	if rec.RawSockets {
		flags = append(flags, "--net-raw") // or it would take the capability away
	}
	if rec.AllowSetuid {
		flags = append(flags, "--allow-suid") // or it would ignore the bit whatever it is told
	}
	if !e.root {
		// Overlays of the host's kernel are not to be had, so gVisor makes its own;
		// over volumes too, as only this one user exists for the machine.
		flags = append(flags, "--rootless", "--overlay2=all:memory")
	}
	if rec.CgroupPath == "" {
		flags = append(flags, "--ignore-cgroups")
	}
	return flags
}

// call runs one short command of a runtime and returns its standard output.
func (e *Engine) call(ctx context.Context, r record, args ...string) ([]byte, error) {
	rt := r.runtime()
	c := command(ctx, rt.path, append(e.flags(r, ""), args...)...)
	var out, complaint bytes.Buffer
	c.Stdout, c.Stderr = &limited{&out, 1 << 20}, &limited{&complaint, 64 << 10}
	err := c.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("oci: %s %s does not answer: %w", rt.name, args[0], ctx.Err())
	}
	if err != nil {
		return nil, &runtimeError{rt.name, lastError(complaint.Bytes(), err)}
	}
	return out.Bytes(), nil
}

// command prepares a process that a terminal's signals do not reach: they are
// ours to react to. It gets none of our environment but what finding programs
// takes: a token of the caller's is nothing for a runtime.
func command(ctx context.Context, path string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, path, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c.WaitDelay = time.Second
	c.Env = []string{"PATH=" + os.Getenv("PATH")}
	for _, name := range []string{"HOME", "XDG_RUNTIME_DIR", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			c.Env = append(c.Env, name+"="+v)
		}
	}
	return c
}

func (r ociRuntime) version(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c := command(ctx, r.path, "--version")
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("oci: %w: %s does not run: %w", engine.ErrUnreachable, r.path, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	line = strings.TrimPrefix(line, r.name+" version ")
	return text.OneLine(r.name + " " + line), nil
}

// runtimeError is a runtime's own complaint.
type runtimeError struct{ name, message string }

func (e *runtimeError) Error() string { return e.name + ": " + e.message }

// state is what `RUNTIME state` prints (the runtime specification's State).
type state struct {
	Status string `json:"status"`
	PID    int    `json:"pid"`
}

// state asks the runtime. A container it does not know of is not running.
func (e *Engine) state(ctx context.Context, r record) (state, error) {
	out, err := e.call(ctx, r, "state", r.ID)
	if complaint := (*runtimeError)(nil); errors.As(err, &complaint) {
		if gone(complaint.message) {
			return state{Status: "stopped"}, nil
		}
		return state{}, fmt.Errorf("oci: %w", err)
	}
	if err != nil {
		return state{}, err
	}
	var s state
	if err := json.Unmarshal(out, &s); err != nil || s.Status == "" {
		return state{}, fmt.Errorf("oci: %w: %s state says %s", engine.ErrBadAnswer, r.Runtime, text.OneLine(string(out)))
	}
	return s, nil
}

// gone recognizes a runtime's words for a container it does not have.
func gone(message string) bool {
	m := strings.ToLower(message)
	return strings.Contains(m, "does not exist") || strings.Contains(m, "no such file") || strings.Contains(m, "not exist")
}

// lastError finds the last error in what a runtime wrote: JSON values, its
// logger's text, or anything.
func lastError(out []byte, err error) string {
	message := ""
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case line[0] == '{':
			// runsc ends its values without a line feed.
			for dec := json.NewDecoder(strings.NewReader(line)); ; {
				var l struct{ Level, Msg string }
				if dec.Decode(&l) != nil {
					break
				}
				if l.Level == "error" || l.Level == "fatal" {
					message = l.Msg
				}
			}
		case strings.Contains(line, "level=error"), strings.Contains(line, "level=fatal"):
			if _, quoted, ok := strings.Cut(line, `msg="`); ok {
				line = strings.TrimSuffix(quoted, `"`)
			}
			message = line
		case !strings.Contains(line, "level="):
			message = line
		}
	}
	if message == "" && err != nil {
		message = err.Error()
	}
	return text.OneLine(message)
}
