package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/spec"
)

// real connects to the machine's engine. Without one the test is skipped, or
// fails where TIGHTSHIP_E2E=1 says that there has to be one. Everything it
// makes carries the returned run ID and is removed in the end.
func real(t *testing.T) (*Engine, string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED, NOT TESTED: the helper in the containers is built for this machine")
	}
	e, err := New(t.Context(), Options{Timeout: 60 * time.Second})
	if err != nil {
		if os.Getenv("TIGHTSHIP_E2E") == "1" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED, NOT TESTED against a real engine: %v", err)
	}
	run := "e2e-" + strings.ToLower(rand.Text()[:12])
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		defer cancel()
		left, err := e.List(ctx, run)
		if err != nil {
			t.Errorf("clean-up: %v", err)
		}
		for _, r := range left {
			err := map[string]func(context.Context, string) error{"container": e.Remove, "volume": e.RemoveVolume, "image": e.RemoveImage}[r.Kind]
			if err := err(ctx, r.ID); err != nil {
				t.Errorf("clean-up: %v", err)
			}
		}
		if left, _ := e.List(ctx, run); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		e.Close()
	})
	return e, run
}

// imported is the image that TestMain removes.
var imported string

// testImage is a scratch image with the helper, and an ENTRYPOINT and CMD that
// must never run.
var testImage = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ts")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "helper"), "./testdata/helper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	helper, err := os.ReadFile(filepath.Join(dir, "helper"))
	if err != nil {
		return "", err
	}
	layer := tarball(
		tar.Header{Name: "helper", Mode: 0o755}, string(helper),
		tar.Header{Name: "etc/", Mode: 0o755, Typeflag: tar.TypeDir}, "",
		tar.Header{Name: "etc/passwd", Mode: 0o644}, "root:x:0:0::/:/\nagent:x:1000:100::/:/\n",
	)
	cli, err := client.New(client.FromEnv)
	if err != nil {
		return "", err
	}
	ref := "tightship-engine-test:" + strings.ToLower(rand.Text()[:12])
	changes := []string{`ENTRYPOINT ["/never"]`, `CMD ["never"]`, `ENV FROM_IMAGE=1`, `HEALTHCHECK CMD ["/never"]`}
	if v, err := cli.ServerVersion(context.Background(), client.ServerVersionOptions{}); err == nil && strings.HasPrefix(v.Components[0].Name, "Podman") {
		changes = changes[:3] // Podman imports no health check
	}
	res, err := cli.ImageImport(context.Background(), client.ImageImportSource{Source: layer, SourceName: "-"}, ref, client.ImageImportOptions{Changes: changes})
	if err != nil {
		return "", err
	}
	defer res.Close()
	imported = ref
	_, err = io.Copy(io.Discard, res)
	return ref, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if cli, err := client.New(client.FromEnv); err == nil && imported != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		cli.ImageRemove(ctx, imported, client.ImageRemoveOptions{})
		cancel()
	}
	os.Exit(code)
}

func image(t *testing.T) string {
	t.Helper()
	ref, err := testImage()
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func tarball(headersAndContents ...any) io.Reader {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(headersAndContents); i += 2 {
		h, content := headersAndContents[i].(tar.Header), headersAndContents[i+1].(string)
		h.Size = int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			panic(err)
		}
		io.WriteString(w, content)
	}
	w.Close()
	return &b
}

