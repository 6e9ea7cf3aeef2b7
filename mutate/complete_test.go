package mutate

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/policy"
)

// unweakened are the settings of a policy that protect nothing by themselves.
var unweakened = map[string]string{
	"version":          "the format's version",
	"image":            "what is verified",
	"runtime":          "which program enforces the rest; prove --runtime tries another",
	"accept":           "it makes nothing weaker, it says so in the open",
	"credentials":      "the container gets none of it; what the broker lets through is for the broker's own tests",
	"user.name":        "judged with user.uid, from the image's own passwd",
	"workspace.source": "a stand-in takes its place, as the user's files are not for the probes",
	"workspace.target": "judged with workspace.mode: mounted elsewhere is not mounted there",
}

// weakening is a mutation that weakens each setting of the policy.
var weakening = map[string]string{
	"user.uid":                       "user.root",
	"user.gid":                       "user.other-gid",
	"user.groups":                    "user.extra-group",
	"rootfs":                         "rootfs.writable",
	"tmpfs":                          "tmpfs.dropped",
	"tmpfs.*.size":                   "tmpfs.unbounded",
	"tmpfs.*.exec":                   "tmpfs.exec",
	"tmpfs.*.suid":                   "tmpfs.suid",
	"tmpfs.*.dev":                    "tmpfs.dev",
	"workspace.mode":                 "workspace.ro",
	"limits.memory":                  "memory.unlimited",
	"limits.swap":                    "swap.unlimited",
	"limits.cpus":                    "cpus.unlimited",
	"limits.pids":                    "pids.unlimited",
	"limits.nofile":                  "nofile.unlimited",
	"limits.core":                    "core.unlimited",
	"capabilities":                   "caps.CHOWN",
	"no_new_privileges":              "nnp.off",
	"seccomp":                        "seccomp.unconfined",
	"network":                        "network.bridge",
	"sysctls":                        "sysctl.dropped",
	"environment.commands":           "env.no-path",
	"environment.python_packages":    "env.no-python-home",
	"environment.git.user.name":      "env.no-git-config",
	"environment.git.user.email":     "env.no-git-config",
	"environment.git.noninteractive": "env.git-prompt",
}

// keys are the settings that a policy file can have, from the Go types.
func keys(t reflect.Type, at string) []string {
	var all []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		key := strings.TrimPrefix(at+"."+name, ".")
		switch {
		case f.Type.Kind() == reflect.Struct:
			all = append(all, keys(f.Type, key)...)
		case f.Type.Kind() == reflect.Map && f.Type.Elem().Kind() == reflect.Struct:
			all = append(append(all, key), keys(f.Type.Elem(), key+".*")...)
		default:
			all = append(all, key)
		}
	}
	return all
}

// Every setting of the policy has a mutation that weakens it, or a reason for
// none; a new setting without one fails here.
func TestEverySettingIsWeakened(t *testing.T) {
	base, err := policy.Default().Container()
	if err != nil {
		t.Fatal(err)
	}
	before, _ := json.Marshal(base)
	all := keys(reflect.TypeFor[policy.Policy](), "")
	if len(all) < 25 {
		t.Fatalf("only %d settings found: %v", len(all), all)
	}
	for _, key := range all {
		id, why := weakening[key], unweakened[key]
		if (id == "") == (why == "") {
			t.Errorf("setting %s needs a mutation that weakens it, or a reason for none", key)
			continue
		}
		if id == "" {
			continue
		}
		m, ok := ByID(id)
		if !ok || len(Flips(id)) == 0 {
			t.Errorf("setting %s names mutation %s, which does not exist or breaks nothing", key, id)
			continue
		}
		c := base.Clone()
		m.Apply(&c)
		if after, _ := json.Marshal(c); string(after) == string(before) {
			t.Errorf("mutation %s leaves the settings as they are", id)
		}
	}
	for key := range weakening {
		if !slices.Contains(all, key) {
			t.Errorf("there is no setting %s", key)
		}
	}
	for key := range unweakened {
		if !slices.Contains(all, key) {
			t.Errorf("there is no setting %s", key)
		}
	}
}

// The mutations work on a policy's own tmpfs, and on none.
func TestMutationsFindTheTmpfs(t *testing.T) {
	for _, row := range []struct {
		name   string
		edit   func(*policy.Policy)
		change bool
	}{
		{"elsewhere", func(p *policy.Policy) {
			p.Tmpfs = map[string]policy.Tmpfs{"/scratch": {Size: 1 << 20}, "/var/run": {Size: 1 << 20}}
		}, true},
		{"none", func(p *policy.Policy) { p.Tmpfs = map[string]policy.Tmpfs{} }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := policy.Default()
			row.edit(p)
			base, err := p.Container()
			if err != nil {
				t.Fatal(err)
			}
			before, _ := json.Marshal(base)
			for _, id := range []string{"tmpfs.dropped", "tmpfs.exec", "tmpfs.suid", "tmpfs.dev", "tmpfs.unbounded", "mount.below-tmpfs"} {
				m, _ := ByID(id)
				c := base.Clone()
				m.Apply(&c)
				if after, _ := json.Marshal(c); (string(after) != string(before)) != row.change {
					t.Errorf("%s: %s", id, after)
				}
				if _, made := c.Tmpfs["/tmp"]; made {
					t.Errorf("%s makes a tmpfs at /tmp", id)
				}
			}
		})
	}
}

// A mutation of the user weakens whoever the policy names.
func TestOtherGID(t *testing.T) {
	for user, want := range map[string]string{"1000:100": "1000:1000", "7:1000": "7:1001", "2000:2000": "2000:1000"} {
		if got := otherGID(user); got != want {
			t.Errorf("%s becomes %s, want %s", user, got, want)
		}
	}
}

// Who need not be moved by an attempt exists, and says why.
func TestAttemptUnmoved(t *testing.T) {
	for i, u := range AttemptUnmoved {
		if u.Reason == "" || !known(u.Check) {
			t.Errorf("%+v is about nothing, or says not why", u)
		}
		for _, v := range AttemptUnmoved[:i] {
			if u.Kernel == v.Kernel && u.Check == v.Check {
				t.Errorf("%s is there twice", u.Check)
			}
		}
		if WhyUnmoved(u.Kernel, u.Check) != u.Reason {
			t.Errorf("%s is not found", u.Check)
		}
	}
}

func known(id string) bool {
	_, ok := check.ByID(id)
	return ok
}
