package verify

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/spec"
)

// What is shared with the host only the main twin has, whose probes are told
// which places are the host's.
func TestOnlyMainSharesTheHost(t *testing.T) {
	o := newFake(t).options()
	o.Weaken = func(c *spec.Container) {
		c.PIDMode, c.IPCMode, c.UTSMode, c.Network = "host", "host", "host", "host"
		c.Mounts = append(c.Mounts, spec.Mount{Kind: spec.Bind, Source: "/", Target: "/mnt/host"})
	}
	r, err := prepare(t.Context(), newFake(t), "", o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.lock.release(false)
	bound := func(m spec.Mount) bool { return m.Kind == spec.Bind }
	main := r.settings(check.Main)
	if main.PIDMode != "host" || main.Network != "host" || !slices.ContainsFunc(main.Mounts, bound) {
		t.Errorf("the weakening is lost: %+v", main)
	}
	if diff := cmp.Diff([]string{"/dev/shm", "/mnt/host"}, r.params(check.Main).Host); diff != "" {
		t.Error(diff)
	}
	for _, twin := range []check.Twin{check.Isolate, check.Exhaust, check.Doomed["exhaust.pids"], check.Doomed["exhaust.memory"]} {
		c := r.settings(twin)
		if c.PIDMode == "host" || c.IPCMode == "host" || c.UTSMode == "host" || c.Network == "host" || slices.ContainsFunc(c.Mounts, bound) {
			t.Errorf("the %s twin shares the host: %+v", twin, c)
		}
		if host := r.params(twin).Host; len(host) > 0 {
			t.Errorf("the %s twin has %v", twin, host)
		}
	}
}
