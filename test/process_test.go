package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// timeLimit is what one process may take, on a machine that is busy with others.
const timeLimit = 90 * time.Second

type processesType struct{}

// processesKey finds a script's processes by name.
var processesKey processesType

// process is a tightship at work.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	done           chan struct{}
	late           *time.Timer

	mu    sync.Mutex
	runID string
}

// signOfLife is the file that a run holds open while it lives; its name is the
// run ID.
var signOfLife = regexp.MustCompile(`/tightship/runs/([0-9a-f]+-[0-9a-f]+)$`)

// launch starts a process and notes its run ID when it has one.
func launch(dir string, env []string, uid uint32, path string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.WaitDelay = 5 * time.Second
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if uid != 0 {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid}
		p.cmd.Dir = "/"
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.late = time.AfterFunc(timeLimit, p.kill)
	go func() {
		_ = p.cmd.Wait() // the exit code is in ProcessState
		close(p.done)
	}()
	// Others than verify have such files open too: those of the runs they look at.
	if slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, "verify") }) {
		go p.watch()
	}
	return p, nil
}

func (p *process) kill() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

func (p *process) watch() {
	fds := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	for {
		entries, _ := os.ReadDir(fds)
		for _, e := range entries {
			to, _ := os.Readlink(filepath.Join(fds, e.Name()))
			if m := signOfLife.FindStringSubmatch(to); m != nil {
				p.mu.Lock()
				p.runID = m[1]
				p.mu.Unlock()
				return
			}
		}
		select {
		case <-p.done:
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (p *process) id() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runID
}

// wait returns the exit code, as a shell would show it.
func (p *process) wait() (int, error) {
	<-p.done
	if !p.late.Stop() {
		return 0, fmt.Errorf("it did not end within %v", timeLimit)
	}
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}

// left is what the engine still holds of the run, by name: what an engine made
// by itself lacks the label.
func (p *process) left() ([]string, error) {
	id := p.id()
	if id == "" {
		return nil, nil
	}
	containers, err := docker("ps", "-a", "--filter", "name=tightship-"+id, "--format", "container {{.Names}} {{.Status}}")
	if err != nil {
		return nil, err
	}
	volumes, err := docker("volume", "ls", "--filter", "name=tightship-"+id, "--format", "volume {{.Name}}")
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(containers+"\n"+volumes, func(r rune) bool { return r == '\n' }), nil
}

// sweep removes by force what a test left, whatever became of it.
func (p *process) sweep() {
	p.kill()
	<-p.done
	left, _ := p.left()
	for _, kind := range []string{"container", "volume"} { // in this order
		for _, l := range left {
			if f := strings.Fields(l); f[0] == kind && kind == "container" {
				_, _ = docker("rm", "-f", "-v", f[1])
			} else if f[0] == kind {
				_, _ = docker("volume", "rm", "-f", f[1])
			}
		}
	}
}

// begin starts a process of a script.
func begin(ts *testscript.TestScript, args []string) *process {
	path := args[0]
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, args[0])); err == nil {
			path = filepath.Join(dir, args[0])
			break
		}
	}
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "DOCKER_HOST", "NO_COLOR"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	uid, _ := strconv.ParseUint(ts.Getenv("RUNAS"), 10, 32)
	p, err := launch(ts.MkAbs("."), env, uint32(uid), path, args[1:]...)
	ts.Check(err)
	ts.Defer(p.sweep)
	return p
}

// conclude waits for a process and shows what it said.
func conclude(ts *testscript.TestScript, p *process, want string) {
	code, err := p.wait()
	_, _ = ts.Stdout().Write(p.stdout.Bytes())
	_, _ = ts.Stderr().Write(p.stderr.Bytes())
	ts.Check(err)
	if !slices.Contains(strings.Split(want, ","), strconv.Itoa(code)) {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
	if code == 128+int(syscall.SIGKILL) {
		return // it could not clean up
	}
	left, err := p.left()
	ts.Check(err)
	if len(left) > 0 {
		ts.Fatalf("left behind: %s", strings.Join(left, ", "))
	}
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE[,CODE] COMMAND...")
	}
	conclude(ts, begin(ts, args[1:]), args[0])
}

func start(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: start NAME COMMAND...")
	}
	processes(ts)[args[0]] = begin(ts, args[1:])
}

func processes(ts *testscript.TestScript) map[string]*process {
	return ts.Value(processesKey).(map[string]*process)
}

func named(ts *testscript.TestScript, name string) *process {
	p := processes(ts)[name]
	if p == nil {
		ts.Fatalf("no process %s", name)
	}
	return p
}

// eventually calls f until it is content.
func eventually(ts *testscript.TestScript, limit time.Duration, what string, f func() bool) {
	for deadline := time.Now().Add(limit); !f(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("after %v still not: %s", limit, what)
		}
	}
}

func running(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: running NAME TWIN [PROGRAM]")
	}
	p := named(ts, args[0])
	eventually(ts, time.Minute, strings.Join(args, " "), func() bool {
		select {
		case <-p.done:
			ts.Fatalf("%s ended: %s%s", args[0], p.stdout.String(), p.stderr.String())
		default:
		}
		if p.id() == "" {
			return false
		}
		programs, err := docker("top", "tightship-"+p.id()+"-"+args[1], "-o", "pid,args")
		return err == nil && (len(args) < 3 || strings.Contains(programs, args[2]))
	})
	ts.Setenv(args[0], p.id())
}

func send(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}
	if len(args) != 2 || signals[args[1]] == 0 {
		ts.Fatalf("usage: send NAME INT|TERM|KILL")
	}
	ts.Check(named(ts, args[0]).cmd.Process.Signal(signals[args[1]]))
}

func ends(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: ends NAME CODE[,CODE]")
	}
	conclude(ts, named(ts, args[0]), args[1])
}

func stopped(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: stopped NAME SECONDS")
	}
	seconds, err := strconv.Atoi(args[1])
	ts.Check(err)
	p := named(ts, args[0])
	eventually(ts, time.Duration(seconds)*time.Second, strings.Join(args, " "), func() bool {
		up, err := docker("ps", "-q", "--filter", "label=tightship="+p.id())
		return err == nil && up == ""
	})
}

func gone(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: gone NAME")
	}
	left, err := named(ts, args[0]).left()
	ts.Check(err)
	if (len(left) == 0) == neg {
		ts.Fatalf("left: %q", left)
	}
}
