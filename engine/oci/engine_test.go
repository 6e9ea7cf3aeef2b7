//go:build linux

package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/spec"
)

// fakeRuntime plays a runtime: it runs the command of the bundle here, without
// any container, and keeps its state in a file. FAIL_run and the like in its
// directory make a command fail, HANG_run makes it hang.
const fakeRuntime = `#!/bin/sh
here=$(dirname "$0")
echo "$@" >>"$here/calls"
root= log=/dev/null
while [ $# -gt 0 ]; do
	case $1 in
	--version) echo "runsc version 1.2.3"; exit 0 ;;
	--root) root=$2; shift 2 ;;
	--log) log=$2; shift 2 ;;
	--log-format) shift 2 ;;
	-*) shift ;;
	*) break ;;
	esac
done
if [ -e "$here/HANG_$1" ]; then exec sleep 60; fi
if [ -e "$here/FAIL_$1" ]; then
	echo '{"level":"error","msg":"no \u001b[31mway"}' >"$log"
	echo "level=error msg=\"no way\"" >&2
	exit 1
fi
mkdir -p "$root"
case $1 in
run)
	pid=$5 bundle=$3
	echo $$ >"$root/$6.pid"; echo $$ >"$pid"
	eval "$(sed -n '/"args"/,/]/{s/^ *"\(\/[^"]*\)",\{0,1\}$/program=\1/p}' "$bundle/config.json")"
	if [ "$program" = /cat ]; then cat; code=0; else code=7; fi
	rm -f "$root/$6.pid"
	exit $code ;;
state)
	if [ ! -e "$root/$2.pid" ]; then echo "container does not exist" >&2; exit 1; fi
	echo "{\"status\":\"running\",\"pid\":$(cat "$root/$2.pid")}" ;;
exec) sed -n 's/.*"uid": \([0-9]*\).*/uid \1/p' "$3"; cat ;;
kill) kill -"$3" "$(cat "$root/$2.pid")" ;;
delete) if [ -e "$root/$3.pid" ]; then kill -9 "$(cat "$root/$3.pid")"; rm -f "$root/$3.pid"; fi ;;
esac
`

// fake makes an engine as an ordinary user's, on a runtime that is a script.
func fake(t *testing.T) (*Engine, string) {
	t.Helper()
	beside := t.TempDir()
	if strings.HasPrefix(beside, "/tmp/") {
		// The real runsc cannot run from there, and so the engine refuses it.
		var err error
		if beside, err = os.MkdirTemp("/var/tmp", "tightship-oci-"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(beside) })
	}
	if err := os.WriteFile(filepath.Join(beside, "runsc"), []byte(fakeRuntime), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := openStore(filepath.Join(t.TempDir(), "state"), false)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(beside, "runsc")
	e := &Engine{store: s, runtimes: map[string]ociRuntime{"runsc": {"runsc", path}}, standard: "runsc",
		timeout: 20 * time.Second, attached: map[string]*pipes{}, processes: map[string]*process{}}
	t.Cleanup(func() { e.Close() })
	return e, beside
}

// root is an image that is a directory.
func rootDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"etc", "x", "bind", "volume"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		"passwd": "root:x:0:0::/:/\nagent:x:1000:100::/:/\n", "group": "agents:x:100:\nextra:x:2000:agent\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return "dir:" + dir
}

