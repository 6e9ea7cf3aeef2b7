package verify

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// fake is an engine whose guests answer with the recorded evidence of a real
// hardened run. A test spoils one thing about it and says what must come of it.
type fake struct {
	recorded *check.Input
	info     engine.Info

	mu      sync.Mutex
	calls   int               // engine calls so far
	failAt  int               // the call that fails, 0 is none
	cancel  func()            // instead of failing, if set
	things  map[string]string // what exists: name to kind
	specs   map[string]spec.Container
	exits   map[string]int
	gone    map[string]chan struct{} // closed when a container's guest has left
	guest   func(twin check.Twin, role probe.Role, in io.Reader, out io.Writer) (exit int)
	exitOf  func(int) int
	oom     map[check.Twin]bool // what the engine says when its guest is gone
	sticky  string              // a resource whose removal is claimed and not done
	removed []string
}

func newFake(t testing.TB) *fake {
	t.Helper()
	return newFakeOf(t, "hardened.json")
}

func newFakeOf(t testing.TB, recorded string) *fake {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "check", "testdata", recorded))
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{recorded: &check.Input{}, things: map[string]string{}, specs: map[string]spec.Container{}, exits: map[string]int{}, gone: map[string]chan struct{}{},
		info: engine.Info{Name: "fake", Version: "1", OS: "linux", Arch: "amd64", NCPU: 2, Runtimes: []string{"runc"}, Runtime: "runc", Cgroup: "v1"}}
	if err := json.Unmarshal(data, f.recorded); err != nil {
		t.Fatal(err)
	}
	f.guest = f.honest
	f.exitOf = func(code int) int { return code }
	return f
}

func (f *fake) options() Options {
	return Options{Policy: policy.Default(), Guest: []byte("guest"), Timeout: 20 * time.Second}
}

// honest serves plans from the recorded evidence.
func (f *fake) honest(twin check.Twin, role probe.Role, in io.Reader, out io.Writer) int {
	return f.serve(in, out, func(l *probe.Line) bool { return true }, twin, role)
}

// serve answers plans; each line goes through edit, which may change it or end
// the guest by returning false.
func (f *fake) serve(in io.Reader, out io.Writer, edit func(*probe.Line) bool, twin check.Twin, role probe.Role) int {
	plans := bufio.NewScanner(in)
	plans.Buffer(nil, probe.MaxLine)
	seq := 0
	for plans.Scan() {
		var p probe.Plan
		if json.Unmarshal(plans.Bytes(), &p) != nil {
			return probe.ExitProtocol
		}
		lines := []probe.Line{}
		if seq == 0 {
			lines = append(lines, probe.Line{})
		}
		for _, name := range p.Probes {
			o, ok := f.twin(twin).Seen[role][name]
			if !ok {
				o = probe.Observation{Probe: name, Error: "not recorded"}
			}
			lines = append(lines, probe.Line{Observation: &o})
		}
		for _, l := range append(lines, probe.Line{Done: true}) {
			l.Nonce, l.Seq = p.Nonce, seq
			seq++
			if !edit(&l) {
				return 1
			}
			b, _ := json.Marshal(l)
			if _, err := out.Write(append(b, '\n')); err != nil {
				return probe.ExitAbandoned
			}
		}
		if p.Exit != nil {
			return *p.Exit
		}
	}
	return probe.ExitAbandoned
}

var errFake = errors.New("the fake engine fails")

// call counts an engine call and fails or cancels at the chosen one.
func (f *fake) call(ctx context.Context) error {
	f.mu.Lock()
	f.calls++
	hit := f.calls == f.failAt
	f.mu.Unlock()
	if hit && f.cancel != nil {
		f.cancel()
	} else if hit {
		return errFake
	}
	return ctx.Err()
}

func (f *fake) Info(ctx context.Context) (engine.Info, error) { return f.info, f.call(ctx) }
func (f *fake) Image(ctx context.Context, ref string) (engine.Image, error) {
	return engine.Image{ID: "sha256:1", Digest: "sha256:1", OS: "linux", Arch: "amd64", Env: f.recorded.Image.Env}, f.call(ctx)
}

