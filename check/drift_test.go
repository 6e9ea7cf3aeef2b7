package check_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/spec"
)

// twinned is the hardened evidence as that of a running container and its twin,
// which the kernel says the same of.
func twinned(t testing.TB) *check.Input {
	t.Helper()
	in := hardened(t)
	tw := in.Twins[main]
	same := func() *kernel.State {
		data, err := json.Marshal(tw.Kernel)
		if err != nil {
			t.Fatal(err)
		}
		k := &kernel.State{}
		if err := json.Unmarshal(data, k); err != nil {
			t.Fatal(err)
		}
		return k
	}
	tw.Process, tw.Copied = same(), tw.Declared.Clone()
	tw.Process.Namespaces = map[string]string{"net": "net:[1]", "pid": "pid:[1]"}
	in.Original = &check.Original{
		Running: true, Declared: tw.Declared.Clone(), Kernel: same(),
		Host: map[string]string{"net": "net:[9]", "pid": "pid:[9]"},
	}
	in.Original.Kernel.Namespaces = map[string]string{"net": "net:[2]", "pid": "pid:[2]"}
	return in
}

func drifts(t testing.TB, in *check.Input) map[string]check.Result {
	out := map[string]check.Result{}
	for _, c := range check.ForContainer(in.Policy) {
		if c.Section == check.Drift {
			out[c.ID] = c.Judge(in)
		}
	}
	if len(out) != 5 {
		t.Fatalf("%d rows", len(out))
	}
	return out
}

