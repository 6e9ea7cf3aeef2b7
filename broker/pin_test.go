package broker

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// elsewhere is the oldest process in a control group that a sandbox can be bound to.
func elsewhere(t *testing.T) (pid int, c Cgroup) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip(err)
	}
	var all []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	for _, pid := range all {
		if c, err := cgroupOf(pid); err == nil && c.check() == nil {
			return pid, c
		}
	}
	t.Skip("SKIPPED: every process here is in the control group of this one")
	return 0, nil
}

// TestPinnedToAnothers has a container begin to run in the control group that another
// sandbox has, or under the ID of another container.
func TestPinnedToAnothers(t *testing.T) {
	there, want := elsewhere(t)
	id, pid := "c0ffee", 0
	tb := startBroker(t, policyOf(), func(o *Options) {
		o.Resolve = func(context.Context, string) (string, int, error) { return id, pid, nil }
	})
	ctx := t.Context()
	if err := tb.Bind(ctx, "box", Who{Container: "a"}); err != nil {
		t.Fatal(err)
	}
	if _, err := tb.Add("other", os.Getuid()); err != nil {
		t.Fatal(err)
	}
	if err := tb.Bind(ctx, "other", Who{PID: there}); err != nil {
		t.Fatal(err)
	}
	pid = there
	box := tb.sandboxes["box"]
	if c, err := tb.pinned(ctx, box); !errors.Is(err, ErrBound) {
		t.Errorf("where another sandbox is: %v %v, want %v", c, err, ErrBound)
	}
	if err := tb.Remove("other"); err != nil {
		t.Fatal(err)
	}
	id = "decade"
	if c, err := tb.pinned(ctx, box); !errors.Is(err, ErrPeer) {
		t.Errorf("another container: %v %v, want %v", c, err, ErrPeer)
	}
	if got := box.binding().Cgroup; len(got) > 0 {
		t.Errorf("pinned to %v", got)
	}
	id = "c0ffee"
	c, err := tb.pinned(ctx, box)
	if diff := cmp.Diff(want, c); err != nil || diff != "" {
		t.Errorf("its own: %v %s", err, diff)
	}
}

// TestRootIsNobodysOwn has the root in a tree that this machine has not, so that it is
// not the broker's own either.
func TestRootIsNobodysOwn(t *testing.T) {
	if err := (Cgroup{"x": "/", "y": "/"}).check(); !errors.Is(err, ErrCgroup) {
		t.Errorf("%v, want %v", err, ErrCgroup)
	}
	if err := (Cgroup{"x": "/", "y": "/docker/1"}).check(); err != nil {
		t.Errorf("the root in one of two: %v", err)
	}
}

// TestBindingIsSynced has the new state be a file that cannot be synced: it does not
// take the place of the old one.
func TestBindingIsSynced(t *testing.T) {
	tb := startBroker(t, policyOf(), nil)
	path := tb.paths.binding("box")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.DevNull, path+".new"); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Sync() == nil {
		t.Skipf("SKIPPED: %s can be synced here", os.DevNull)
	}
	if err := tb.Bind(t.Context(), "box", Who{Cgroup: "/docker/x"}); err == nil {
		t.Error("it is bound by what is not on the disk")
	}
	after, err := os.ReadFile(path)
	if diff := cmp.Diff(string(before), string(after)); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v %v", info, err)
	}
}
