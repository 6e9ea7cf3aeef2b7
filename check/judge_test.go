package check_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/mutate"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

const (
	U, R                   = probe.User, probe.Auditor
	main, exhaust, isolate = check.Main, check.Exhaust, check.Isolate
)

func TestHardenedPasses(t *testing.T) {
	in := hardened(t)
	for _, c := range check.For(in.Policy) {
		r := c.Judge(in)
		if c.ID == "kernel.lsm" {
			if r.Verdict != check.NotApplicable {
				t.Errorf("%s: %s on a host without one", c.ID, r.Verdict)
			}
			continue
		}
		if r.Verdict != check.Pass {
			t.Errorf("%s: %s: %s", c.ID, r.Verdict, r.Reason)
		}
		want := check.Exercised
		switch c.ID {
		case "limits.swap":
			want = check.Kernel
		case "secrets.image":
			want = check.Declared // what is in the image's description is not attempted
		}
		if r.Evidence != want {
			t.Errorf("%s: graded %s, want %s", c.ID, r.Evidence, want)
		}
		if r.Wanted == "" || r.Reason == "" {
			t.Errorf("%s: says nothing: %+v", c.ID, r)
		}
	}
}

// Silence is not success: with any needed observation missing, empty or failed,
// no check passes at the grade it had.
func TestSilenceIsNotSuccess(t *testing.T) {
	for _, c := range check.For(hardened(t).Policy) {
		if c.Section == check.Run {
			continue // rests on the exits, which have rows of their own
		}
		for _, n := range c.Needs {
			for how, e := range map[string]func(check.Twin, probe.Role, string) edit{"gone": gone, "empty": empty, "failed": failed} {
				t.Run(fmt.Sprintf("%s/%s %s %s %s", c.ID, how, n.Twin, n.Role, n.Probe), func(t *testing.T) {
					in := hardened(t)
					before := checkFor(t, in, c.ID).Judge(in)
					e(n.Twin, n.Role, n.Probe)(in)
					r := checkFor(t, in, c.ID).Judge(in)
					if r.Verdict == check.Fail {
						t.Errorf("a missing observation is no failure: %s", r.Reason)
					}
					if r.Verdict == check.Pass && r.Evidence == before.Evidence {
						t.Errorf("passes as %s without it: %s", r.Evidence, r.Observed)
					}
				})
			}
		}
	}
}

// What the engine was told decides as well: with the settings of a mutation
// declared, and everything observed as before, the checks that rest on a
// declared setting fail and name the engine as the broken link.
func TestDeclaredWeaker(t *testing.T) {
	// These are judged by what happened alone, whatever was declared.
	byObservation := []string{"fs.dev-tmpfs", "fs.nothing-else-writable", "user.identity", "user.no-escalation", "user.unprivileged-port",
		"caps.exercised", "caps.no-network-admin", "priv.no-suid", "secrets.canary", "kernel.socket-families", "kernel.syscall-surface", "kernel.no-user-namespace", "kernel.no-mount",
		"kernel.no-bpf", "kernel.no-perf", "kernel.no-io-uring", "kernel.no-userfaultfd", "kernel.no-keyring", "kernel.no-handle-open", "kernel.no-modules-kexec", "kernel.no-ptrace-across", "env.command[*]", "env.python-package[*]", "env.git-identity", "env.git-noninteractive"}
	for _, m := range mutate.All() {
		if strings.Contains(m.ID, "+") {
			continue // a pair is declared as its two halves are
		}
		for _, id := range mutate.Flips(m.ID) {
			if m.Image != nil || m.Socket || strings.Contains(m.ID, "+") {
				continue // the engine is told nothing else, or has been by each of the two
			}
			// The profile stays in both, and an engine or the profile itself may allow more.
			if slices.Contains(byObservation, id) || m.ID == "user.root" && id == "fs.workspace-writable" || m.ID == "shm.large" && id == "fs.shm-bounded" ||
				slices.Contains([]string{"privileged", "caps.SYS_ADMIN"}, m.ID) && id == "kernel.syscall-filter" {
				continue
			}
			t.Run(m.ID+"/"+id, func(t *testing.T) {
				in := hardened(t)
				for _, tw := range in.Twins {
					m.Apply(&tw.Declared)
				}
				r := checkFor(t, in, id).Judge(in)
				if r.Verdict != check.Fail {
					t.Errorf("%s: %s", r.Verdict, r.Reason)
				}
			})
		}
	}
}