func (f *fake) CreateVolume(ctx context.Context, name string, labels map[string]string) error {
	f.locked(func() { f.things[name] = "volume" }) // made even where the answer is lost
	return f.call(ctx)
}

func (f *fake) Create(ctx context.Context, name string, c spec.Container) (string, error) {
	f.locked(func() { f.things[name], f.specs[name], f.gone[name] = "container", c, make(chan struct{}) })
	return name, f.call(ctx)
}

func (f *fake) CopyTo(ctx context.Context, id string, tar io.Reader) error {
	io.Copy(io.Discard, tar)
	return f.call(ctx)
}

// twin is what was recorded of a twin; nothing of one that was not there.
func (f *fake) twin(t check.Twin) *check.TwinState {
	if tw := f.recorded.Twins[t]; tw != nil {
		return tw
	}
	return &check.TwinState{}
}

func (f *fake) twinOf(name string) check.Twin {
	for _, t := range []check.Twin{check.Main, check.Isolate, check.Exhaust, check.Doomed["exhaust.memory"], check.Doomed["exhaust.pids"]} {
		if strings.HasSuffix(name, "-"+string(t)) {
			return t
		}
	}
	return ""
}

func (f *fake) Attach(ctx context.Context, id string) (*engine.Stream, error) {
	if err := f.call(ctx); err != nil {
		return nil, err
	}
	return f.start(id, probe.User, func(code int) {
		f.locked(func() { f.exits[id] = code; close(f.gone[id]) })
	}), nil
}

func (f *fake) Exec(ctx context.Context, id string, e engine.Exec) (*engine.Stream, error) {
	if err := f.call(ctx); err != nil {
		return nil, err
	}
	role := probe.User
	if e.User == "0:0" {
		role = probe.Auditor
	}
	return f.start(id, role, func(int) {}), nil
}

func (f *fake) start(id string, role probe.Role, ended func(int)) *engine.Stream {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	go func() {
		code := f.guest(f.twinOf(id), role, inR, outW)
		ended(code)
		outW.Close()
		inR.Close()
	}()
	return &engine.Stream{Stdin: inW, Stdout: outR, Close: func() error { inW.Close(); outR.Close(); inR.Close(); return outW.Close() }}
}

func (f *fake) Start(ctx context.Context, id string) error { return f.call(ctx) }

func (f *fake) Inspect(ctx context.Context, id string) (engine.State, error) {
	declared := f.twin(f.twinOf(id)).Declared
	f.mu.Lock()
	oom := f.oom[f.twinOf(id)] && f.exits[id] != 0
	running := true
	select {
	case <-f.gone[id]:
		running = false
	default:
	}
	f.mu.Unlock()
	return engine.State{ID: id, Running: running, PID: 1, Declared: declared, OOMKilled: oom}, f.call(ctx)
}

func (f *fake) Wait(ctx context.Context, id string) (int, error) {
	if err := f.call(ctx); err != nil {
		return 0, err
	}
	select {
	case <-f.gone[id]:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.exitOf(f.exits[id]), nil
}

func (f *fake) Kill(ctx context.Context, id, signal string) error { return f.call(ctx) }

// Remove and RemoveVolume are not counted as calls: a test of clean-up spoils
// them by name.
func (f *fake) Remove(ctx context.Context, id string) error { return f.drop(ctx, id) }
func (f *fake) RemoveVolume(ctx context.Context, name string) error {
	return f.drop(ctx, name)
}

func (f *fake) drop(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.locked(func() {
		f.removed = append(f.removed, name)
		if f.sticky == "" || !strings.HasSuffix(name, f.sticky) {
			delete(f.things, name)
		}
	})
	return nil
}

func (f *fake) List(ctx context.Context, runID string) ([]engine.Resource, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []engine.Resource
	for name, kind := range f.things {
		if strings.Contains(name, runID) { // and not what others have who are at work
			all = append(all, engine.Resource{Kind: kind, ID: name, Name: name, RunID: runID})
		}
	}
	return all, ctx.Err()
}

func (f *fake) Close() error { return nil }

func (f *fake) locked(g func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g()
}

func (f *fake) left() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for n, k := range f.things {
		names = append(names, fmt.Sprint(k, " ", n))
	}
	return names
}
