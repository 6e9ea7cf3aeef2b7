package test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/engine"
	dockerapi "github.com/tightship-dev/tightship/engine/docker"
	"github.com/tightship-dev/tightship/mutate"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/spec"
	"github.com/tightship-dev/tightship/verify"
)

// hardened stands for no mutation at all.
const hardened = "hardened"

// compared are the mutations that every engine is compared on: at least one of
// each kind of setting that an engine has to hand through.
var compared = []string{
	hardened, "rootfs.writable", "tmpfs.exec", "tmpfs.suid", "mount.host-rw", "user.root", "nnp.off",
	"sysctl.dropped", "pids.unlimited", "memory.unlimited", "nofile.unlimited",
	"caps.SETUID", "seccomp.unconfined", "network.bridge", "env.github-token",
}

// outcomes are verdicts by check, and evidence grades by check + evidence.
type outcomes map[string]string

const evidence = " (evidence)"

// differences are the verdicts that an engine is known to give instead of the
// reference's "pass" (and, for a mutation by its name, whatever it is), by
// engine, mutation ("*" is every one) and check. docs/engines.md says why. A
// difference that is gone is an error too: then the list lies.
var differences = map[string]map[string]outcomes{
	"podman v1": {
		// On cgroup v1 its API gives every container the host's cgroup namespace,
		// whatever it is asked for and whatever containers.conf says.
		"*": {"ns.cgroup": "fail"},
		// Podman leaves the kernel's own 1024 in place, so nothing is lost with it.
		"sysctl.dropped": {"user.no-privileged-port": "pass"},
		// It gives added capabilities to the user and not only to the bounding set.
		"caps.SETUID": {"user.no-escalation": "fail"},
	},
	// Without root, cgroup v1 gives no limits, and the API takes no ulimits; uid 0
	// inside may not make device nodes, which is the control. The cgroup namespace is
	// the host's as with root.
	"podman rootless v1": {
		"*": {
			"limits.pids": "fail", "limits.memory": "fail", "limits.swap": "fail", "limits.cpu": "fail", "limits.nofile": "fail",
			"limits.core": "fail", "fs.tmp-nodev": "inconclusive", "ns.cgroup": "fail",
		},
		"sysctl.dropped": {"user.no-privileged-port": "pass"},
		"caps.SETUID":    {"user.no-escalation": "fail"},
		"user.root":      {"fs.tmp-nosuid": "inconclusive"}, // only the kernel's account could tell
	},
}

// TestEngines holds other engines to the verdicts of the lane's own. They are
// named as TIGHTSHIP_ENGINES="NAME=ADDRESS …" and have the reference image.
func TestEngines(t *testing.T) {
	lane(t)
	named := strings.Fields(os.Getenv("TIGHTSHIP_ENGINES"))
	if len(named) == 0 {
		t.Skip("SKIPPED: no other engines (scripts/test.sh engines starts those that can be had)")
	}
	reference := map[string]outcomes{}
	ref := connect(t, "")
	for _, m := range compared {
		reference[m] = verdictsOf(t, ref, m, "")
	}
	for id, v := range reference[hardened] {
		if id == "kernel.lsm" && v == "not-applicable" {
			continue // this host has no security module
		}
		if v != "pass" && !strings.HasSuffix(id, evidence) {
			t.Errorf("the reference does not hold: %s is %s", id, v)
		}
	}
	for _, n := range named {
		name, address, ok := strings.Cut(n, "=")
		if !ok {
			t.Fatalf("TIGHTSHIP_ENGINES: %q is not NAME=ADDRESS", n)
		}
		t.Run(name, func(t *testing.T) {
			eng := connect(t, address)
			info, err := eng.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s %s, API %s, runtimes %v", info.Name, info.Version, info.API, info.Runtimes)
			for _, m := range compared {
				t.Run(m, func(t *testing.T) {
					if info.Rootless && m == "network.bridge" {
						t.Skip("SKIPPED: a network without root needs slirp4netns, which is not installed for this")
					}
					agree(t, verdictsOf(t, eng, m, ""), expected(info, m, reference[m]))
				})
			}
			if slices.Contains(info.Runtimes, "runsc") {
				t.Run("runsc", func(t *testing.T) { runs(t, eng) })
			}
		})
	}
}

// expected is the reference's outcomes with what is known to differ.
func expected(info engine.Info, mutation string, reference outcomes) outcomes {
	kind := info.Name
	if info.Rootless {
		kind += " rootless"
	}
	kind += " " + info.Cgroup
	want := maps.Clone(reference)
	for id, v := range differences[kind]["*"] {
		if want[id] == "pass" {
			want[id] = v
		}
	}
	maps.Copy(want, differences[kind][mutation])
	if info.Rootless {
		// The kernel's account of the cgroup is missing, and with it a grade.
		maps.DeleteFunc(want, func(id, _ string) bool { return strings.HasSuffix(id, evidence) })
	}
	return want
}

func agree(t *testing.T, got, want outcomes) {
	t.Helper()
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if strings.HasPrefix(id, "stack.") {
			continue // it follows from the others
		}
		if got[id] != want[id] {
			t.Errorf("%s is %q, want %q", id, got[id], want[id])
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok && !strings.HasSuffix(id, evidence) {
			t.Errorf("%s is judged here alone", id)
		}
	}
}

func connect(t *testing.T, address string) engine.Engine {
	t.Helper()
	eng, err := dockerapi.New(t.Context(), dockerapi.Options{Host: address, Timeout: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { eng.Close() })
	return eng
}

// verdictsOf verifies the reference image with one mutation, and demands that
// nothing is left of the run.
func verdictsOf(t *testing.T, eng engine.Engine, mutation, runtime string) outcomes {
	t.Helper()
	guest, err := os.ReadFile(filepath.Join(bin, "tightship-guest"))
	if err != nil {
		t.Fatal(err)
	}
	p := policy.Default()
	p.Image, p.Runtime = agent, runtime
	o := verify.Options{Policy: p, Guest: guest}
	if mutation != hardened {
		m, ok := mutate.ByID(mutation)
		if !ok {
			t.Fatalf("there is no mutation %s", mutation)
		}
		o.Weaken = func(c *spec.Container) { m.Apply(c) }
		o.Skip = []string{"env.*"}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	r, err := verify.Image(ctx, eng, o)
	if err != nil {
		t.Fatal(err)
	}
	left, err := eng.List(ctx, r.RunID)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	out := outcomes{}
	for _, c := range r.Checks {
		out[c.ID] = c.Verdict
		if mutation == hardened { // how much a pass is worth has to agree too
			out[c.ID+evidence] = c.Evidence
		}
	}
	return out
}

// runs shows that a runtime other than the default works through an engine:
// streams, exec, exit codes, removal.
func runs(t *testing.T, eng engine.Engine) {
	got := verdictsOf(t, eng, hardened, "runsc")
	for _, id := range []string{"run.clean-exit", "user.identity"} {
		if got[id] != "pass" {
			t.Errorf("%s is %q", id, got[id])
		}
	}
}
