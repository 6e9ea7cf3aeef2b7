//go:build linux

package oci

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/spec"
)

// The real runtimes' lane: where it is on, there has to be what it needs.
func lane(t *testing.T) {
	t.Helper()
	if os.Getenv("TIGHTSHIP_E2E") == "" {
		t.Skip("SKIPPED: the end-to-end lane is off (TIGHTSHIP_E2E=1 switches it on)")
	}
}

// ordinaryUser is who the unprivileged tests run as.
const ordinaryUser = 65534

// place is a directory that every user can reach and that is not under /tmp,
// over which runsc mounts: with the bundled runsc and the helper as an image.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "tightship-oci-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(dir) })
	rootfs := filepath.Join(dir, "image")
	for _, d := range []string{dir, rootfs, filepath.Join(rootfs, "etc"), filepath.Join(rootfs, "volume")} {
		if err := errors.Join(os.MkdirAll(d, 0o755), os.Chmod(d, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	passwd := filepath.Join(rootfs, "etc", "passwd")
	if err := os.WriteFile(passwd, []byte("root:x:0:0::/:/\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(rootfs, "helper"), "./testdata/helper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	bundled, err := os.ReadFile("../../bin/runsc")
	if err != nil {
		t.Fatalf("`make build` comes first: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "runsc"), bundled, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func realEngine(t *testing.T, dir, state string) *Engine {
	t.Helper()
	e, err := New(t.Context(), Options{Dir: state, Beside: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := clean(ctx, e.(*Engine)); err != nil {
			t.Error(err)
		}
		e.Close()
	})
	return e.(*Engine)
}

// clean removes everything, as `tightship clean` does.
func clean(ctx context.Context, e engine.Engine) error {
	all, err := e.List(ctx, "")
	for _, r := range all {
		if r.Kind == "container" {
			err = errors.Join(err, e.Remove(ctx, r.ID))
		} else {
			err = errors.Join(err, e.RemoveVolume(ctx, r.Name))
		}
	}
	return err
}

func settings(dir, runtime string) spec.Container {
	return spec.Container{
		Image: "dir:" + filepath.Join(dir, "image"), Runtime: runtime, Entrypoint: []string{"/helper", "wait"},
		User: "1000:100", Groups: []string{"2000"}, Network: "none", OpenStdin: true, CapDrop: []string{"ALL"}, NoNewPrivileges: true, ReadonlyRootfs: true,
		Mounts: []spec.Mount{{Kind: spec.Volume, Source: "volume", Target: "/volume", ReadOnly: true}},
		Tmpfs:  map[string]spec.Tmpfs{"/tmp": {Size: 1 << 20}},
		Memory: 64 << 20, PIDs: 50, MilliCPU: 500, Ulimits: map[string]int64{"nofile": 256, "core": 0},
		Labels: map[string]string{engine.Label: "e2e"},
	}
}

func TestRealContainers(t *testing.T) {
	lane(t)
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: not root")
	}
	dir := place(t)
	for _, runtime := range []string{"runc", "runsc"} {
		t.Run(runtime, func(t *testing.T) { life(t, realEngine(t, dir, filepath.Join(dir, "state-"+runtime)), dir, runtime) })
	}
	t.Run("ordinary user", func(t *testing.T) {
		home := filepath.Join(dir, "home")
		if err := errors.Join(os.Mkdir(home, 0o700), os.Chown(home, ordinaryUser, ordinaryUser)); err != nil {
			t.Fatal(err)
		}
		again(t, dir, "TestOrdinaryUser", ordinaryUser, "HOME="+home)
	})
}

// again runs one test of this program as another process, or user.
func again(t *testing.T, dir, test string, uid uint32, env ...string) {
	t.Helper()
	program := filepath.Join(dir, "oci.test")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, "-test.run", "^"+test+"$", "-test.v", "-test.timeout", "3m")
	c.Dir = dir
	c.Env = append([]string{"PATH=/usr/bin:/bin", "TIGHTSHIP_E2E=1", "TIGHTSHIP_OCI_PLACE=" + dir}, env...)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := c.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+test)) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestOrdinaryUser is the part of TestRealContainers that runs as another user.
func TestOrdinaryUser(t *testing.T) {
	dir := os.Getenv("TIGHTSHIP_OCI_PLACE")
	if dir == "" || os.Geteuid() == 0 {
		t.Skip("runs as a part of TestRealContainers")
	}
	e := realEngine(t, dir, "")
	info := must[engine.Info](t)(e.Info(within(t)))
	if info.Runtime != "runsc" || !info.Rootless || !strings.HasPrefix(e.store.dir, os.Getenv("HOME")) {
		t.Errorf("%+v, state in %s", info, e.store.dir)
	}
	life(t, e, dir, "runsc")
	c := settings(dir, "runc")
	if _, err := e.Create(within(t), "x", c); !errors.Is(err, engine.ErrRuntime) {
		t.Errorf("runc as an ordinary user: %v", err)
	}
}

// life takes one container, and one with a writable root beside it, through all
// that the engine offers.
func life(t *testing.T, e *Engine, dir, runtime string) {
	ctx := within(t)
	if err := e.CreateVolume(ctx, "volume", map[string]string{engine.Label: "e2e"}); err != nil {
		t.Fatal(err)
	}
	tight := settings(dir, runtime)
	loose := tight.Clone()
	loose.ReadonlyRootfs, loose.NoNewPrivileges, loose.CapDrop, loose.Seccomp = false, false, nil, unconfined
	loose.Mounts[0].ReadOnly = false
	ids := map[string]string{}
	for name, c := range map[string]spec.Container{"tight": tight, "loose": loose} {
		ids[name] = must[string](t)(e.Create(ctx, name, c))
	}
	if err := e.CopyTo(ctx, ids["loose"], bytes.NewReader(archive(file("volume/brought", "content")))); err != nil {
		t.Fatal(err)
	}
	for name, id := range ids {
		s := must[*engine.Stream](t)(e.Attach(ctx, id))
		defer s.Close()
		if err := e.Start(ctx, id); err != nil {
			t.Fatal(err)
		}
		if line := must[string](t)(bufio.NewReader(s.Stdout).ReadString('\n')); line != "ready\n" {
			t.Fatalf("it said %q", line)
		}
		// uid 0 has what is in the bounding set, and that is nothing in the tight one.
		caps := map[string]string{"tight": "0000000000000000", "loose": "00000000a80425fb"}[name]
		if name == "loose" && !e.root {
			caps = "00000000a80405fb" // without NET_RAW, and it says so
		}
		root := map[string]string{"tight": "refused", "loose": "written"}[name]
		for user, want := range map[string][]string{
			"0:0": {"Uid: 0 0 0 0", "CapEff: " + caps, "CapBnd: " + caps, "root " + root, "volume " + root},
			"":    {"Uid: 1000 1000 1000 1000", "CapEff: 0000000000000000", "CapBnd: " + caps},
		} {
			out := run(t, ctx, e, id, user)
			for _, line := range append(want, "hostname 12", "interface lo", "brought content") {
				if !slices.Contains(out, line) {
					t.Errorf("%s, user %q: no line %q in %q", name, user, line, out)
				}
			}
			if i := slices.IndexFunc(out, func(l string) bool { return strings.HasPrefix(l, "Groups:") }); i < 0 || !strings.Contains(out[i], "2000") {
				t.Errorf("%s, user %q: the added group is missing: %q", name, user, out)
			}
			if strings.Count(strings.Join(out, "\n"), "interface ") != 1 {
				t.Errorf("%s: interfaces beside loopback: %q", name, out)
			}
		}
		bad := must[*engine.Stream](t)(e.Exec(ctx, id, engine.Exec{Argv: []string{"/nothing"}}))
		if _, err := io.ReadAll(bad.Stdout); err == nil {
			t.Error("a program that is not there ended in order")
		}
		st := must[engine.State](t)(e.Inspect(ctx, id))
		if !st.Running || st.PID == 0 {
			t.Errorf("running %v, pid %d", st.Running, st.PID)
		}
		limits(t, e, st)
		s.Stdin.Close()
		if code := must[int](t)(e.Wait(ctx, id)); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
	if got := tree(t, filepath.Join(dir, "image")); got["made-inside"] != "" || len(got) != 4 {
		t.Errorf("the image was written to: %v", got)
	}
	c := tight.Clone()
	c.Entrypoint = []string{"/helper", "exit", "42"}
	id := must[string](t)(e.Create(ctx, "code", c))
	if err := e.Start(ctx, id); err != nil {
		t.Fatal(err)
	}
	if code := must[int](t)(e.Wait(ctx, id)); code != 42 {
		t.Errorf("exit code %d, want 42", code)
	}
	c.Entrypoint = []string{"/nothing"}
	id = must[string](t)(e.Create(ctx, "missing", c))
	if err := e.Start(ctx, id); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("a program that is not there: %v", err)
	}
	if err := clean(ctx, e); err != nil {
		t.Error(err)
	}
	nothingLeft(t, e, append(slices.Collect(maps.Values(ids)), id))
}

// run is the lines that the helper sees as a user.
func run(t *testing.T, ctx context.Context, e *Engine, id, user string) []string {
	t.Helper()
	x := must[*engine.Stream](t)(e.Exec(ctx, id, engine.Exec{Argv: []string{"/helper", "look"}, User: user}))
	defer x.Close()
	return strings.Split(string(must[[]byte](t)(io.ReadAll(x.Stdout))), "\n")
}

// limits holds what is declared against what the kernel has: whoever declares a
// limit must have set it.
func limits(t *testing.T, e *Engine, st engine.State) {
	t.Helper()
	if !e.root {
		if st.Declared.Memory != 0 || st.Declared.PIDs != 0 || st.Declared.MilliCPU != 0 {
			t.Errorf("limits that nobody enforces are declared: %+v", st.Declared)
		}
		return
	}
	k, err := kernel.Read(st.PID)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(k.Cgroup.Path, st.ID) || k.Cgroup.Memory != 64<<20 || k.Cgroup.Swap != 64<<20 || k.Cgroup.PIDs != 50 || k.Cgroup.CPUQuota*2 != k.Cgroup.CPUPeriod {
		t.Errorf("cgroup %+v", k.Cgroup)
	}
	if st.Declared.Memory != 64<<20 || st.Declared.Swap != 0 || st.Declared.PIDs != 50 || st.Declared.MilliCPU != 500 {
		t.Errorf("declared %+v", st.Declared)
	}
}

// nothingLeft looks everywhere a container leaves traces.
func nothingLeft(t *testing.T, e *Engine, ids []string) {
	t.Helper()
	for _, name := range known {
		empty := filepath.Join(e.store.dir, "runtime", name)
		if left, _ := os.ReadDir(empty); len(left) > 0 {
			t.Errorf("left in %s: %v", empty, left)
		}
	}
	for _, sub := range []string{"containers", "volumes", "staging"} {
		left, err := os.ReadDir(filepath.Join(e.store.dir, sub))
		if err != nil {
			t.Error(err)
		}
		for _, l := range left {
			if l.Name() != "lock" {
				t.Errorf("left in %s: %s", sub, l.Name())
			}
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || bytes.Contains(mounts, []byte(e.store.dir)) {
		t.Errorf("a mount is left: %v", err)
	}
	for _, id := range ids {
		for _, name := range known {
			r := record{ID: id, Runtime: name, CgroupPath: "/tightship-" + id}
			if left := append(processesOf(r), len(cgroupsOf(r))); len(left) != 1 || left[0] != 0 {
				t.Errorf("of container %s are left: processes and a number of cgroups %v", id, left)
			}
		}
	}
}

// However a process of ours ends, the next one finds everything it left.
func TestRealCrash(t *testing.T) {
	lane(t)
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: not root")
	}
	dir := place(t)
	for _, runtime := range []string{"runc", "runsc"} {
		t.Run(runtime, func(t *testing.T) {
			state := filepath.Join(dir, "crash-"+runtime)
			for i := range 8 {
				c := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run", "^TestCrashing$")
				c.Env = append(os.Environ(), "TIGHTSHIP_OCI_PLACE="+dir, "TIGHTSHIP_OCI_STATE="+state, "TIGHTSHIP_OCI_RUNTIME="+runtime, fmt.Sprint("TIGHTSHIP_OCI_NAME=crash-", i))
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(rand.IntN(900)) * time.Millisecond)
				_ = c.Process.Kill()
				_ = c.Wait()
				e := realEngine(t, dir, state)
				ctx := within(t)
				if err := clean(ctx, e); err != nil {
					t.Fatal(err)
				}
				nothingLeft(t, e, []string{idOf(fmt.Sprint("crash-", i))})
			}
		})
	}
}

// TestCrashing is what TestRealCrash kills: it uses the engine without end.
func TestCrashing(t *testing.T) {
	dir, name := os.Getenv("TIGHTSHIP_OCI_PLACE"), os.Getenv("TIGHTSHIP_OCI_NAME")
	if name == "" {
		t.Skip("runs as a part of TestRealCrash")
	}
	eng, err := New(t.Context(), Options{Dir: os.Getenv("TIGHTSHIP_OCI_STATE"), Beside: dir})
	if err != nil {
		t.Fatal(err)
	}
	e, ctx := eng.(*Engine), t.Context()
	for ctx.Err() == nil {
		must[int](t)(0, e.CreateVolume(ctx, "volume", map[string]string{engine.Label: "e2e"}))
		id := must[string](t)(e.Create(ctx, name, settings(dir, os.Getenv("TIGHTSHIP_OCI_RUNTIME"))))
		must[int](t)(0, e.CopyTo(ctx, id, bytes.NewReader(archive(file("volume/brought", "content")))))
		s := must[*engine.Stream](t)(e.Attach(ctx, id))
		must[int](t)(0, e.Start(ctx, id))
		x := must[*engine.Stream](t)(e.Exec(ctx, id, engine.Exec{Argv: []string{"/helper", "wait"}, Stdin: true}))
		x.Close()
		s.Close()
		must[int](t)(0, e.Remove(ctx, id))
		must[int](t)(0, e.RemoveVolume(ctx, "volume"))
	}
}
