package verify

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/spec"
)

// copier is a fake engine that holds one container of somebody else's.
type copier struct {
	*fake
	theirs engine.State
	files  map[string]string
}

func newCopier(t *testing.T) *copier {
	t.Helper()
	f := newFake(t)
	declared := f.recorded.Twins[check.Main].Declared.Clone()
	declared.Labels, declared.Entrypoint = map[string]string{"theirs": "yes"}, []string{"/start"}
	declared.User, declared.Env = "claude-agent", nil
	declared.Mounts = slices.DeleteFunc(declared.Mounts, func(m spec.Mount) bool { return m.Target == guestDir })
	return &copier{
		fake:  f,
		files: map[string]string{"/etc/passwd": "claude-agent:x:1000:100::/home:/bin/sh\n", "/etc/group": "users:x:100:\n"},
		theirs: engine.State{
			ID: "theirs", Name: "theirs", Image: "sha256:1", Declared: declared, Record: json.RawMessage(`{"theirs": 1}`),
		},
	}
}

func (c *copier) Inspect(ctx context.Context, id string) (engine.State, error) {
	if id == "theirs" {
		return c.theirs, c.call(ctx)
	}
	st, err := c.fake.Inspect(ctx, id)
	c.locked(func() {
		if c.specs[id].Record != nil { // a copy declares what it was made from
			mounts := st.Declared.Mounts
			st.Declared = c.theirs.Declared.Clone()
			st.Declared.Mounts = mounts
		}
	})
	return st, err
}

func (c *copier) Containers(ctx context.Context, _ []string) ([]engine.Reference, error) {
	return []engine.Reference{{ID: "theirs", Name: "theirs"}}, c.call(ctx)
}

func (c *copier) ReadFile(ctx context.Context, id, path string) ([]byte, error) {
	if id == "theirs" {
		return nil, errors.New("the original was touched")
	}
	data, ok := c.files[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(data), c.call(ctx)
}

func (c *copier) Request(s spec.Container) ([]byte, error) { return json.Marshal(s) }

func (c *copier) options() Options {
	o := c.fake.options()
	o.Policy = nil
	return o
}

func TestContainer(t *testing.T) {
	c := newCopier(t)
	r, err := Container(t.Context(), c, "theirs", c.options())
	if err != nil {
		t.Fatal(err)
	}
	if r.Subject.Container != "theirs" || r.Summary.Verdict != "proven" {
		for _, row := range r.Checks {
			if row.Verdict != "pass" {
				t.Logf("%s %s: %s", row.ID, row.Verdict, row.Reason)
			}
		}
		t.Errorf("container %q is %s", r.Subject.Container, r.Summary.Verdict)
	}
	if left := c.left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if slices.Contains(c.removed, "theirs") {
		t.Error("the original was removed")
	}
	// The drift rows are there, the environment's are not.
	seen := map[string]bool{}
	for _, row := range r.Checks {
		seen[row.Section] = true
	}
	if !seen["drift"] || seen["environment"] {
		t.Errorf("sections %v", seen)
	}
	// With a policy the container is held against that.
	o := c.options()
	o.Policy = policy.Default()
	o.Policy.Limits.Memory = 1 << 30
	r, err = Container(t.Context(), c, "theirs", o)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Checks {
		if row.ID == "limits.memory" && row.Verdict != "fail" {
			t.Errorf("%s: %s: %s", row.ID, row.Verdict, row.Reason)
		}
	}
	if o.Policy.Image != policy.Default().Image {
		t.Error("the caller's policy was changed")
	}
}

// Whichever engine call fails, nothing of ours is left and nothing of theirs is
// touched.
func TestContainerFaults(t *testing.T) {
	c := newCopier(t)
	if _, err := Container(t.Context(), c, "theirs", c.options()); err != nil {
		t.Fatal(err)
	}
	for call := 1; call <= c.calls; call++ {
		for _, how := range []string{"fails", "is interrupted"} {
			c := newCopier(t)
			ctx, cancel := context.WithCancel(t.Context())
			c.failAt = call
			if how == "is interrupted" {
				c.cancel = cancel
			}
			r, err := Container(ctx, c, "theirs", c.options())
			if err == nil && r.Summary.Verdict == "proven" && how == "fails" {
				t.Errorf("call %d %s, and all is proven", call, how)
			}
			if left := c.left(); len(left) > 0 || slices.Contains(c.removed, "theirs") {
				t.Errorf("call %d %s: left %v", call, how, left)
			}
			cancel()
		}
	}
}

func TestContainerRefused(t *testing.T) {
	c := newCopier(t)
	if _, err := Container(t.Context(), c.fake, "theirs", c.options()); !errors.Is(err, ErrNoCopies) {
		t.Errorf("an engine without copies: %v", err)
	}
	// The label alone is a word that anybody may use.
	c.theirs.Declared.Labels = map[string]string{engine.Label: "run"}
	if _, err := Container(t.Context(), c, "theirs", c.options()); err != nil {
		t.Errorf("theirs with a label like ours: %v", err)
	}
	c.theirs.Name = "tightship-run-main"
	if _, err := Container(t.Context(), c, "theirs", c.options()); !errors.Is(err, ErrOwnTwin) {
		t.Errorf("one of our twins: %v", err)
	}
	c = newCopier(t)
	c.theirs.Record = nil
	if _, err := Container(t.Context(), c, "theirs", c.options()); !errors.Is(err, ErrNoCopies) {
		t.Errorf("no record: %v", err)
	}
	c = newCopier(t)
	c.theirs.Image = ""
	if _, err := Container(t.Context(), c, "theirs", c.options()); !errors.Is(err, engine.ErrBadAnswer) {
		t.Errorf("no image: %v", err)
	}
}

// launched is what the main twin of a container with these settings is made from.
func launched(t *testing.T, edit func(*copier)) (*run, spec.Container) {
	t.Helper()
	c := newCopier(t)
	edit(c)
	r, err := prepare(t.Context(), c, "theirs", c.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.lock.release(false) })
	return r, r.settings(check.Main)
}

