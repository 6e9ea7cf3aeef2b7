package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/engine"
)

// hangs is far longer than any limit, and ends all the same.
const hangs = time.Hour

// Whatever hangs, without heeding its context, the rest is told in time.
func TestNothingHangs(t *testing.T) {
	for name, hang := range map[string]func(*Probes){
		"engine": func(p *Probes) {
			p.Connect = func(context.Context, string) (engine.Engine, error) {
				time.Sleep(hangs)
				return nil, engine.ErrUnreachable
			}
		},
		"leftovers": func(p *Probes) {
			p.Leftovers = func(context.Context, engine.Engine) ([]engine.Resource, error) { time.Sleep(hangs); return nil, nil }
		},
		"version": func(p *Probes) {
			p.Version = func(context.Context, string) ([]byte, error) { time.Sleep(hangs); return nil, nil }
		},
		"writable": func(p *Probes) { p.Writable = func(string) error { time.Sleep(hangs); return nil } },
		"account":  func(p *Probes) { p.Account = func() bool { time.Sleep(hangs); return true } },
		"guest":    func(p *Probes) { p.Guest = func(string) error { time.Sleep(hangs); return nil } },
		"files":    func(p *Probes) { p.FS = slow{} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := ready().probes()
				hang(&p)
				started := time.Now()
				r := Examine(Look(t.Context(), p))
				if took := time.Since(started); took > 3*Limit {
					t.Errorf("took %v", took)
				}
				if len(levels(r)) == 0 {
					t.Error("nothing is said about it")
				}
				invariants(t, r)
				time.Sleep(1000 * hangs) // the clock of this bubble: whatever hung has ended
			})
		})
	}
}

type slow struct{}

func (slow) Open(string) (fs.File, error) { time.Sleep(hangs); return nil, fs.ErrNotExist }

// Probes that take their full time one after another would add up.
func TestSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := ready()
		m.files["run/podman/podman.sock"], m.files["run/user/1000/docker.sock"] = socket(1), socket(2)
		p := m.probes()
		p.Connect = func(ctx context.Context, _ string) (engine.Engine, error) {
			<-ctx.Done()
			return nil, engine.ErrUnreachable
		}
		p.Version = func(ctx context.Context, _ string) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
		started := time.Now()
		f := Look(t.Context(), p)
		if took := time.Since(started); len(f.Engines) != 3 || took > Limit {
			t.Errorf("%d engines took %v", len(f.Engines), took)
		}
	})
}

