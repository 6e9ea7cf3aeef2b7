package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/spec"
)

func find(t *testing.T, r report.Result, id string) report.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("the report has no %s", id)
	return report.Check{}
}

func TestFakeIsProven(t *testing.T) {
	f := newFake(t)
	var sections []string
	o := f.options()
	o.Progress = func(e Event) { sections = append(sections, string(e.Section)) }
	r, err := Image(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Checks {
		elsewhere := c.ID == "net.host-unreachable" && c.Verdict == "not-applicable" // the fake is on another host
		if c.Verdict != "pass" && !absent("", c) && !elsewhere {
			t.Errorf("%s: %s: %s", c.ID, c.Verdict, c.Reason)
		}
	}
	var want []string
	for _, s := range check.Sections {
		if s != check.Drift { // of containers only
			want = append(want, string(s))
		}
	}
	if !slices.Equal(sections, want) {
		t.Errorf("announced %v", sections)
	}
	if left := f.left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Whichever engine call fails, and whenever the run is interrupted, there is an
// error, no verdict, and nothing is left.
func TestEveryEngineCallFails(t *testing.T) {
	f := newFake(t)
	if _, err := Image(t.Context(), f, f.options()); err != nil {
		t.Fatal(err)
	}
	total := f.calls
	if total < 20 {
		t.Fatalf("only %d engine calls", total)
	}
	for _, interrupt := range []bool{false, true} {
		for n := 1; n <= total; n++ {
			t.Run(fmt.Sprintf("interrupt=%t/%d", interrupt, n), func(t *testing.T) {
				f := newFake(t)
				f.failAt = n
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if interrupt {
					f.cancel = func() { cancel(errFake) }
				}
				r, err := Image(ctx, f, f.options())
				if left := f.left(); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
				// A failing Wait or auditor spoils one twin's evidence, not the run.
				if err == nil && !interrupt && r.Summary.Verdict == "inconclusive" {
					return
				}
				if !errors.Is(err, errFake) {
					t.Errorf("error %v, verdict %q", err, r.Summary.Verdict)
					for _, c := range r.Checks {
						if c.Verdict == "fail" {
							t.Errorf("%s fails on silence: %s (%s)", c.ID, c.Reason, c.Observed)
						}
					}
				}
				if err != nil && len(r.Checks) > 0 {
					t.Errorf("a result beside the error")
				}
			})
		}
	}
}

// A guest that dies after any number of lines, lies, or never answers proves
// nothing, and the run ends in words.
func TestBadGuests(t *testing.T) {
	spoil := func(edit func(n int, l *probe.Line) bool) func(*fake) {
		return func(f *fake) {
			f.guest = func(twin check.Twin, role probe.Role, in io.Reader, out io.Writer) int {
				n := 0
				return f.serve(in, out, func(l *probe.Line) bool { n++; return edit(n, l) }, twin, role)
			}
		}
	}
	raw := func(text string) func(*fake) {
		return func(f *fake) {
			f.guest = func(_ check.Twin, _ probe.Role, in io.Reader, out io.Writer) int {
				go io.Copy(io.Discard, in)
				io.WriteString(out, text)
				return 0
			}
		}
	}
	for name, c := range map[string]struct {
		spoil func(*fake)
		says  string
	}{
		"dies at once":         {spoil(func(int, *probe.Line) bool { return false }), "ended too early"},
		"dies after the hello": {spoil(func(n int, _ *probe.Line) bool { return n < 2 }), "ended too early"},
		"dies midway":          {spoil(func(n int, _ *probe.Line) bool { return n < 9 }), "ended too early"},
		"wrong nonce":          {spoil(func(_ int, l *probe.Line) bool { l.Nonce = "x"; return true }), "nonce"},
		"lost line":            {spoil(func(n int, l *probe.Line) bool { l.Seq += n / 5; return true }), "lost"},
		"reports nothing": {spoil(func(_ int, l *probe.Line) bool {
			if l.Observation != nil {
				l.Observation, l.Done = nil, true
			}
			return true
		}), "ended without reporting"},
		"reports what nobody asked": {spoil(func(_ int, l *probe.Line) bool {
			if l.Observation != nil {
				l.Observation.Probe = "other"
			}
			return true
		}), "not asked for"},
		"has it both ways": {spoil(func(_ int, l *probe.Line) bool {
			if l.Observation != nil {
				l.Observation.Attempts = []probe.Attempt{{Act: "x", OK: true, Errno: "EPERM"}}
			}
			return true
		}), "both succeeded and failed"},
		"never stops":  {raw(strings.Repeat("x", 2<<20)), "too long"},
		"speaks oddly": {raw("hello\n"), "cannot be read (invalid character 'h' looking for beginning of value): hello"},
		"adds fields":  {raw(`{"nonce":"","seq":0,"verdict":"pass"}` + "\n"), "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			c.spoil(f)
			r, err := Image(t.Context(), f, f.options())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range r.Checks {
				if c.Verdict == "fail" {
					t.Errorf("%s fails on silence: %s (%s)", c.ID, c.Reason, c.Observed)
				}
			}
			if r.Summary.Verdict != "inconclusive" {
				t.Errorf("verdict %s", r.Summary.Verdict)
			}
			if reason := find(t, r, "fs.tmp-noexec").Reason; !strings.Contains(reason, c.says) {
				t.Errorf("the reason %q does not say %q", reason, c.says)
			}
		})
	}
}

func TestGuestThatHangs(t *testing.T) {
	f := newFake(t)
	f.guest = func(_ check.Twin, _ probe.Role, in io.Reader, _ io.Writer) int {
		io.Copy(io.Discard, in)
		return 1
	}
	o := f.options()
	o.Timeout = 200 * time.Millisecond
	_, err := Image(t.Context(), f, o)
	if err == nil || !strings.Contains(err.Error(), "time limit is over (200ms)") {
		t.Errorf("%v", err)
	}
	if left := f.left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// run.clean-exit has no setting that takes it away, so a fake engine does.
func TestCleanExit(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*fake)
		want  string
	}{
		"code lost":      {func(f *fake) { f.exitOf = func(int) int { return 0 } }, "fail"},
		"code changed":   {func(f *fake) { f.exitOf = func(code int) int { return code + 1 } }, "fail"},
		"container left": {func(f *fake) { f.sticky = "-main" }, "fail"},
		"last line lost": {func(f *fake) {
			f.guest = func(twin check.Twin, role probe.Role, in io.Reader, out io.Writer) int {
				var dones atomic.Int32
				return f.serve(in, out, func(l *probe.Line) bool { return !l.Done || role == probe.Auditor || dones.Add(1) < 4 }, twin, role)
			}
		}, "inconclusive"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			c.spoil(f)
			r, err := Image(t.Context(), f, f.options())
			if err != nil && !errors.Is(err, ErrLeft) {
				t.Fatal(err)
			}
			if name == "container left" && (err == nil || !strings.Contains(err.Error(), "-main")) {
				t.Errorf("what is left is not named: %v", err)
			}
			if got := find(t, r, "run.clean-exit"); got.Verdict != c.want {
				t.Errorf("%s: %s", got.Verdict, got.Reason)
			}
		})
	}
}

