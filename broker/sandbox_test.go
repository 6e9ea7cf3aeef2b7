package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/ledger"
)

func TestParseCgroup(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want Cgroup
	}{
		"v2":                {"0::/system.slice/docker-1.scope\n", Cgroup{"": "/system.slice/docker-1.scope"}},
		"v1":                {"2:cpu,cpuacct:/docker/1\n1:name=systemd:/docker/1\n", Cgroup{"cpu,cpuacct": "/docker/1", "name=systemd": "/docker/1"}},
		"hybrid":            {"1:cpu:/docker/1\n0::/\n", Cgroup{"cpu": "/docker/1"}},
		"colon in the path": {"0::/a:b\n", Cgroup{"": "/a:b"}},
		"no path":           {"0::\n", nil},
		"no colons":         {"nonsense\n", nil},
		"relative":          {"0::a\n", nil},
		"twice":             {"1:cpu:/a\n2:cpu:/b\n", nil},
		"empty":             {"", nil},
	} {
		got, err := parseCgroup(tc.text)
		if diff := cmp.Diff(tc.want, got); diff != "" || (err != nil) != (tc.want == nil) {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

// TestCgroupsAreExact has the ways to look like somebody else.
func TestCgroupsAreExact(t *testing.T) {
	const id = "/docker/0123456789abcdef"
	want := Cgroup{"cpu": id, "memory": id}
	for name, got := range map[string]Cgroup{
		"below":             {"cpu": id + "/x", "memory": id + "/x"},
		"above":             {"cpu": "/docker", "memory": "/docker"},
		"nested under mine": {"cpu": "/docker/evil" + id, "memory": "/docker/evil" + id},
		"longer":            {"cpu": id + "0", "memory": id + "0"},
		"one tree differs":  {"cpu": id, "memory": "/"},
		"one tree missing":  {"cpu": id},
		"one tree more":     {"cpu": id, "memory": id, "pids": id},
		"another tree":      {"cpu": id, "pids": id},
		"case":              {"cpu": strings.ToUpper(id), "memory": id},
		"nothing":           {},
	} {
		if want.equal(got) || got.equal(want) {
			t.Errorf("%s counts as the same", name)
		}
	}
	if !want.equal(Cgroup{"memory": id, "cpu": id}) {
		t.Error("the same does not count")
	}
	if (Cgroup{}).equal(Cgroup{}) {
		t.Error("nothing is in nothing")
	}
}

// TestAttestation connects from this very process, whose cgroup is known, and asks for
// that one and for others.
func TestAttestation(t *testing.T) {
	own, err := cgroupOf(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), func(o *Options) { o.attest = nil })
	served := func(bind binding) bool {
		t.Helper()
		s := tb.sandboxes["box"]
		s.mu.Lock()
		s.bind = bind
		s.mu.Unlock()
		c := tb.dial(t)
		fmt.Fprint(c, "GET /x/a HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
		got, _ := io.ReadAll(c)
		if len(got) > 0 && !strings.HasPrefix(string(got), "HTTP/1.1 200") {
			t.Errorf("%s", got)
		}
		return len(got) > 0
	}
	below := Cgroup{}
	for k, v := range own {
		below[k] = strings.TrimSuffix(v, "/") + "/x"
	}
	for name, tc := range map[string]struct {
		bind binding
		want bool
	}{
		"unbound":          {binding{}, false},
		"bound to us":      {binding{Cgroup: own}, true},
		"bound to another": {binding{Cgroup: below}, false},
		"no engine to ask": {binding{Container: "0123"}, false},
	} {
		if got := served(tc.bind); got != tc.want {
			t.Errorf("%s: served=%v", name, got)
		}
	}
	eventually(t, "three refusals", func() bool { return len(tb.ledger.of(ledger.Denied)) == 3 })
	for _, e := range tb.ledger.of(ledger.Denied) {
		if e.Rule != RulePeer {
			t.Errorf("%+v", e)
		}
	}
	if n := len(up.requests()); n != 1 {
		t.Errorf("%d requests arrived", n)
	}
}

// TestPinning binds a container that does not run yet.
func TestPinning(t *testing.T) {
	var pid int
	tb := startBroker(t, policyOf(), func(o *Options) {
		o.attest = nil
		o.Resolve = func(_ context.Context, c string) (string, int, error) {
			if c == "gone" {
				return "", 0, errors.New("no such container")
			}
			return "id-of-" + strings.TrimPrefix(c, "id-of-"), pid, nil
		}
	})
	ctx := context.Background()
	if err := tb.Bind(ctx, "box", Who{Container: "gone"}); err == nil {
		t.Error("bound to a container that is not there")
	}
	if err := tb.Bind(ctx, "box", Who{Container: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := tb.Bind(ctx, "box", Who{Container: "b"}); !errors.Is(err, ErrBound) {
		t.Errorf("bound twice: %v", err)
	}
	if _, err := tb.Add("second", os.Getuid()); err != nil {
		t.Fatal(err)
	}
	if err := tb.Bind(ctx, "second", Who{Container: "a"}); !errors.Is(err, ErrBound) {
		t.Errorf("two sandboxes of one container: %v", err)
	}
	s := tb.sandboxes["box"]
	if _, err := tb.pinned(ctx, s); !errors.Is(err, ErrPeer) {
		t.Errorf("before it runs: %v", err)
	}
	// It runs in the broker's own cgroup, which tells nobody from anybody.
	pid = os.Getpid()
	if _, err := tb.pinned(ctx, s); !errors.Is(err, ErrCgroup) {
		t.Errorf("in the broker's own cgroup: %v", err)
	}
	if st := tb.List()[0]; st.State != "waiting" || st.Container != "id-of-a" {
		t.Errorf("%+v", st)
	}
	for _, path := range []string{"/", "docker/x", "/docker/../x", "/docker/", ""} {
		if err := tb.Bind(ctx, "second", Who{Cgroup: path}); err == nil {
			t.Errorf("bound to %q", path)
		}
	}
	if err := tb.Bind(ctx, "second", Who{Cgroup: "/docker/x"}); err != nil {
		t.Error(err)
	}
}

// TestSockets looks at who may reach what.
func TestSockets(t *testing.T) {
	tb := startBroker(t, policyOf(), nil)
	dir := tb.o.Dir
	for path, want := range map[string]os.FileMode{
		"sandboxes": os.ModeDir | 0o711, "sandboxes/box": os.ModeDir | 0o711, "sandboxes/box/broker.sock": os.ModeSocket | 0o600,
		"control.sock": os.ModeSocket | 0o600, "state": os.ModeDir | 0o700, "state/box.json": 0o600,
	} {
		eventually(t, path, func() bool { _, err := os.Lstat(filepath.Join(dir, path)); return err == nil })
		info, err := os.Lstat(filepath.Join(dir, path))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want %v", path, info.Mode(), err, want)
		}
	}
	entries, err := os.ReadDir(tb.paths.mount("box"))
	if err != nil || len(entries) != 1 {
		t.Errorf("a container sees %v %v", entries, err)
	}
	for _, name := range []string{"", "..", "a/b", "Box", ".a", strings.Repeat("a", 64), "a\n"} {
		if _, err := tb.Add(name, 0); !errors.Is(err, ErrName) {
			t.Errorf("a sandbox named %q: %v", name, err)
		}
	}
	if _, err := tb.Add("box", 0); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
	if _, err := New(tb.o); !errors.Is(err, ErrRunning) {
		t.Errorf("a second broker: %v", err)
	}
	long := tb.o
	long.Dir = filepath.Join(shortDir(t), strings.Repeat("d", 90))
	if _, err := New(long); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("a long path: %v", err)
	}
}

// TestRestart has a second broker find what the first one left.
func TestRestart(t *testing.T) {
	up := newUpstream(t, nil)
	p := policyOf(up.credential("x", apiKey, allow("GET", "/**")))
	dir := shortDir(t)
	options := Options{Dir: dir, Policy: p, Ledger: &memory{}, Open: newFixed(realKey).opener(), attest: func(*session, peer) error { return nil }}
	first, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	mount, err := first.Add("kept", os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Bind(t.Context(), "kept", Who{Cgroup: "/docker/kept"}); err != nil {
		t.Fatal(err)
	}
	inode := stat(t, mount)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("unix", filepath.Join(mount, "broker.sock")); err == nil {
		t.Error("it answers after its end")
	}
	second := startBroker(t, p, func(o *Options) { o.Dir = dir })
	if !os.SameFile(inode, stat(t, mount)) {
		t.Error("the mounted directory is another one")
	}
	if resp, body := fetch(t, socketClient(t, filepath.Join(mount, "broker.sock")), "GET", "/x/a", nil); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	list := second.List()
	if len(list) != 2 || list[1].Name != "kept" || list[1].State != "bound" || list[1].Cgroup != "/docker/kept" {
		t.Errorf("%+v", list)
	}
	if err := second.Remove("kept"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mount); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the removal: %v", err)
	}
	if err := second.Remove("kept"); !errors.Is(err, ErrNoSandbox) {
		t.Error(err)
	}
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestControl speaks to the control socket as the commands do.
func TestControl(t *testing.T) {
	up := newUpstream(t, nil)
	p := policyOf(up.credential("x", apiKey, allow("GET", "/**")))
	loads := 0
	tb := startBroker(t, p, func(o *Options) {
		o.Load = func() (*policyType, error) {
			if loads++; loads > 1 {
				return nil, errors.New("line 3 is wrong")
			}
			return p, nil
		}
	})
	ctx := t.Context()
	c := NewClient(tb.o.Dir)
	eventually(t, "an answer", func() bool { _, err := c.Status(ctx); return err == nil })
	dir, err := c.Add(ctx, "two", os.Getuid())
	if err != nil || dir != tb.paths.mount("two") {
		t.Errorf("%q %v", dir, err)
	}
	if _, err := c.Add(ctx, "two", -1); err == nil || !strings.Contains(err.Error(), ErrExists.Error()) {
		t.Errorf("twice: %v", err)
	}
	if s, err := c.Bind(ctx, "two", Who{Cgroup: "/docker/two"}); err != nil || s.Cgroup != "/docker/two" || s.State != "bound" {
		t.Errorf("%+v %v", s, err)
	}
	list, err := c.List(ctx)
	if err != nil || len(list) != 2 || list[1].Cgroup != "/docker/two" {
		t.Errorf("%+v %v", list, err)
	}
	if err := c.Remove(ctx, "two"); err != nil {
		t.Error(err)
	}
	if err := c.Reload(ctx); err != nil {
		t.Error(err)
	}
	if err := c.Reload(ctx); err == nil || err.Error() != "line 3 is wrong" {
		t.Errorf("a bad policy: %v", err)
	}
	if err := c.Revoke(ctx, "x"); err != nil {
		t.Error(err)
	}
	st, err := c.Status(ctx)
	want := []CredentialStatus{{Name: "x", Listen: "/x", Upstream: up.URL, Attach: "header: x-api-key", Revoked: true, State: StateRevoked}}
	if diff := cmp.Diff(want, st.Credentials); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for path, want := range map[string]string{"/healthz": "ok", "/metrics": "tightship_broker_sandboxes 1\n"} {
		if _, body := fetch(t, socketClient(t, tb.paths.control()), "GET", path, nil); !strings.Contains(body, want) {
			t.Errorf("%s: %s", path, body)
		}
	}
	if _, err := NewClient(shortDir(t)).Status(ctx); !errors.Is(err, ErrNotRunning) {
		t.Errorf("where there is none: %v", err)
	}
}
