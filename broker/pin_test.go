package broker

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
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
	// A broker that is started again knows it.
	data, err := os.ReadFile(tb.paths.binding("box"))
	var saved binding
	if err := errors.Join(err, json.Unmarshal(data, &saved)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(binding{Name: "box", UID: os.Getuid(), Added: box.binding().Added, Container: "c0ffee", Cgroup: want}, saved); diff != "" {
		t.Error(diff)
	}
}

// TestStartedAgainMeanwhile has a container's process end while its control group is
// read, and its number be another's.
func TestStartedAgainMeanwhile(t *testing.T) {
	there, _ := elsewhere(t)
	asked := 0
	tb := startBroker(t, policyOf(), func(o *Options) {
		o.Resolve = func(context.Context, string) (string, int, error) {
			asked++
			return "c0ffee", there * (asked % 2), nil // and then none
		}
	})
	if err := tb.Bind(t.Context(), "box", Who{Container: "a"}); !errors.Is(err, ErrPeer) {
		t.Errorf("asked %d times: %v, want %v", asked, err, ErrPeer)
	}
	if bind := tb.sandboxes["box"].binding(); bind.bound() {
		t.Errorf("it is bound: %+v", bind)
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

// TestStateOfAnother has state that is not of the sandbox that its name says.
func TestStateOfAnother(t *testing.T) {
	for name, text := range map[string]string{"another's": `{"name": "other"}`, "no state": "{", "nothing": ""} {
		dir := shortDir(t)
		o := Options{Dir: dir, Policy: policyOf(), Ledger: &memory{}, Open: newFixed(realKey).opener()}
		if err := os.Mkdir(paths{dir}.state(), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(paths{dir}.binding("box"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := New(o)
		if err == nil {
			b.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "add the sandbox again") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRemoveCuts removes a sandbox with a connection that waits for its next request.
func TestRemoveCuts(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	c := tb.dial(t)
	if status, _ := say(t, c, "GET /x/a HTTP/1.1\r\nHost: b\r\n\r\n"); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if err := tb.Remove("box"); err != nil {
		t.Fatal(err)
	}
	// The deadline is the test's own, and no cut.
	if n, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("it is still there: %d %v", n, err)
	}
}

// TestCommands looks at what the control socket makes of a command.
func TestCommands(t *testing.T) {
	p := policyOf()
	p.User.UID = 12345
	if os.Geteuid() != 0 {
		p.User.UID = int64(os.Geteuid()) // as a socket can be given to nobody else
	}
	tb := startBroker(t, p, nil)
	c := NewClient(tb.o.Dir)
	eventually(t, "an answer", func() bool { _, err := c.Status(t.Context()); return err == nil })
	if _, err := c.Add(t.Context(), "two", -1); err != nil {
		t.Fatal(err)
	}
	if list := tb.List(); len(list) != 2 || int64(list[1].UID) != p.User.UID {
		t.Errorf("not of the policy's user: %+v", list)
	}
	control := socketClient(t, tb.paths.control())
	for command, want := range map[string]int{
		`{"name": "three", "user": 7}`: http.StatusBadRequest, `{"name"`: http.StatusBadRequest, `{"name": "two"}`: http.StatusConflict, `{"name": "/"}`: http.StatusUnprocessableEntity,
	} {
		if resp, body := fetch(t, control, "POST", "/v1/sandboxes/add", strings.NewReader(command)); resp.StatusCode != want || !strings.Contains(body, `"error":`) {
			t.Errorf("%s: %d %s", command, resp.StatusCode, body)
		}
	}
	if resp, body := fetch(t, control, "POST", "/v1/sandboxes/remove", strings.NewReader(`{"name": "none"}`)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