// within bounds one test's calls.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestRealInfoAndImage(t *testing.T) {
	e, _ := real(t)
	ctx := within(t)
	info, err := e.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", info)
	if info.Arch != runtime.GOARCH || info.OS != "linux" || info.Version == "" || info.NCPU < 1 || info.Memory < 1<<20 ||
		!slices.Contains([]string{"v1", "v2"}, info.Cgroup) || !slices.Contains(info.Runtimes, info.Runtime) {
		t.Errorf("%+v", info)
	}
	img, err := e.Image(ctx, image(t))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(img.ID, "sha256:") || img.Digest == "" || img.Arch != runtime.GOARCH || !slices.Contains(img.Env, "FROM_IMAGE=1") {
		t.Errorf("%+v", img)
	}
	_, err = e.Image(ctx, "tightship-there-is-no:such")
	good(t, err, engine.ErrNoImage, "tightship-there-is-no")
	_, err = e.Inspect(ctx, strings.Repeat("0", 64))
	good(t, err, engine.ErrNoContainer, "")
	_, err = e.Create(ctx, "", spec.Container{Image: "tightship-there-is-no:such", Cmd: []string{"x"}})
	good(t, err, engine.ErrNoImage, "tightship-there-is-no")
	_, err = e.Create(ctx, "", spec.Container{Image: image(t), Cmd: []string{"x"}, Runtime: "no-such-runtime"})
	good(t, err, engine.ErrRuntime, "no-such-runtime")
}

// every is a container in which no field has its zero value; base gives it what
// differs between runs.
func every(image, run, volume, bind string) spec.Container {
	return spec.Container{
		Image: image, Runtime: "runc",
		Entrypoint: []string{"/helper", "wait"}, Cmd: []string{"x"},
		WorkingDir: "/tmp", User: "1000:100", Groups: []string{"2000"},
		Env:            []string{"A=b=c", "FROM_IMAGE=1"},
		Labels:         map[string]string{engine.Label: run, "other": "x"},
		ReadonlyRootfs: true,
		Tmpfs: map[string]spec.Tmpfs{
			"/tmp":  {Size: 1 << 20},
			"/weak": {Size: 2 << 20, Exec: true, Suid: true, Dev: true, Mode: 0o700},
		},
		Mounts: []spec.Mount{
			{Kind: spec.Bind, Source: bind, Target: "/bind", ReadOnly: true},
			{Kind: spec.Volume, Source: volume, Target: "/volume"},
		},
		ShmSize: 4 << 20,
		Memory:  64 << 20, Swap: 0, MilliCPU: 500, PIDs: 20,
		Ulimits: map[string]int64{"nofile": 64, "core": 0, "nproc": 50},
		CapAdd:  []string{"CHOWN", "NET_RAW"}, CapDrop: []string{"ALL"},
		NoNewPrivileges: true,
		Seccomp:         `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["acct"],"action":"SCMP_ACT_ERRNO"}]}`,
		Sysctls:         map[string]string{"net.ipv4.ip_unprivileged_port_start": "1024"},
		Devices:         []string{"/dev/null"},
		Network:         "none", IPCMode: "none", UTSMode: "", PIDMode: "", CgroupNS: "private",
		OpenStdin: true,
	}
}