// No row of the catalogue is without the words that the report and the docs
// need, and none has an ID twice.
func TestCatalogueIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range check.Catalogue() {
		for field, text := range map[string]string{"Title": c.Title, "Why": c.Why, "Attempt": c.Attempt, "Control": c.Control,
			"Fix.Policy": c.Fix.Policy, "Fix.Docker": c.Fix.Docker, "Fix.Compose": c.Fix.Compose, "Fix.Kubernetes": c.Fix.Kubernetes} {
			if text == "" {
				t.Errorf("%s has no %s", c.ID, field)
			}
		}
		if seen[c.ID] || !slices.Contains(check.Sections, c.Section) || c.Judge == nil {
			t.Errorf("%s: twice, in no section, or without a judge", c.ID)
		}
		seen[c.ID] = true
		for _, n := range c.Needs {
			if !slices.Contains([]check.Twin{main, exhaust, isolate}, n.Twin) {
				t.Errorf("%s needs a twin %q", c.ID, n.Twin)
			}
		}
		if got, ok := check.ByID(c.ID); !ok || got.ID != c.ID {
			t.Errorf("%s is not found by its ID", c.ID)
		}
	}
}

// A nil kernel account lowers nothing silently: the words say that it was not
// read, and what rests on the kernel alone falls to the engine's word.
func TestWithoutKernel(t *testing.T) {
	in := hardened(t)
	for _, tw := range in.Twins {
		tw.Kernel, tw.After, tw.KernelNote = nil, nil, "the engine runs on another host"
	}
	for _, c := range check.For(in.Policy) {
		r := c.Judge(in)
		if r.Verdict != check.Pass && c.ID != "kernel.lsm" {
			t.Errorf("%s: %s: %s", c.ID, r.Verdict, r.Reason)
		}
		if r.Evidence == check.Kernel {
			t.Errorf("%s is graded kernel without a kernel", c.ID)
		}
		if c.ID == "limits.swap" && (r.Evidence != check.Declared || !strings.Contains(r.Kernel, "another host")) {
			t.Errorf("%s: %s, %s", c.ID, r.Evidence, r.Kernel)
		}
	}
}

// weak edits the policy, kern the kernel's account of the main twin.
func weak(f func(*policy.Policy)) edit { return func(in *check.Input) { f(in.Policy) } }
func kern(f func(*kernel.State)) edit {
	return func(in *check.Input) { f(in.Twins[main].Kernel) }
}

// told changes what the engine declares of the main twin.
func told(f func(*spec.Container)) edit {
	return func(in *check.Input) { f(&in.Twins[main].Declared) }
}

// bound mounts a directory of the host.
func bound(source, target string, readOnly bool) func(*spec.Container) {
	return func(c *spec.Container) {
		c.Mounts = append(c.Mounts, spec.Mount{Kind: spec.Bind, Source: source, Target: target, ReadOnly: readOnly})
	}
}

// without removes an option from a mount in the kernel's account.
func without(target, option string) edit {
	return kern(func(k *kernel.State) {
		for i := range k.Mounts {
			if k.Mounts[i].Target == target {
				k.Mounts[i].Options = slices.DeleteFunc(k.Mounts[i].Options, func(o string) bool { return o == option })
			}
		}
	})
}

func unmounted(target string) edit {
	return kern(func(k *kernel.State) {
		k.Mounts = slices.DeleteFunc(k.Mounts, func(m kernel.Mount) bool { return m.Target == target })
	})
}

func tmpfs(f func(*policy.Tmpfs)) edit {
	return weak(func(p *policy.Policy) { t := p.Tmpfs["/tmp"]; f(&t); p.Tmpfs["/tmp"] = t })
}