func TestAccept(t *testing.T) {
	day := func(s string) func() time.Time {
		return func() time.Time { d, _ := time.Parse(time.DateOnly, s); return d }
	}
	for name, c := range map[string]struct {
		check, today, want, whole string
	}{
		"in time":       {"fs.tmp-writable", "2030-01-31", "accepted", "proven"},
		"over":          {"fs.tmp-writable", "2030-02-01", "fail", "failed"},
		"another check": {"fs.tmp-noexec", "2030-01-01", "fail", "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			delete(f.recorded.Twins[check.Main].Declared.Tmpfs, "/tmp")
			o := f.options()
			o.Only = []string{"fs.tmp-writable", "fs.tmp-noexec", "user.*"}
			o.Now = day(c.today)
			o.Policy.Accept = []policy.Accept{{Check: c.check, Reason: "the legacy tool needs it", Until: "2030-01-31"}}
			r, err := Image(t.Context(), f, o)
			if err != nil {
				t.Fatal(err)
			}
			got := find(t, r, "fs.tmp-writable")
			if got.Verdict != c.want || r.Summary.Verdict != c.whole {
				t.Errorf("%s, whole %s: %s", got.Verdict, r.Summary.Verdict, got.Reason)
			}
			if c.want == "accepted" && !strings.Contains(got.Reason, "the legacy tool needs it") {
				t.Errorf("the reason is lost: %s", got.Reason)
			}
		})
	}
}