func TestEndpoints(t *testing.T) {
	const sum = "home/user/.docker/"
	for _, row := range []struct {
		name   string
		change func(*fake)
		want   []string // address, and * where verify goes by itself
	}{
		{"default", func(*fake) {}, []string{defaultHost + "*"}},
		{"nothing there", func(m *fake) { m.files = fstest.MapFS{} }, []string{defaultHost + "*"}},
		{"DOCKER_HOST", func(m *fake) { m.env["DOCKER_HOST"] = "tcp://x:1" }, []string{"tcp://x:1*", defaultHost}},
		{"DOCKER_HOST is the default", func(m *fake) { m.env["DOCKER_HOST"] = "unix:///run/docker.sock" }, []string{"unix:///run/docker.sock*"}},
		{"context by variable", func(m *fake) {
			m.env["DOCKER_CONTEXT"] = "c"
			m.files[sum+contextDir("c")+"/meta.json"] = file(`{"Endpoints":{"docker":{"Host":"tcp://c:1"}}}`)
		}, []string{"tcp://c:1*", defaultHost}},
		{"context by file", func(m *fake) {
			m.files[sum+"config.json"] = file(`{"currentContext":"c"}`)
			m.files[sum+contextDir("c")+"/meta.json"] = file(`{"Endpoints":{"docker":{"Host":"tcp://c:1"}}}`)
		}, []string{"tcp://c:1*", defaultHost}},
		{"context that is gone", func(m *fake) { m.env["DOCKER_CONTEXT"] = "c" }, []string{defaultHost + "*"}},
		{"config.json is rubbish", func(m *fake) { m.files[sum+"config.json"] = file(`{`) }, []string{defaultHost + "*"}},
		{"DOCKER_HOST beats the context", func(m *fake) {
			m.env["DOCKER_HOST"], m.env["DOCKER_CONTEXT"] = "tcp://x:1", "c"
			m.files[sum+contextDir("c")+"/meta.json"] = file(`{"Endpoints":{"docker":{"Host":"tcp://c:1"}}}`)
		}, []string{"tcp://x:1*", defaultHost}},
		{"Podman behind Docker's path", func(m *fake) { m.files["run/podman/podman.sock"] = m.files["run/docker.sock"] }, []string{defaultHost + "*"}},
		{"Podman alone", func(m *fake) {
			m.files = fstest.MapFS{"run/podman/podman.sock": socket(0)}
		}, []string{defaultHost, podmanRoot + "*"}},
		{"Podman beside Docker", func(m *fake) { m.files["run/podman/podman.sock"] = socket(0) }, []string{defaultHost + "*", podmanRoot}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for _, e := range with(ready(), row.change).probes().endpoints() {
				if e.Used {
					e.Host += "*"
				}
				got = append(got, e.Host)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Only what is a program in a directory that was named whole is ever started.
func TestFind(t *testing.T) {
	m := ready()
	m.env["PATH"] = "relative:.::/srv/bin"
	m.files["relative/runsc"] = &fstest.MapFile{Mode: 0o755}
	m.files["srv/bin/runc"] = &fstest.MapFile{Mode: 0o644}
	m.files["srv/bin/crun"] = &fstest.MapFile{Mode: 0o755 | fs.ModeDir}
	m.files["srv/bin/crun"] = &fstest.MapFile{Mode: 0o755}
	m.files["opt/tightship/runsc"] = &fstest.MapFile{Mode: 0o755}
	var ran []string
	p := m.probes()
	p.Version = func(_ context.Context, path string) ([]byte, error) { ran = append(ran, path); return nil, nil }
	for _, name := range runtimes {
		for _, found := range p.find(name) {
			ran = append(ran, found.Path)
			if found.Bundled != (found.Path == "/opt/tightship/runsc") {
				t.Errorf("%s: bundled is %v", found.Path, found.Bundled)
			}
		}
	}
	want := []string{"/opt/tightship/runsc", "/usr/bin/runsc", "/usr/sbin/runc", "/srv/bin/crun"}
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Nothing that an engine names is started.
func TestEnginesPathsAreNotRun(t *testing.T) {
	m := ready()
	i := dockerInfo()
	i.Programs["evil"] = engine.Program{Path: "/evil/runsc"}
	i.Runtimes = append(i.Runtimes, "evil")
	m.engines[defaultHost] = i
	m.files["evil/runsc"] = &fstest.MapFile{Mode: 0o755}
	p := m.probes()
	p.Version = func(_ context.Context, path string) ([]byte, error) {
		if strings.HasPrefix(path, "/evil") {
			t.Errorf("%s was run", path)
		}
		return nil, nil
	}
	Look(t.Context(), p)
}

func TestVersion(t *testing.T) {
	for _, row := range []struct{ name, script, want string }{
		{"answers", "echo runc version 1.2.3", "runc version 1.2.3\n"},
		{"gets one argument", `echo "$#:$1"`, "1:--version\n"},
		{"sees nothing of ours", `echo "$SECRET_OF_OURS"`, "\n"},
		{"keeps its errors", "echo x >&2", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv("SECRET_OF_OURS", "x")
			out, err := version(t.Context(), script(t, row.script))
			if err != nil || string(out) != row.want {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
	t.Run("is bounded", func(t *testing.T) {
		out, _ := version(t.Context(), script(t, "i=0; while [ $i -lt 3000 ]; do echo 0123456789; i=$((i+1)); done"))
		if len(out) != maxOutput {
			t.Errorf("%d bytes", len(out))
		}
	})
	// A shell that waits for its child: both have to go, or the wait is long.
	t.Run("is ended with its children", func(t *testing.T) {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for {
				if _, err := os.Stat(filepath.Join(dir, "pid")); err == nil {
					cancel()
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		_, err := version(ctx, script(t, "sleep 1000 & echo $! > "+dir+"/new; mv "+dir+"/new "+dir+"/pid; wait"))
		if err == nil {
			t.Error("it was not ended")
		}
		data, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "linux" {
			return
		}
		// What is killed is gone a moment later.
		for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(time.Millisecond) {
			status, err := os.ReadFile("/proc/" + strings.TrimSpace(string(data)) + "/status")
			if err != nil || strings.Contains(string(status), "State:\tZ") || strings.Contains(string(status), "State:\tX") {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("its child lives:\n%s", status)
			}
		}
	})
}

// script writes a program. It is closed before it is run: another test's fork
// may hold it open for writing a moment longer, so it is tried (ETXTBSY).
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWritable(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		dir:                             nil,
		filepath.Join(dir, "a", "b"):    nil,
		filepath.Join(dir, "file"):      syscall.ENOTDIR,
		filepath.Join(dir, "file", "x"): syscall.ENOTDIR,
	} {
		if err := writable(path); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("it made %v", entries)
	}
	if os.Getuid() != 0 {
		locked := filepath.Join(dir, "locked")
		if err := os.Mkdir(locked, 0o500); err != nil {
			t.Fatal(err)
		}
		if err := writable(filepath.Join(locked, "x")); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("locked: %v", err)
		}
	}
}

// The machine that the tests run on is one more machine.
func TestThisMachine(t *testing.T) {
	p := Real()
	p.Guest = func(string) error { return nil }
	p.Title, p.Image = "test", "tightship-agent:latest"
	r := Examine(Look(t.Context(), p))
	invariants(t, r)
	if runtime.GOOS == "linux" && !slices.ContainsFunc(r.Findings, func(f Finding) bool {
		return f.ID == "machine.system" && strings.Contains(f.Detail, runtime.GOARCH)
	}) {
		t.Errorf("it does not know this machine: %+v", r.Findings)
	}
}

// A runtime that hangs, as one does that a slow machine is still loading, does
// not hide the others; an engine that is slow is not said to be missing.
func TestSlowIsNotMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := ready()
		p := m.probes()
		version := p.Version
		p.Version = func(ctx context.Context, path string) ([]byte, error) {
			if filepath.Base(path) == "runsc" {
				time.Sleep(hangs)
			}
			return version(ctx, path)
		}
		p.Connect = func(context.Context, string) (engine.Engine, error) {
			time.Sleep(hangs)
			return nil, engine.ErrUnreachable
		}
		f := Look(t.Context(), p)
		if len(f.Late) > 0 || f.named("runc") == nil || f.named("runc")[0].Version == "" || f.named("runsc")[0].Version != "" {
			t.Errorf("late %v, programs %v", f.Late, f.Programs)
		}
		found := false
		for _, x := range Examine(f).Findings {
			if x.ID != "engines.answers"+at0 {
				continue
			}
			found = true
			if x.Level != Missing || !strings.Contains(x.Detail, "in time") || strings.Contains(x.Detail, "none") || len(x.Steps) != 1 || x.Steps[0].Command != "" {
				t.Errorf("%s %q %v", x.Level, x.Detail, x.Steps)
			}
		}
		if !found {
			t.Error("nothing is said about the engine")
		}
		time.Sleep(2 * hangs)
	})
}