// A twin shares nothing that could be harmed.
func TestNothingIsShared(t *testing.T) {
	host := t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "docker.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, c := launched(t, func(c *copier) {
		c.info.Local = true
		d := &c.theirs.Declared
		d.PIDMode, d.IPCMode, d.Network = "container:a", "container:b", "container:c"
		d.Mounts = []spec.Mount{
			{Kind: spec.Bind, Source: host, Target: "/rw"},
			{Kind: spec.Bind, Source: host, Target: "/ro", ReadOnly: true},
			{Kind: spec.Bind, Source: filepath.Join(host, "docker.sock"), Target: "/docker.sock"},
			{Kind: spec.Volume, Source: "data", Target: "/data", ReadOnly: true},
			{Kind: "cluster", Source: "x", Target: "/cluster"},
		}
	})
	if c.PIDMode != "" || c.IPCMode != "private" || c.Network != "none" {
		t.Errorf("namespaces %q %q %q", c.PIDMode, c.IPCMode, c.Network)
	}
	got := map[string]spec.Mount{}
	for _, m := range c.Mounts {
		got[m.Target] = m
		if m.Kind == spec.Volume && !strings.HasPrefix(m.Source, r.prefix()) || m.Kind == spec.Bind && !m.ReadOnly {
			t.Errorf("shared: %+v", m)
		}
	}
	if len(got) != 4 || got["/ro"].Source != host || !got["/data"].ReadOnly || got["/rw"].ReadOnly {
		t.Errorf("mounts %+v", got)
	}
	notes := strings.Join(r.original.notShared, "\n")
	for _, word := range []string{"container:a", "container:b", "container:c", "stands in for " + host + " at /rw", "docker.sock is not mounted", "stands in for data", "the cluster at /cluster"} {
		if !strings.Contains(notes, word) {
			t.Errorf("not said: %s\n%s", word, notes)
		}
	}
	if string(c.Record) != `{"theirs": 1}` || c.Labels["theirs"] != "" || c.Entrypoint[0] != guestDir+"/guest" {
		t.Errorf("%s %v %v", c.Record, c.Labels, c.Entrypoint)
	}
}