func TestSelected(t *testing.T) {
	p := policy.Default()
	all, err := selected(check.For(p), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		only, skip []string
		want       int
		err        error
	}{
		"one":          {only: []string{"fs.tmp-noexec"}, want: 1},
		"glob":         {only: []string{"fs.*"}, want: 12},
		"instance":     {only: []string{"env.command[node]"}, want: 1},
		"template":     {only: []string{"env.command[*]"}, want: 5},
		"skip":         {skip: []string{"fs.*"}, want: len(all) - 12},
		"typing error": {only: []string{"fs.tmp-noexce"}, err: ErrNoCheck},
		"all skipped":  {skip: []string{"*"}, err: ErrNoCheck},
		"bad skip":     {skip: []string{"nothing"}, err: ErrNoCheck},
	} {
		got, err := selected(check.For(p), c.only, c.skip)
		if !errors.Is(err, c.err) || len(got) != c.want {
			t.Errorf("%s: %d checks, %v", name, len(got), err)
		}
	}
}

// A twin gives up exactly what hides others, and nothing of what is weakened.
func TestTwinSettings(t *testing.T) {
	f := newFake(t)
	o := f.options()
	r, err := prepare(t.Context(), f, "", o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.lock.release(false)
	main := r.settings(check.Main)
	if !main.ReadonlyRootfs || !main.NoNewPrivileges || len(main.CapAdd) > 0 || main.Tmpfs["/tmp"].Exec || main.Memory != 2<<30 || main.PIDs != 100 {
		t.Errorf("the main twin is not the wanted one: %+v", main)
	}
	iso := r.settings(check.Isolate)
	if iso.NoNewPrivileges || !iso.Tmpfs["/tmp"].Exec || iso.Tmpfs["/tmp"].Suid || iso.Tmpfs["/tmp"].Dev || len(iso.CapAdd) != 14 || iso.ReadonlyRootfs {
		t.Errorf("the isolating twin: %+v", iso)
	}
	ex := r.settings(check.Exhaust)
	if ex.Memory != 64<<20 || ex.PIDs != 100 || iso.MilliCPU != 250 || ex.MilliCPU != 2000 || ex.Tmpfs["/tmp"].Size != 2<<20 || len(ex.CapAdd) > 0 {
		t.Errorf("the disposable twin: %+v", ex)
	}
	for i, c := range []spec.Container{main, ex, iso} {
		c.Seccomp = "…"
		guest := c.Mounts[len(c.Mounts)-1]
		// Only the isolating twin, which brings it in, may write to the guest's place.
		if guest.Target != guestDir || guest.ReadOnly != (i < 2) || c.Labels[engine.Label] != r.lock.id || c.Entrypoint[0] != guestDir+"/guest" {
			t.Errorf("no guest, or not ours: %+v", c)
		}
		if i := slices.IndexFunc(c.Mounts, func(m spec.Mount) bool { return m.Kind == spec.Bind }); i >= 0 {
			t.Errorf("a host directory is mounted: %+v", c.Mounts[i])
		}
	}
	r.opts.Weaken = func(c *spec.Container) { c.Memory, c.PIDs, c.MilliCPU = 0, 0, 0 }
	if ex := r.settings(check.Exhaust); ex.Memory != 0 || ex.PIDs != 0 || r.settings(check.Isolate).MilliCPU != 0 {
		t.Errorf("unlimited did not stay unlimited: %+v", ex)
	}
}

// Every process of a run shows equal credentials by equal hashes: the plan of
// each guest carries the key that the host side uses.
func TestHashKeyIsShared(t *testing.T) {
	f := newFake(t)
	r, err := prepare(t.Context(), f, "", f.options())
	if err != nil {
		t.Fatal(err)
	}
	defer r.lock.release(false)
	if key := r.params(check.Main).HashKey; len(key) == 0 || string(key) != string(r.input().HashKey) {
		t.Errorf("the guests' key is %x, the judges' %x", key, r.input().HashKey)
	}
}

// A run that is alive is left alone by clean, one that was killed is not.
func TestClean(t *testing.T) {
	alive, err := newRun()
	if err != nil {
		t.Fatal(err)
	}
	killed, err := newRun()
	if err != nil {
		t.Fatal(err)
	}
	killed.f.Close() // the kernel drops a killed process's lock, and the file stays
	if dead(alive.id) || !dead(killed.id) {
		t.Errorf("alive is called dead: %t, killed is called alive: %t", dead(alive.id), !dead(killed.id))
	}
	if dead("00000000-" + token()) {
		t.Error("somebody else's run is called dead")
	}
	if dead(owner() + "-../../etc/passwd") {
		t.Error("a label leads out of the lock directory")
	}
	f := newFake(t)
	list := &listing{fake: f, all: []engine.Resource{
		{Kind: "container", ID: "a", Name: "a", RunID: alive.id}, {Kind: "container", ID: "k", Name: "k", RunID: killed.id},
		{Kind: "volume", ID: "kv", Name: "kv", RunID: killed.id}, {Kind: "volume", ID: "o", Name: "o", RunID: "00000000-" + token()}}}
	found, err := Leftovers(t.Context(), list)
	if err != nil || len(found) != 2 || found[0].RunID != killed.id || found[1].RunID != killed.id {
		t.Errorf("leftovers are %v, %v", found, err)
	}
	if _, err := os.Stat(filepath.Join(RunDir(), killed.id)); err != nil {
		t.Errorf("listing the leftovers took the lock file: %v", err)
	}
	removed, left, err := Clean(t.Context(), list, false)
	if _, serr := os.Stat(filepath.Join(RunDir(), killed.id)); !os.IsNotExist(serr) {
		t.Errorf("the lock file of the killed run stays: %v", serr)
	}
	if err != nil || len(left) > 0 || len(removed) != 2 || removed[0].RunID != killed.id || removed[1].RunID != killed.id {
		t.Errorf("removed %v, left %v, %v", removed, left, err)
	}
	if removed, _, _ = Clean(t.Context(), list, true); len(removed) != 4 {
		t.Errorf("all: removed %v", removed)
	}
	alive.release(true)
	if !dead(alive.id) {
		t.Error("a run that left something is called alive")
	}
	forget(alive.id)
	if _, err := os.Stat(filepath.Join(RunDir(), alive.id)); !os.IsNotExist(err) {
		t.Errorf("the lock file of a dead run stays: %v", err)
	}
}

type listing struct {
	*fake
	all []engine.Resource
}

func (l *listing) List(context.Context, string) ([]engine.Resource, error) { return l.all, nil }

func TestPlatformAndRuntime(t *testing.T) {
	f := newFake(t)
	o := f.options()
	o.Policy.Runtime = "runsc"
	if _, err := Image(t.Context(), f, o); !errors.Is(err, engine.ErrRuntime) {
		t.Errorf("unknown runtime: %v", err)
	}
	f = newFake(t)
	f.info.Arch = "arm64"
	if _, err := Image(t.Context(), f, f.options()); !errors.Is(err, ErrPlatform) {
		t.Errorf("another architecture: %v", err)
	}
}