func TestRealRoundTrip(t *testing.T) {
	e, run := real(t)
	ctx := within(t)
	labels := map[string]string{engine.Label: run}
	if err := e.CreateVolume(ctx, run, labels); err != nil {
		t.Fatal(err)
	}
	full := every(image(t), run, run, t.TempDir())
	for name, c := range map[string]spec.Container{
		"everything set": full,
		"the other values": func() spec.Container {
			c := full.Clone()
			c.Privileged, c.Unmasked, c.NoNewPrivileges, c.ReadonlyRootfs, c.Seccomp = true, true, false, false, "unconfined"
			c.Swap, c.PIDs, c.MilliCPU, c.User, c.OpenStdin = spec.Unlimited, 0, 1500, "0:0", false
			c.Ulimits = map[string]int64{"core": spec.Unlimited}
			c.CapAdd, c.CapDrop = []string{"SYS_ADMIN"}, []string{"CHOWN", "KILL"}
			c.PIDMode, c.IPCMode, c.UTSMode, c.Network, c.CgroupNS = "host", "host", "host", "host", "host"
			c.Sysctls = nil // Docker refuses one of a shared namespace
			c.Mounts[0].ReadOnly, c.Mounts[1].ReadOnly = false, true
			c.Mounts[0].Propagation = "rshared"
			return c
		}(),
		"swap on top": func() spec.Container {
			c := full.Clone()
			c.Swap, c.IPCMode, c.Network, c.Entrypoint = 32<<20, "private", "bridge", nil
			c.Cmd = []string{"/helper", "exit", "3"}
			return c
		}(),
		"no limits at all": func() spec.Container {
			c := full.Clone()
			c.Memory, c.Swap, c.PIDs, c.MilliCPU, c.Ulimits, c.Tmpfs, c.Devices = 0, spec.Unlimited, 0, 0, nil, nil, nil
			c.CapAdd, c.CapDrop, c.Seccomp, c.Groups = nil, nil, "", nil
			return c
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			id, err := e.Create(ctx, "", c)
			if err != nil {
				t.Fatal(err)
			}
			state, err := e.Inspect(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			got := state.Declared
			if len(got.Entrypoint) == 0 {
				got.Entrypoint = nil
			}
			slices.Sort(got.Env)
			if diff := cmp.Diff(c, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			// Docker itself adds this one to a privileged container.
			if want := []string{"label=disable"}; len(state.Other) > 0 && !(c.Privileged && slices.Equal(state.Other, want)) {
				t.Errorf("others: %q", state.Other)
			}
			if err := e.Remove(ctx, id); err != nil {
				t.Fatal(err)
			}
			if err := e.Remove(ctx, id); err != nil {
				t.Errorf("the second removal: %v", err)
			}
		})
	}
}

// The three accounts of one container have to agree: what was asked for, what
// the engine declares and what the kernel has.
func TestRealKernelAgrees(t *testing.T) {
	e, run := real(t)
	ctx := within(t)
	info, err := e.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !info.Local {
		t.Skip("SKIPPED, NOT TESTED: the engine's processes are not in our /proc")
	}
	if err := e.CreateVolume(ctx, run, map[string]string{engine.Label: run}); err != nil {
		t.Fatal(err)
	}
	c := every(image(t), run, run, t.TempDir())
	c.CapAdd = nil
	c.Memory = 32 << 20
	id, err := e.Create(ctx, "", c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Attach(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := e.Start(ctx, id); err != nil {
		t.Fatal(err)
	}
	if got := make([]byte, 6); func() bool { _, err := io.ReadFull(s.Stdout, got); return err != nil }() || string(got) != "ready\n" {
		t.Fatalf("helper said %q", got)
	}
	state, err := e.Inspect(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	k, err := kernel.Read(state.PID)
	if errors.Is(err, kernel.ErrUnavailable) {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("cgroup %+v", k.Cgroup)

	if !strings.Contains(k.Cgroup.Path, id) {
		t.Errorf("cgroup %s is not the container's", k.Cgroup.Path)
	}
	if k.UIDs != [4]int64{1000, 1000, 1000, 1000} || k.GIDs[0] != 100 || !slices.Contains(k.Groups, 2000) {
		t.Errorf("ids %v %v %v", k.UIDs, k.GIDs, k.Groups)
	}
	if k.Caps != (kernel.Caps{}) {
		t.Errorf("capabilities %+v", k.Caps)
	}
	if k.NoNewPrivs == nil || !*k.NoNewPrivs || k.Seccomp != 2 {
		t.Errorf("no_new_privs %v, seccomp %d", k.NoNewPrivs, k.Seccomp)
	}
	for name, v := range c.Ulimits {
		if k.Limits[name] != (kernel.Rlimit{Soft: v, Hard: v}) {
			t.Errorf("ulimit %s is %v", name, k.Limits[name])
		}
	}
	for target, want := range map[string]string{
		"/": "ro", "/tmp": "nosuid nodev noexec rw", "/weak": "!nosuid !nodev !noexec rw", "/bind": "ro", "/volume": "rw",
	} {
		m, ok := k.MountAt(target)
		if !ok {
			t.Errorf("%s is no mount", target)
		}
		for option := range strings.FieldsSeq(want) {
			name, not := strings.CutPrefix(option, "!")
			if m.Has(name) == not {
				t.Errorf("%s: want %s, has %v", target, option, m.Options)
			}
		}
	}
	if m, _ := k.MountAt("/tmp"); m.FSType != "tmpfs" || !m.Has("size=1024k") {
		t.Errorf("/tmp is %+v", m)
	}
	cg := k.Cgroup
	if cg.Memory != c.Memory || cg.PIDs != c.PIDs || cg.CPUQuota*1000 != c.MilliCPU*cg.CPUPeriod {
		t.Errorf("cgroup %+v", cg)
	}
	if cg.Swap != kernel.NotKnown && cg.Swap != c.Memory {
		t.Errorf("memory and swap %d", cg.Swap)
	}
	if cg.OOMKills != 0 || cg.PIDsMax != 0 {
		t.Errorf("counters %+v", cg)
	}
	self, err := kernel.Read(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"pid", "net", "mnt", "ipc", "uts", "cgroup"} {
		if k.Namespaces[ns] == "" || k.Namespaces[ns] == self.Namespaces[ns] {
			t.Errorf("%s namespace %q, ours is %q", ns, k.Namespaces[ns], self.Namespaces[ns])
		}
	}
	if _, err := k.Refresh(); err != nil {
		t.Errorf("refresh: %v", err)
	}

	s.Stdin.Close()
	if code, err := e.Wait(ctx, id); code != 0 || err != nil {
		t.Errorf("exit %d, %v", code, err)
	}
	if _, err := kernel.Read(state.PID); !errors.Is(err, kernel.ErrGone) {
		t.Errorf("ended: %v", err)
	}
	for range 100 { // the engine removes the cgroup a little later
		if _, err = k.Refresh(); err != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !errors.Is(err, kernel.ErrGone) {
		t.Errorf("refresh after the end: %v", err)
	}
}

func TestRealStreams(t *testing.T) {
	e, run := real(t)
	ctx := within(t)
	start := func(t *testing.T, argv ...string) (string, *engine.Stream) {
		t.Helper()
		id, err := e.Create(ctx, "", spec.Container{
			Image: image(t), Entrypoint: argv, Labels: map[string]string{engine.Label: run}, OpenStdin: true, Network: "none",
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Attach(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		if err := e.Start(ctx, id); err != nil {
			t.Fatal(err)
		}
		return id, s
	}
	t.Run("echo", func(t *testing.T) {
		id, s := start(t, "/helper", "echo")
		big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB, many frames
		go func() { io.WriteString(s.Stdin, big); s.Stdin.Close() }()
		got, err := io.ReadAll(s.Stdout)
		if err != nil || string(got) != big {
			t.Errorf("%d bytes came back of %d: %v", len(got), len(big), err)
		}
		if got, err := io.ReadAll(s.Stderr); string(got) != "to stderr" || err != nil {
			t.Errorf("stderr %q, %v", got, err)
		}
		if code, err := e.Wait(ctx, id); code != 0 || err != nil {
			t.Errorf("exit %d, %v", code, err)
		}
	})
	t.Run("exit code", func(t *testing.T) {
		id, _ := start(t, "/helper", "exit", "42")
		if code, err := e.Wait(ctx, id); code != 42 || err != nil {
			t.Errorf("exit %d, %v", code, err)
		}
		if s, err := e.Inspect(ctx, id); err != nil || s.Running || s.PID != 0 || s.ExitCode != 42 {
			t.Errorf("%+v, %v", s, err)
		}
	})
	t.Run("two outputs, read together", func(t *testing.T) {
		_, s := start(t, "/helper", "much")
		go io.Copy(io.Discard, s.Stderr)
		if got, err := io.ReadAll(s.Stdout); string(got) != "done" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("exec", func(t *testing.T) {
		id, s := start(t, "/helper", "wait")
		if _, err := io.ReadFull(s.Stdout, make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
		x, err := e.Exec(ctx, id, engine.Exec{Argv: []string{"/helper", "ids"}, User: "1000:100"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(x.Stdout); string(got) != "1000 100" || err != nil {
			t.Errorf("ids %q, %v", got, err)
		}
		if x, err = e.Exec(ctx, id, engine.Exec{Argv: []string{"/helper", "echo"}, User: "0:0", Stdin: true}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(x.Stdin, "in")
		x.Stdin.Close()
		if got, err := io.ReadAll(x.Stdout); string(got) != "in" || err != nil {
			t.Errorf("echo %q, %v", got, err)
		}
		if x, err = e.Exec(ctx, id, engine.Exec{Argv: []string{"/absent"}}); err == nil {
			_, err = io.ReadAll(x.Stdout)
		}
		good(t, err, errNotStarted, "")
		for code, want := range map[string]error{"0": nil, "126": nil, "127": nil} {
			if x, err = e.Exec(ctx, id, engine.Exec{Argv: []string{"/helper", "exit", code}}); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(x.Stdout); !errors.Is(err, want) {
				t.Errorf("a process that ends with %s: %v", code, err)
			}
		}
		if err := e.Kill(ctx, id, "KILL"); err != nil {
			t.Fatal(err)
		}
		if code, err := e.Wait(ctx, id); code != 137 || err != nil {
			t.Errorf("exit %d, %v", code, err)
		}
		_, err = e.Exec(ctx, id, engine.Exec{Argv: []string{"/helper", "ids"}})
		good(t, err, nil, "not running")
	})
	t.Run("wait ends with its context", func(t *testing.T) {
		id, _ := start(t, "/helper", "wait")
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		_, err := e.Wait(short, id)
		good(t, err, context.DeadlineExceeded, "wait")
		if err := e.Remove(ctx, id); err != nil { // while it runs
			t.Error(err)
		}
	})
}

// A volume filled through a container that never runs is how the guest comes
// in: owners, modes and file capabilities have to survive.
func TestRealCopy(t *testing.T) {
	e, run := real(t)
	ctx := within(t)
	labels := map[string]string{engine.Label: run}
	if err := e.CreateVolume(ctx, run, labels); err != nil {
		t.Fatal(err)
	}
	c := spec.Container{
		Image: image(t), Cmd: []string{"/helper", "stat", "/v/file"}, User: "1000:100", Labels: labels, Network: "none",
		Mounts: []spec.Mount{{Kind: spec.Volume, Source: run, Target: "/v"}},
	}
	id, err := e.Create(ctx, "", c)
	if err != nil {
		t.Fatal(err)
	}
	capability, _ := hex.DecodeString("0000000201000000000000000000000000000000")
	capability[3], capability[0] = 0x02, 0x01 // VFS_CAP_REVISION_2, effective
	err = e.CopyTo(ctx, id, tarball(tar.Header{
		Name: "v/file", Mode: 0o4755, Uid: 7, Gid: 8, Format: tar.FormatPAX,
		PAXRecords: map[string]string{"SCHILY.xattr.security.capability": string(capability)},
	}, "content"))
	if err != nil {
		t.Fatal(err)
	}

	c.ReadonlyRootfs, c.Mounts[0].ReadOnly = true, true
	reader, err := e.Create(ctx, "", c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Attach(ctx, reader)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := e.Start(ctx, reader); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(s.Stdout)
	if want := fmt.Sprintf(`7:8 4755 "content" %x`, capability); string(got) != want || err != nil {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	err = e.CopyTo(ctx, reader, tarball(tar.Header{Name: "x"}, "x"))
	good(t, err, nil, "read-only")

	list, err := e.List(ctx, run)
	if err != nil || len(list) != 3 || list[0].Kind != "container" || list[2] != (engine.Resource{Kind: "volume", ID: run, Name: run, RunID: run}) {
		t.Errorf("list %+v, %v", list, err)
	}
	if err := e.RemoveVolume(ctx, run); err == nil {
		t.Error("a volume in use was removed")
	}
}
