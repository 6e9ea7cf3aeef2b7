//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one that was started here. It ends with this one, whatever becomes of
// it: timeout(1) has it stopped at the limit, and at the death of its parent.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error

	mu   sync.Mutex
	said bytes.Buffer
}

// start runs a command in the background. What it says is kept for complaints.
func (b *bench) start(argv ...string) (*process, error) {
	return b.startWith(nil, argv...)
}

// startWith also gives it a place for its standard output.
func (b *bench) startWith(stdout io.Writer, argv ...string) (*process, error) {
	p := &process{done: make(chan struct{})}
	seconds := strconv.Itoa(int(limit.Seconds()))
	p.cmd = exec.Command("timeout", append([]string{"--kill-after=5", seconds}, argv...)...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	b.started = append(b.started, p)
	return p, nil
}

func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.said.Len() < 64<<10 {
		p.said.Write(text)
	}
	return len(text), nil
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop ends it and waits. How it ends says nothing about what was measured.
func (p *process) stop() error {
	if p.ended() {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !p.ended() {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(20 * time.Second):
		return fmt.Errorf("%s does not end", strings.Join(p.cmd.Args, " "))
	}
}

// cpu is the processor time that it and its descendants have had. Without timeout's
// own, which is nothing, and without that of children that ended.
func (p *process) cpu() time.Duration { return cpuOf(p.cmd.Process.Pid) }

// tick is the unit of /proc/PID/stat on every Linux that Go runs on.
const tick = 10 * time.Millisecond

func cpuOf(pid int) (sum time.Duration) {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return 0
	}
	// Fields 14 and 15 (utime, stime), counted behind the name, which may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, f := range fields[11:13] {
		n, _ := strconv.ParseInt(f, 10, 64)
		sum += time.Duration(n) * tick
	}
	tasks, _ := filepath.Glob(filepath.Join(proc, "task", "*", "children"))
	for _, t := range tasks {
		children, _ := os.ReadFile(t)
		for child := range strings.FieldsSeq(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				sum += cpuOf(n)
			}
		}
	}
	return sum
}