func plain(image string) spec.Container {
	return spec.Container{Image: image, Entrypoint: []string{"/cat"}, User: "1000:100", Network: "none", OpenStdin: true,
		Labels: map[string]string{engine.Label: "run-1"}}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func noTrace(t *testing.T, e *Engine) {
	t.Helper()
	for _, sub := range []string{"containers", "volumes", "staging", "runtime/runsc"} {
		entries, err := os.ReadDir(filepath.Join(e.store.dir, sub))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		for _, x := range entries {
			if x.Name() != "lock" {
				t.Errorf("left in %s: %s", sub, x.Name())
			}
		}
	}
}

func TestLifecycle(t *testing.T) {
	e, _ := fake(t)
	ctx := within(t)
	id := must[string](t)(e.Create(ctx, "one", plain(rootDir(t))))
	if _, err := e.Create(ctx, "one", plain(rootDir(t))); !errors.Is(err, ErrInput) {
		t.Errorf("the same name again: %v", err)
	}
	st := must[engine.State](t)(e.Inspect(ctx, "one"))
	if st.Running || st.ID != id || st.ExitCode != 0 {
		t.Errorf("before the start: running %v, exit code %d", st.Running, st.ExitCode)
	}
	if code := must[int](t)(e.Wait(ctx, id)); code != 0 {
		t.Errorf("waiting for what was never started: %d", code)
	}
	s := must[*engine.Stream](t)(e.Attach(ctx, id))
	if _, err := e.Attach(ctx, id); err == nil {
		t.Error("attached twice")
	}
	if err := e.Start(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := e.Start(ctx, id); !errors.Is(err, ErrInput) {
		t.Errorf("started twice: %v", err)
	}
	if st := must[engine.State](t)(e.Inspect(ctx, id)); !st.Running || st.PID == 0 {
		t.Errorf("while it runs: running %v, pid %d", st.Running, st.PID)
	}
	// Another process sees the same.
	other := &Engine{store: e.store, runtimes: e.runtimes, standard: "runsc", timeout: e.timeout, processes: map[string]*process{}, attached: map[string]*pipes{}}
	if st := must[engine.State](t)(other.Inspect(ctx, id)); !st.Running {
		t.Error("another process does not see that it runs")
	}
	x := must[*engine.Stream](t)(e.Exec(ctx, id, engine.Exec{Argv: []string{"/x"}, User: "0:0", Stdin: true}))
	x.Stdin.Close()
	if out := must[[]byte](t)(io.ReadAll(x.Stdout)); string(out) != "uid 0\n" {
		t.Errorf("exec said %q", out)
	}
	x.Close()
	io.WriteString(s.Stdin, "hello")
	s.Stdin.Close()
	s.Stdin.Close() // twice is allowed
	if out := must[[]byte](t)(io.ReadAll(s.Stdout)); string(out) != "hello" {
		t.Errorf("it said %q", out)
	}
	if code := must[int](t)(e.Wait(ctx, id)); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if code := must[int](t)(other.Wait(ctx, id)); code != 0 {
		t.Errorf("exit code elsewhere %d", code)
	}
	s.Close()
	s.Close()
	if err := e.Remove(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	if err := e.Remove(ctx, "one"); err != nil {
		t.Errorf("removing what is gone: %v", err)
	}
	if _, err := e.Inspect(ctx, id); !errors.Is(err, engine.ErrNoContainer) {
		t.Errorf("inspecting what is gone: %v", err)
	}
	noTrace(t, e)
}

func TestExitCodeAndKill(t *testing.T) {
	e, _ := fake(t)
	ctx := within(t)
	c := plain(rootDir(t))
	c.Entrypoint = []string{"/seven"}
	id := must[string](t)(e.Create(ctx, "", c))
	if err := e.Start(ctx, id); err != nil {
		t.Fatal(err)
	}
	if code := must[int](t)(e.Wait(ctx, id)); code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
	id = must[string](t)(e.Create(ctx, "", plain(rootDir(t))))
	s := must[*engine.Stream](t)(e.Attach(ctx, id))
	defer s.Close()
	if err := e.Start(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := e.Kill(ctx, id, "; rm"); !errors.Is(err, ErrInput) {
		t.Errorf("a signal that is none: %v", err)
	}
	if err := e.Kill(ctx, id, "KILL"); err != nil {
		t.Fatal(err)
	}
	if code := must[int](t)(e.Wait(ctx, id)); code != 137 {
		t.Errorf("exit code %d, want 137", code)
	}
}

// A runtime that fails or hangs makes an error in its words, and no more.
func TestRuntimeFails(t *testing.T) {
	for _, call := range []string{"run", "state", "exec", "delete"} {
		for _, how := range []string{"FAIL", "HANG"} {
			t.Run(how+" "+call, func(t *testing.T) {
				e, beside := fake(t)
				ctx := within(t)
				id := must[string](t)(e.Create(ctx, "one", plain(rootDir(t))))
				s := must[*engine.Stream](t)(e.Attach(ctx, id))
				defer s.Close()
				if call == "exec" || call == "delete" {
					if err := e.Start(ctx, id); err != nil {
						t.Fatal(err)
					}
				}
				sick := filepath.Join(beside, how+"_"+call)
				if err := os.WriteFile(sick, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				short, cancel := context.WithTimeout(ctx, 2*time.Second)
				defer cancel()
				var err error
				switch call {
				case "run", "state":
					err = e.Start(short, id)
				case "exec":
					var x *engine.Stream
					if x, err = e.Exec(short, id, engine.Exec{Argv: []string{"/x"}}); err == nil {
						_, err = io.ReadAll(x.Stdout)
						x.Close()
					}
				case "delete":
					err = e.Remove(ctx, id) // it ends what runs by itself
					if err == nil {
						noTrace(t, e)
						return
					}
				}
				if err == nil || how == "FAIL" && !strings.Contains(err.Error(), "no ") || strings.ContainsRune(err.Error(), 0x1b) {
					t.Errorf("error %v", err)
				}
				if how == "HANG" && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v, want one that names the time", err)
				}
				os.Remove(sick)
				if err := e.Remove(ctx, id); err != nil {
					t.Error(err)
				}
				noTrace(t, e)
			})
		}
	}
}

func TestVolumesAndCopy(t *testing.T) {
	e, _ := fake(t)
	ctx := within(t)
	labels := map[string]string{engine.Label: "run-1"}
	if err := e.CreateVolume(ctx, "v", labels); err != nil {
		t.Fatal(err)
	}
	if err := e.CreateVolume(ctx, "v", labels); err != nil {
		t.Errorf("a volume that is there: %v", err)
	}
	for _, name := range []string{"", "../x", "a/b", ".hidden", strings.Repeat("x", 300)} {
		if err := e.CreateVolume(ctx, name, nil); !errors.Is(err, ErrInput) {
			t.Errorf("volume %q: %v", name, err)
		}
	}
	c := plain(rootDir(t))
	c.Mounts = []spec.Mount{{Kind: spec.Volume, Source: "none", Target: "/x"}}
	if _, err := e.Create(ctx, "one", c); !errors.Is(err, ErrInput) {
		t.Errorf("a volume that is not there: %v", err)
	}
	c.Mounts[0].Source = "v"
	c.Tmpfs = map[string]spec.Tmpfs{"/x/tmp": {}}
	must[string](t)(e.Create(ctx, "one", c))
	if err := e.CopyTo(ctx, "one", bytes.NewReader(archive(file("x/guest", "G"), dir("x/")))); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, e.store.volumeData("v")); !cmp.Equal(got, map[string]string{"guest": "G"}) {
		t.Errorf("the volume has %v", got)
	}
	for name, stream := range map[string][]byte{
		"beside the volume":    archive(file("etc/passwd", "x")),
		"out of the volume":    archive(file("x/../etc/passwd", "x")),
		"hidden by a tmpfs":    archive(file("x/tmp/y", "x")),
		"a name that is alike": archive(file("xy", "x")),
		"no archive":           []byte(strings.Repeat("no", 1000)),
	} {
		if err := e.CopyTo(ctx, "one", bytes.NewReader(stream)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := e.RemoveVolume(ctx, "v"); err == nil {
		t.Error("a volume in use was removed")
	}
	all := must[[]engine.Resource](t)(e.List(ctx, "run-1"))
	want := []engine.Resource{{Kind: "container", ID: idOf("one"), Name: "one", RunID: "run-1"}, {Kind: "volume", ID: "v", Name: "v", RunID: "run-1"}}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if all := must[[]engine.Resource](t)(e.List(ctx, "run-2")); len(all) > 0 {
		t.Errorf("another run's: %v", all)
	}
	if err := errors.Join(e.Remove(ctx, "one"), e.RemoveVolume(ctx, "v"), e.RemoveVolume(ctx, "v")); err != nil {
		t.Error(err)
	}
	noTrace(t, e)
}

// What a killed process was making is swept out by the next one, and what a
// living one is making is not.
func TestSweep(t *testing.T) {
	e, _ := fake(t)
	alive := must[*staged](t)(e.store.stage())
	defer alive.discard()
	dead := must[*staged](t)(e.store.stage())
	if err := os.WriteFile(filepath.Join(dead.path, "half"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dead.lock.Close()
	if _, err := openStore(e.store.dir, false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dead.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead one's is there: %v", err)
	}
	if _, err := os.Lstat(alive.path); err != nil {
		t.Errorf("the living one's is gone: %v", err)
	}
}

func TestStateDirMustBeOurs(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(dir, false); !errors.Is(err, engine.ErrPermission) {
		t.Errorf("a directory that others may enter: %v", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	image := rootDir(t)
	for name, change := range map[string]func(*spec.Container){
		"a bridge":              func(c *spec.Container) { c.Network = "bridge" },
		"no network named":      func(c *spec.Container) { c.Network = "" },
		"somebody's namespace":  func(c *spec.Container) { c.PIDMode = "container:x" },
		"privileged":            func(c *spec.Container) { c.Privileged = true },
		"no command":            func(c *spec.Container) { c.Entrypoint = nil },
		"an unknown user":       func(c *spec.Container) { c.User = "nobody-such" },
		"an unknown group":      func(c *spec.Container) { c.Groups = []string{"nobody-such"} },
		"an unknown capability": func(c *spec.Container) { c.CapAdd = []string{"FLY"} },
		"an unknown ulimit":     func(c *spec.Container) { c.Ulimits = map[string]int64{"wings": 1} },
		"a negative limit":      func(c *spec.Container) { c.Memory = -1 },
		"swap without memory":   func(c *spec.Container) { c.Swap = 5 },
		"a relative bind":       func(c *spec.Container) { c.Mounts = []spec.Mount{{Kind: spec.Bind, Source: "x", Target: "/x"}} },
		"a mount over the root": func(c *spec.Container) {
			c.Mounts = []spec.Mount{{Kind: spec.Bind, Source: "/usr", Target: "/", ReadOnly: true}}
		},
		"an odd propagation": func(c *spec.Container) {
			c.Mounts = []spec.Mount{{Kind: spec.Bind, Source: "/usr", Target: "/x", ReadOnly: true, Propagation: "all"}}
		},
		"a writable folder of the machine": func(c *spec.Container) { c.Mounts = []spec.Mount{{Kind: spec.Bind, Source: "/usr", Target: "/x"}} },
		"a mount point that would have to be made": func(c *spec.Container) {
			c.Mounts = []spec.Mount{{Kind: spec.Bind, Source: "/usr", Target: "/nowhere", ReadOnly: true}}
		},
		"two mounts at one place": func(c *spec.Container) {
			c.Tmpfs = map[string]spec.Tmpfs{"/x": {}}
			c.Mounts = []spec.Mount{{Kind: spec.Bind, Source: "/usr", Target: "/x/", ReadOnly: true}}
		},
		"an environment entry that is none": func(c *spec.Container) { c.Env = []string{"X"} },
		"a profile that is none":            func(c *spec.Container) { c.Seccomp = "{" },
		"a profile that forbids nothing":    func(c *spec.Container) { c.Seccomp = "{}" },
		"a device, as an ordinary user":     func(c *spec.Container) { c.Devices = []string{"/dev/null"} },
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := fake(t)
			c := plain(image)
			change(&c)
			if _, err := e.Create(within(t), "one", c); !errors.Is(err, ErrInput) {
				t.Errorf("error %v, want ErrInput", err)
			}
			noTrace(t, e)
		})
	}
	e, _ := fake(t)
	for runtime, want := range map[string]error{"nope": engine.ErrRuntime, "runc": engine.ErrRuntime} {
		c := plain(image)
		c.Runtime = runtime
		if _, err := e.Create(within(t), "one", c); !errors.Is(err, want) {
			t.Errorf("runtime %s: %v", runtime, err)
		}
	}
	for _, ref := range []string{"debian:12", "dir:/nonexistent", "dir:/etc/passwd", "dir:/", "sha256:" + strings.Repeat("0", 64), "oci:/nonexistent", "docker-archive:/nonexistent", "docker-archive:/etc/passwd", ""} {
		if _, err := e.Image(within(t), ref); !errors.Is(err, engine.ErrNoImage) {
			t.Errorf("image %q: %v", ref, err)
		}
	}
}

// Everything that is set is declared again, from the file that the runtime got;
// and what could not be handed over is not declared and has a line that says so.
func TestDeclared(t *testing.T) {
	e, _ := fake(t)
	ctx := within(t)
	if err := e.CreateVolume(ctx, "v", nil); err != nil {
		t.Fatal(err)
	}
	c := spec.Container{
		Image: rootDir(t), Runtime: "runsc", Entrypoint: []string{"/cat", "x"}, WorkingDir: "/tmp", User: "1000:100", Groups: []string{"2000"},
		Env: []string{"A=b=c", "HOSTNAME=h", "PATH=/bin"}, Labels: map[string]string{"a": "b"}, ReadonlyRootfs: true,
		Tmpfs:   map[string]spec.Tmpfs{"/tmp": {Size: 1 << 20}, "/weak": {Size: 2 << 20, Exec: true, Suid: true, Dev: true, Mode: 0o700}, "/free": {}},
		Mounts:  []spec.Mount{{Kind: spec.Bind, Source: "/usr", Target: "/bind", ReadOnly: true}, {Kind: spec.Volume, Source: "v", Target: "/volume"}},
		ShmSize: 4 << 20, Swap: spec.Unlimited, Ulimits: map[string]int64{"nofile": 64, "core": 0, "nproc": spec.Unlimited},
		CapAdd: []string{"CHOWN", "KILL"}, CapDrop: []string{"ALL"}, NoNewPrivileges: true,
		Sysctls: map[string]string{"net.ipv4.ip_unprivileged_port_start": "1024"},
		Network: "none", PIDMode: "private", IPCMode: "private", UTSMode: "private", CgroupNS: "private", OpenStdin: true,
		Seccomp: unconfined,
	}
	for name, change := range map[string]func(*spec.Container){
		"everything set": func(*spec.Container) {},
		"the host's all": func(c *spec.Container) {
			c.Network, c.PIDMode, c.IPCMode, c.UTSMode, c.CgroupNS = "host", "host", "host", "host", "host"
		},
		"a mount that is handed on": func(c *spec.Container) { c.Mounts[0].Propagation = "rshared" },
		"writable, as root": func(c *spec.Container) {
			c.ReadonlyRootfs, c.NoNewPrivileges, c.User, c.CapAdd = false, false, "0:0", nil
		},
		"nothing of /proc hidden": func(c *spec.Container) { c.Unmasked = true },
	} {
		t.Run(name, func(t *testing.T) {
			c := c.Clone()
			change(&c)
			id := must[string](t)(e.Create(ctx, "", c))
			got := must[engine.State](t)(e.Inspect(ctx, id)).Declared
			slices.Sort(got.Env)
			if diff := cmp.Diff(c, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	limits := c.Clone()
	limits.Memory, limits.Swap, limits.PIDs, limits.MilliCPU = 64<<20, 0, 20, 500
	st := must[engine.State](t)(e.Inspect(ctx, must[string](t)(e.Create(ctx, "", limits))))
	d := st.Declared
	if d.Memory != 0 || d.Swap != spec.Unlimited || d.PIDs != 0 || d.MilliCPU != 0 {
		t.Errorf("an ordinary user's container declares limits that nobody enforces: %+v", d)
	}
	for _, name := range []string{"memory", "cpus", "pids"} {
		if !slices.ContainsFunc(st.Other, func(o string) bool { return strings.HasPrefix(o, "limit-not-set="+name+": ") }) {
			t.Errorf("nothing says that %s is not set: %q", name, st.Other)
		}
	}
	if c.Seccomp = ""; must[engine.State](t)(e.Inspect(ctx, must[string](t)(e.Create(ctx, "", c)))).Declared.Seccomp == unconfined {
		t.Error("the default filter was not handed over")
	}
	c.User, c.Groups = "agent", nil
	if got := must[engine.State](t)(e.Inspect(ctx, must[string](t)(e.Create(ctx, "", c)))).Declared; got.User != "1000:100" || !slices.Equal(got.Groups, []string{"2000"}) {
		t.Errorf("a user by name is %s %v", got.User, got.Groups)
	}
}

// What is declared is what is in the file, whatever Create was given.
func TestDeclaredReadsTheBundle(t *testing.T) {
	e, _ := fake(t)
	ctx := within(t)
	c := plain(rootDir(t))
	c.NoNewPrivileges, c.ReadonlyRootfs = true, true
	id := must[string](t)(e.Create(ctx, "", c))
	config := filepath.Join(e.store.container(id), "config.json")
	var bundle map[string]any
	if err := readJSON(config, &bundle); err != nil {
		t.Fatal(err)
	}
	bundle["process"].(map[string]any)["noNewPrivileges"] = false
	bundle["root"].(map[string]any)["readonly"] = false
	data, _ := json.Marshal(bundle)
	if err := os.WriteFile(config, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if d := must[engine.State](t)(e.Inspect(ctx, id)).Declared; d.NoNewPrivileges || d.ReadonlyRootfs {
		t.Errorf("declared from memory: %+v", d)
	}
}

func TestBoundingSet(t *testing.T) {
	for name, c := range map[string]struct{ add, drop, want []string }{
		"nothing asked for":    {nil, nil, defaultCaps},
		"all dropped":          {nil, []string{"ALL"}, nil},
		"some kept":            {[]string{"CAP_CHOWN", "kill"}, []string{"ALL"}, []string{"CHOWN", "KILL"}},
		"one dropped":          {nil, []string{"KILL"}, slices.DeleteFunc(slices.Clone(defaultCaps), func(s string) bool { return s == "KILL" })},
		"dropped beside added": {[]string{"SYS_ADMIN"}, []string{"ALL"}, []string{"SYS_ADMIN"}},
	} {
		got := must[[]string](t)(boundingSet(c.add, c.drop))
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], capPrefix)
		}
		if !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	for _, uid := range []uint32{0, 1000} {
		c := capabilities([]string{"CAP_KILL"}, uid)
		if len(c.Effective) != map[uint32]int{0: 1}[uid] || len(c.Ambient)+len(c.Inheritable) > 0 || len(c.Bounding) != 1 {
			t.Errorf("uid %d: %+v", uid, c)
		}
	}
}