func TestJudgesDrift(t *testing.T) {
	const pass, fail, open, na = check.Pass, check.Fail, check.Inconclusive, check.NotApplicable
	original := func(f func(*kernel.State)) edit { return func(in *check.Input) { f(in.Original.Kernel) } }
	twin := func(f func(*kernel.State)) edit { return func(in *check.Input) { f(in.Twins[main].Process) } }
	mount := func(k *kernel.State, target string) *kernel.Mount {
		for i := range k.Mounts {
			if k.Mounts[i].Target == target {
				return &k.Mounts[i]
			}
		}
		t.Fatalf("the fixture has no mount at %s", target)
		return nil
	}
	yes, no := true, false
	for _, row := range []struct {
		id, name string
		edit     edit
		want     check.Verdict
		word     string // in the reason
	}{
		{"drift.settings", "a setting", func(in *check.Input) { in.Original.Declared.Memory++ }, fail, "memory"},
		{"drift.settings", "a setting of the twin", func(in *check.Input) { in.Twins[main].Copied.CapAdd = []string{"NET_RAW"} }, fail, "cap_add"},
		{"drift.settings", "a setting without a word", func(in *check.Input) { in.Original.Other = []string{"apparmor=unconfined"} }, fail, "apparmor=unconfined"},
		{"drift.settings", "the same, of the twin", func(in *check.Input) { in.Twins[main].CopiedOther = []string{"userns=host"} }, fail, "userns=host"},
		{"drift.settings", "what a twin has of its own", func(in *check.Input) {
			in.Original.Declared.Labels = map[string]string{"a": "b"}
			in.Original.Declared.Cmd, in.Original.Declared.Image = []string{"sleep"}, "other"
			in.Original.Declared.Mounts = []spec.Mount{{Kind: spec.Bind, Source: "/", Target: "/host"}}
			in.Original.Other = []string{"publish=80/tcp", "tty", "cgroup-parent=/theirs"}
		}, pass, ""},
		{"drift.settings", "another container's namespace", func(in *check.Input) {
			in.Original.Declared.PIDMode, in.Twins[main].Copied.PIDMode = "container:x", ""
		}, pass, ""},
		{"drift.settings", "the host's namespace", func(in *check.Input) {
			in.Original.Declared.PIDMode, in.Twins[main].Copied.PIDMode = "host", ""
		}, fail, "pid_mode"},
		{"drift.settings", "another runtime than the policy's", func(in *check.Input) {
			in.Original.Runtime, in.Original.Declared.Runtime, in.Twins[main].Copied.Runtime = "runsc", "runc", "runc"
		}, fail, "runsc"},
		{"drift.settings", "no container", func(in *check.Input) { in.Original = nil }, open, "no container"},

		{"drift.privileges", "root", original(func(k *kernel.State) { k.UIDs[1] = 0 }), fail, "uids"},
		{"drift.privileges", "somebody else", original(func(k *kernel.State) { k.UIDs = [4]int64{7, 7, 7, 7} }), fail, "uids"},
		{"drift.privileges", "was root and is no more", twin(func(k *kernel.State) { k.UIDs = [4]int64{} }), pass, "tighter"},
		{"drift.privileges", "root's group", original(func(k *kernel.State) { k.GIDs[3] = 0 }), fail, "gids"},
		{"drift.privileges", "one more group", original(func(k *kernel.State) { k.Groups = append(k.Groups, 4242) }), fail, "4242"},
		{"drift.privileges", "one more capability", original(func(k *kernel.State) { k.Caps.Bounding |= 1 << 13 }), fail, "NET_RAW"},
		{"drift.privileges", "an ambient one", original(func(k *kernel.State) { k.Caps.Ambient |= 1 << 13 }), fail, "ambient"},
		{"drift.privileges", "one capability less", twin(func(k *kernel.State) { k.Caps.Effective |= 1 << 13 }), pass, "lacks"},
		{"drift.privileges", "no-new-privileges lost", original(func(k *kernel.State) { k.NoNewPrivs = &no }), fail, "no-new-privileges"},
		{"drift.privileges", "no-new-privileges gained", func(in *check.Input) {
			in.Twins[main].Process.NoNewPrivs, in.Original.Kernel.NoNewPrivs = &no, &yes
		}, pass, "tighter"},
		{"drift.privileges", "no filter", original(func(k *kernel.State) { k.Seccomp = 0 }), fail, "Seccomp"},
		{"drift.privileges", "another process with capabilities", func(in *check.Input) {
			in.Original.Members = []*kernel.State{{PID: 77, Seccomp: 2, NoNewPrivs: &yes, Caps: kernel.Caps{Effective: 1 << 21}}}
		}, fail, "process 77: effective set also holds SYS_ADMIN"},
		{"drift.privileges", "another process without the filter", func(in *check.Input) {
			in.Original.Members = []*kernel.State{{PID: 77, NoNewPrivs: &yes}}
		}, fail, "process 77: Seccomp 0"},
		{"drift.privileges", "another process in a user namespace of its own", func(in *check.Input) {
			in.Original.Members = []*kernel.State{{PID: 77, Namespaces: map[string]string{"user": "user:[7]"}, Caps: kernel.Caps{Effective: 1 << 21}}}
		}, pass, ""},
		{"drift.privileges", "processes that cannot be read", func(in *check.Input) { in.Original.MembersNote = "only 500" }, open, "only 500"},
		{"drift.privileges", "another label", original(func(k *kernel.State) { k.LSM = "unconfined" }), fail, "unconfined"},

		{"drift.limits", "more memory", original(func(k *kernel.State) { k.Cgroup.Memory *= 2 }), fail, "memory"},
		{"drift.limits", "unlimited memory", original(func(k *kernel.State) { k.Cgroup.Memory = kernel.NoLimit }), fail, "unlimited"},
		{"drift.limits", "less memory", original(func(k *kernel.State) { k.Cgroup.Memory /= 2 }), pass, "tighter"},
		{"drift.limits", "swap", original(func(k *kernel.State) { k.Cgroup.Swap = kernel.NoLimit }), fail, "swap"},
		{"drift.limits", "processes", original(func(k *kernel.State) { k.Cgroup.PIDs = 4000 }), fail, "pids"},
		{"drift.limits", "processors", original(func(k *kernel.State) { k.Cgroup.CPUQuota *= 3 }), fail, "cpu"},
		{"drift.limits", "no quota", original(func(k *kernel.State) { k.Cgroup.CPUQuota = kernel.NoLimit }), fail, "cpu"},
		{"drift.limits", "files", original(func(k *kernel.State) { k.Limits["nofile"] = kernel.Rlimit{Soft: 1024, Hard: 4096} }), fail, "nofile"},
		{"drift.limits", "a controller that cannot be read", twin(func(k *kernel.State) { k.Cgroup.PIDs = kernel.NotKnown }), pass, ""},
		{"drift.limits", "out of the controller's cgroup", original(func(k *kernel.State) { k.Cgroup.PIDs = kernel.NotKnown }), open, "pids"},
		{"drift.limits", "the same, and something looser", original(func(k *kernel.State) { k.Cgroup.PIDs, k.Cgroup.Memory = kernel.NotKnown, kernel.NoLimit }), fail, "memory"},

		{"drift.mounts", "one more", original(func(k *kernel.State) {
			k.Mounts = append(k.Mounts, kernel.Mount{Target: "/mnt", FSType: "tmpfs"})
		}), fail, "/mnt"},
		{"drift.mounts", "one less", original(func(k *kernel.State) {
			k.Mounts = slices.DeleteFunc(k.Mounts, func(m kernel.Mount) bool { return m.Target == "/proc/sys" })
		}), fail, "/proc/sys"},
		{"drift.mounts", "an option lost", original(func(k *kernel.State) {
			m := mount(k, "/tmp")
			m.Options = slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return o == "noexec" })
		}), fail, "/tmp is without noexec"},
		{"drift.mounts", "an option gained", twin(func(k *kernel.State) {
			m := mount(k, "/tmp")
			m.Options = slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return o == "noexec" })
		}), pass, "tighter"},
		{"drift.mounts", "another size", original(func(k *kernel.State) { mount(k, "/tmp").SuperOptions = []string{"rw"} }), fail, "unbounded"},
		{"drift.mounts", "another file system", original(func(k *kernel.State) { mount(k, "/tmp").FSType = "ext4" }), fail, "ext4"},
		{"drift.mounts", "hidden below another", original(func(k *kernel.State) {
			k.Mounts = append(k.Mounts, kernel.Mount{Target: "/tmp", FSType: "tmpfs"})
		}), fail, "/tmp"},
		{"drift.mounts", "in a stand-in's place", func(in *check.Input) {
			in.Original.Declared.Mounts = append(in.Original.Declared.Mounts, spec.Mount{Kind: spec.Bind, Target: "/data"})
			in.Original.Kernel.Mounts = append(in.Original.Kernel.Mounts, kernel.Mount{Target: "/data", FSType: "xfs"})
		}, pass, ""},
		{"drift.mounts", "over what is in a stand-in's place", func(in *check.Input) {
			in.Original.Declared.Mounts = append(in.Original.Declared.Mounts, spec.Mount{Kind: spec.Bind, Target: "/data"})
			in.Original.Kernel.Mounts = append(in.Original.Kernel.Mounts, kernel.Mount{Target: "/data", FSType: "xfs"}, kernel.Mount{Target: "/data", FSType: "xfs"})
		}, fail, "over what is at /data"},
		{"drift.mounts", "below a stand-in's place", func(in *check.Input) {
			in.Original.Declared.Mounts = append(in.Original.Declared.Mounts, spec.Mount{Kind: spec.Bind, Source: "/srv", Target: "/data"})
			in.Original.Kernel.Mounts = append(in.Original.Kernel.Mounts, kernel.Mount{Target: "/data", Root: "/srv", FSType: "xfs"}, kernel.Mount{Target: "/data/a", FSType: "xfs"})
		}, fail, "/data/a"},
		{"drift.mounts", "the same, as on the host", func(in *check.Input) {
			in.Original.HostMounts = []kernel.Mount{{Target: "/srv/a", FSType: "xfs", Source: "/dev/b", Root: "/"}}
			in.Original.Declared.Mounts = append(in.Original.Declared.Mounts, spec.Mount{Kind: spec.Bind, Source: "/srv", Target: "/data"})
			in.Original.Kernel.Mounts = append(in.Original.Kernel.Mounts, kernel.Mount{Target: "/data", Root: "/srv", FSType: "xfs"}, kernel.Mount{Target: "/data/a", FSType: "xfs", Source: "/dev/b", Root: "/"})
		}, pass, ""},
		{"drift.mounts", "the container's own, seen again", func(in *check.Input) {
			in.Original.Declared.Mounts = append(in.Original.Declared.Mounts, spec.Mount{Kind: spec.Bind, Source: "/", Target: "/data"})
			again := *mount(in.Original.Kernel, "/dev")
			again.Target = "/data/var/lib/engine/merged/dev"
			in.Original.Kernel.Mounts = append(in.Original.Kernel.Mounts, kernel.Mount{Target: "/data", Root: "/", FSType: "xfs"}, again)
		}, pass, ""},
		{"drift.mounts", "not the container's own", func(in *check.Input) {
			in.Original.Declared.Mounts = append(in.Original.Declared.Mounts, spec.Mount{Kind: spec.Bind, Source: "/", Target: "/data"})
			other := *mount(in.Original.Kernel, "/dev")
			other.Target, other.Source = "/data/var/lib/engine/merged/dev", "somebody"
			in.Original.Kernel.Mounts = append(in.Original.Kernel.Mounts, kernel.Mount{Target: "/data", Root: "/", FSType: "xfs"}, other)
		}, fail, "merged/dev"},
		{"drift.mounts", "a stand-in's place behind a symbolic link", func(in *check.Input) {
			in.Original.Declared.Mounts = append(in.Original.Declared.Mounts, spec.Mount{Kind: spec.Bind, Source: "/srv", Target: "/var/run/x"})
			in.Original.Kernel.Mounts = append(in.Original.Kernel.Mounts, kernel.Mount{Target: "/run/x", Root: "/srv", FSType: "xfs"})
			in.Twins[main].Copied.Mounts = append(in.Twins[main].Copied.Mounts, spec.Mount{Kind: spec.Volume, Source: "standin", Target: "/var/run/x"})
			in.Twins[main].Process.Mounts = append(in.Twins[main].Process.Mounts, kernel.Mount{Target: "/run/x", Root: "/volumes/standin/_data", FSType: "ext4"})
		}, pass, ""},
		{"drift.mounts", "a terminal and an init", original(func(k *kernel.State) {
			k.Mounts = append(k.Mounts, kernel.Mount{Target: "/dev/console", FSType: "devpts"}, kernel.Mount{Target: "/usr/sbin/docker-init", FSType: "ext4", Options: []string{"ro"}})
		}), pass, ""},
		{"drift.mounts", "no place of an init", original(func(k *kernel.State) {
			k.Mounts = append(k.Mounts, kernel.Mount{Target: "/mnt/docker-init", FSType: "ext4", Options: []string{"ro"}})
		}), fail, "/mnt/docker-init"},
		{"drift.mounts", "no terminal and no init", original(func(k *kernel.State) {
			k.Mounts = append(k.Mounts, kernel.Mount{Target: "/dev/console", FSType: "ext4"}, kernel.Mount{Target: "/usr/sbin/docker-init", FSType: "ext4", Options: []string{"rw"}})
		}), fail, "ext4 mounted at /dev/console, ext4 mounted at /usr/sbin/docker-init"},

		{"drift.namespaces", "an interface", original(func(k *kernel.State) { k.Interfaces = []string{"lo", "eth7"} }), fail, "eth7"},
		{"drift.namespaces", "a second network", func(in *check.Input) {
			in.Original.Declared.Network, in.Twins[main].Copied.Network = "shop", "shop"
			in.Original.Kernel.Interfaces = []string{"lo", "eth0", "eth1"}
		}, pass, ""},
		{"drift.namespaces", "one that cannot be seen", original(func(k *kernel.State) { delete(k.Namespaces, "pid") }), open, "pid namespace"},
		{"drift.namespaces", "the host's", original(func(k *kernel.State) { k.Namespaces["net"] = "net:[9]" }), fail, "net namespace of the host"},
		{"drift.namespaces", "the twin's is the host's", twin(func(k *kernel.State) { k.Namespaces["net"] = "net:[9]" }), pass, "of its own"},
		{"drift.namespaces", "none to be seen", original(func(k *kernel.State) { k.Namespaces = nil }), open, "no namespace"},

		{"drift.privileges", "not running", func(in *check.Input) { in.Original.Running = false }, na, "not running"},
		{"drift.limits", "not readable", func(in *check.Input) { in.Original.Kernel, in.Original.KernelNote = nil, "no permission" }, open, "no permission"},
		{"drift.mounts", "the twin not readable", func(in *check.Input) { in.Twins[main].Process = nil }, open, "twin"},
	} {
		t.Run(row.id+"/"+row.name, func(t *testing.T) {
			in := twinned(t)
			row.edit(in)
			for id, r := range drifts(t, in) {
				if id == row.id && (r.Verdict != row.want || !strings.Contains(r.Reason, row.word)) {
					t.Errorf("%s, want %s with %q: %s", r.Verdict, row.want, row.word, r.Reason)
				}
				// Nobody else is blamed.
				if id != row.id && r.Verdict == fail {
					t.Errorf("%s fails too: %s", id, r.Reason)
				}
			}
		})
	}
}

// Alike, the two pass; unseen, nothing does.
func TestJudgesDriftAlike(t *testing.T) {
	for id, r := range drifts(t, twinned(t)) {
		if r.Verdict != check.Pass || r.Wanted == "" || r.Reason == "" {
			t.Errorf("%s: %+v", id, r)
		}
		want := check.Kernel
		if id == "drift.settings" {
			want = check.Declared
		}
		if r.Evidence != want {
			t.Errorf("%s is graded %s", id, r.Evidence)
		}
	}
	in := twinned(t)
	gone(main, U, "ids")(in)
	for id, r := range drifts(t, in) {
		if r.Verdict != check.Inconclusive {
			t.Errorf("%s without a twin is %s", id, r.Verdict)
		}
	}
}