// An engine makes a directory that is not there, and read-only is not what the
// host has mounted below: neither is shared.
func TestNotReadOnly(t *testing.T) {
	host, gone := t.TempDir(), filepath.Join(t.TempDir(), "gone")
	r, c := launched(t, func(c *copier) {
		c.info.Local = true
		c.theirs.Declared.Mounts = []spec.Mount{
			{Kind: spec.Bind, Source: "/", Target: "/host", ReadOnly: true}, // /proc is below it
			{Kind: spec.Bind, Source: gone, Target: "/gone", ReadOnly: true},
			{Kind: spec.Bind, Source: host, Target: "/ro", ReadOnly: true},
		}
		c.theirs.Other = []string{"cgroup-parent=/theirs"}
	})
	for _, m := range c.Mounts {
		if m.Kind == spec.Bind && m.Target != "/ro" {
			t.Errorf("shared: %+v", m)
		}
	}
	if m := r.original.state.Declared.Mounts; m[0].ReadOnly || !m[1].ReadOnly || !m[2].ReadOnly {
		t.Errorf("declared %+v", m)
	}
	notes := strings.Join(r.original.notShared, "\n")
	for _, word := range []string{"/ is not read-only as a whole", "stands in for / at /host", "stands in for " + gone, "not in the cgroup /theirs"} {
		if !strings.Contains(notes, word) {
			t.Errorf("not said: %s\n%s", word, notes)
		}
	}
}

func TestWritableBelow(t *testing.T) {
	mounts := []kernel.Mount{
		{Target: "/srv", Options: []string{"rw"}}, {Target: "/srv/ro", Options: []string{"ro"}},
		{Target: "/srv/net", Options: []string{"rw"}, FSType: "nsfs"}, {Target: "/srvs/x", Options: []string{"rw"}},
	}
	if got := writableBelow(mounts, "/srv"); got != "" {
		t.Errorf("%s is writable", got)
	}
	if got := writableBelow(append(mounts, kernel.Mount{Target: "/srv/a/b", Options: []string{"rw"}}), "/srv/"); got != "/srv/a/b" {
		t.Errorf("%q is writable", got)
	}
	for _, row := range []struct {
		name, api, kernel string
		want              bool
	}{{"docker", "1.44", "6.1.0-9-amd64", true}, {"docker", "1.43", "6.1.0", false}, {"docker", "1.51", "5.10.0", false}, {"docker", "1.51", "", false}, {"podman", "1.44", "6.1.0", false}} {
		if got := deepReadOnly(engine.Info{Name: row.name, API: row.api, Kernel: row.kernel}); got != row.want {
			t.Errorf("%+v: %t", row, got)
		}
	}
}

// The twins that plant and fill have no /dev/shm of the host's.
func TestHostIPC(t *testing.T) {
	r, main := launched(t, func(c *copier) { c.theirs.Declared.IPCMode = "host" })
	if main.IPCMode != "host" {
		t.Errorf("the main twin's is %s", main.IPCMode)
	}
	for _, twin := range []check.Twin{check.Isolate, check.Exhaust, check.Doomed["exhaust.pids"]} {
		if got := r.settings(twin).IPCMode; got != "private" {
			t.Errorf("the %s twin's is %s", twin, got)
		}
	}
}

// The user is looked up in a twin, and one below the bar is not taken over.
func TestResolve(t *testing.T) {
	for _, row := range []struct {
		user, passwd string
		uid, gid     int64
	}{
		{"claude-agent", "claude-agent:x:7:8::/:/bin/sh\n", 7, 8},
		{"7", "claude-agent:x:7:8::/:/bin/sh\n", 7, 8},
		{"7:9", "", 7, 9},
		{"", "root:x:0:0::/:/bin/sh\n", 1000, 100},
		{"0:0", "", 1000, 100},
		{"nobody-of-that-name", "", 1000, 100},
	} {
		c := newCopier(t)
		c.theirs.Declared.User = row.user
		c.files = map[string]string{}
		if row.passwd != "" {
			c.files["/etc/passwd"] = row.passwd
		}
		r, err := prepare(t.Context(), c, "theirs", c.options())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.resolve(t.Context(), "twin"); err != nil {
			t.Fatal(err)
		}
		r.lock.release(false)
		if u := r.opts.Policy.User; u.UID != row.uid || u.GID != row.gid {
			t.Errorf("%q: %d:%d, want %d:%d", row.user, u.UID, u.GID, row.uid, row.gid)
		}
	}
}
