package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/engine"
)

// levels is every finding that is not OK.
func levels(r Result) map[string]Level {
	out := map[string]Level{}
	for _, f := range r.Findings {
		if f.Level != OK {
			out[f.ID] = f.Level
		}
	}
	return out
}

// On the machine where all is well, no finding asks for anything: that is what
// makes the mutations below tell something.
func TestReadyIsAllOK(t *testing.T) {
	r := ready().result()
	if got := levels(r); len(got) > 0 || !r.Works {
		t.Errorf("%v, works %v", got, r.Works)
	}
}

const (
	at0         = "[" + defaultHost + "]"
	runsc0      = "gvisor.program[/usr/bin/runsc]"
	registered0 = "gvisor.runtime[" + defaultHost + " runsc]"
)

// Each mutation takes one thing from the machine where all is well, and exactly
// the findings that rest on it must say so.
func TestMutations(t *testing.T) {
	set := func(path, text string) func(*fake) {
		return func(m *fake) { m.files[path] = file(text) }
	}
	gone := func(path string) func(*fake) { return func(m *fake) { delete(m.files, path) } }
	info := func(change func(*engine.Info)) func(*fake) {
		return func(m *fake) {
			i := dockerInfo()
			change(&i)
			m.engines[defaultHost] = i
		}
	}
	args := func(args ...string) func(*fake) {
		return info(func(i *engine.Info) { i.Programs["runsc"] = engine.Program{Path: "/usr/bin/runsc", Args: args} })
	}
	runsc := func(version string) func(*fake) {
		return func(m *fake) { m.programs["/usr/bin/runsc"] = "runsc version " + version }
	}
	root := func(m *fake) { m.uid, m.user, m.denied = 0, "root", nil }
	no := func(m *fake) { m.engines = nil } // no engine answers
	rows := []struct {
		name   string
		change []func(*fake)
		want   map[string]Level
	}{
		{"kernel without seccomp", []func(*fake){gone("proc/sys/kernel/seccomp/actions_avail"), set("proc/self/status", "Name:\tx\n")}, map[string]Level{"machine.seccomp": Missing}},
		{"seccomp hidden", []func(*fake){gone("proc/sys/kernel/seccomp/actions_avail")}, map[string]Level{"machine.seccomp": Note}},
		{"seccomp cannot refuse", []func(*fake){set("proc/sys/kernel/seccomp/actions_avail", "allow trap")}, map[string]Level{"machine.seccomp": Missing}},
		{"no overlay", []func(*fake){set("proc/filesystems", "ext4\n")}, map[string]Level{"machine.overlayfs": Note}},
		{"file systems not shown", []func(*fake){gone("proc/filesystems")}, map[string]Level{"machine.overlayfs": Note}},
		{"no LSM", []func(*fake){set("sys/kernel/security/lsm", "capability,yama")}, map[string]Level{"machine.lsm": Note}},
		{"LSM list not shown, AppArmor is", []func(*fake){gone("sys/kernel/security/lsm"), set("sys/kernel/x", ""), set("sys/module/apparmor/parameters/enabled", "Y\n")}, nil},
		{"LSM list not shown, AppArmor off", []func(*fake){gone("sys/kernel/security/lsm"), set("sys/kernel/x", ""), set("sys/module/apparmor/parameters/enabled", "N\n")}, map[string]Level{"machine.lsm": Note}},
		{"no /sys", []func(*fake){gone("sys/kernel/security/lsm")}, map[string]Level{"machine.lsm": Note}},
		{"SELinux enforcing", []func(*fake){set("sys/kernel/security/lsm", "selinux"), set("sys/fs/selinux/enforce", "1")}, nil},
		{"SELinux permissive", []func(*fake){set("sys/kernel/security/lsm", "selinux"), set("sys/fs/selinux/enforce", "0")}, map[string]Level{"machine.lsm": Warning}},
		{"cores piped", []func(*fake){set("proc/sys/kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P")}, map[string]Level{"machine.core-dumps": Note}},
		{"core pattern hidden", []func(*fake){gone("proc/sys/kernel/core_pattern")}, map[string]Level{"machine.core-dumps": Note}},
		{"no subordinate UIDs", []func(*fake){set("etc/subuid", "")}, map[string]Level{"machine.subordinate-ids": Note}},
		{"few subordinate GIDs", []func(*fake){set("etc/subgid", "user:1:1000\n")}, map[string]Level{"machine.subordinate-ids": Note}},
		{"no newgidmap", []func(*fake){func(m *fake) { delete(m.programs, "/usr/bin/newgidmap") }}, map[string]Level{"machine.subordinate-ids": Note}},
		{"root needs neither", []func(*fake){root, set("etc/subuid", "")}, nil},
		{"userns off", []func(*fake){set("proc/sys/kernel/unprivileged_userns_clone", "0")}, map[string]Level{"machine.user-namespaces": Note}},
		{"userns on, Debian", []func(*fake){set("proc/sys/kernel/unprivileged_userns_clone", "1")}, nil},
		{"userns off, no engine", []func(*fake){set("proc/sys/kernel/unprivileged_userns_clone", "0"), no}, map[string]Level{"machine.user-namespaces": Missing, "engines.answers" + at0: Missing}},
		{"userns restricted by AppArmor", []func(*fake){set("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1")}, map[string]Level{"machine.user-namespaces": Note}},
		{"userns maximum 0", []func(*fake){set("proc/sys/user/max_user_namespaces", "0")}, map[string]Level{"machine.user-namespaces": Note}},
		{"kernel without userns", []func(*fake){gone("proc/self/ns/user")}, map[string]Level{"machine.user-namespaces": Note}},
		{"cgroup v1", []func(*fake){root, set("proc/self/mountinfo", strings.Replace(hybridMounts, "35 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "", 1)), set("proc/cgroups", v1Controllers)}, map[string]Level{"machine.cgroups": Note}},
		{"memory disabled", []func(*fake){root, set("proc/self/mountinfo", hybridMounts), set("proc/cgroups", strings.Replace(v1Controllers, "19\t1", "19\t0", 1))}, map[string]Level{"machine.cgroups": Missing}},
		{"v2 without pids", []func(*fake){set("sys/fs/cgroup/cgroup.controllers", "cpu memory")}, map[string]Level{"machine.cgroups": Missing}},
		{"no cgroups mounted", []func(*fake){set("proc/self/mountinfo", "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n")}, map[string]Level{"machine.cgroups": Note}},
		{"not delegated", []func(*fake){set(userUnit+"/cgroup.controllers", "memory pids")}, map[string]Level{"machine.cgroups": Note}},
		{"not delegated, no engine", []func(*fake){set(userUnit+"/cgroup.controllers", "memory pids"), no}, map[string]Level{"machine.cgroups": Warning, "engines.answers" + at0: Missing}},
		{"cgroups read-only for root", []func(*fake){root, func(m *fake) { m.denied = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/user.slice"} }}, map[string]Level{"machine.cgroups": Note}},
		{"mountinfo makes no sense", []func(*fake){set("proc/self/mountinfo", "rubbish")}, map[string]Level{"machine.cgroups": Note}},

		{"no engine", []func(*fake){no}, map[string]Level{"engines.answers" + at0: Missing}},
		{"Windows containers", []func(*fake){info(func(i *engine.Info) { i.OS = "windows" })}, map[string]Level{"engines.answers" + at0: Missing}},
		{"no limits", []func(*fake){info(func(i *engine.Info) { i.Driver = "none" })}, map[string]Level{"engines.limits" + at0: Warning}},
		{"no swap limit", []func(*fake){info(func(i *engine.Info) { i.Lacks = []string{"swap"} })}, map[string]Level{"engines.limits" + at0: Warning}},
		{"no runtime", []func(*fake){info(func(i *engine.Info) { i.Runtime, i.Runtimes, i.Programs = "", nil, nil })}, map[string]Level{"engines.runtimes" + at0: Warning, "gvisor.runtime": Note}},
		{"data root nosuid", []func(*fake){set("proc/self/mountinfo", v2Mounts+"40 21 8:2 / /var/lib rw,nosuid - ext4 /dev/sdb rw\n")}, map[string]Level{"engines.data-root" + at0: Warning}},
		{"nosuid elsewhere", []func(*fake){set("proc/self/mountinfo", v2Mounts+"40 21 8:2 / /var/lib/dockerish rw,nosuid - ext4 /dev/sdb rw\n")}, nil},
		{"remote data root", []func(*fake){info(func(i *engine.Info) { i.Local = false }), set("proc/self/mountinfo", v2Mounts+"40 21 8:2 / /var rw,nosuid - ext4 /dev/sdb rw\n")}, nil},
		{"runtimes do not answer", []func(*fake){func(m *fake) { m.programs["/usr/sbin/runc"] = ""; m.programs["/usr/bin/runsc"] = "" }}, map[string]Level{"engines.programs": Note, runsc0: Note}},

		{"no gVisor", []func(*fake){func(m *fake) { delete(m.programs, "/usr/bin/runsc") }, info(func(i *engine.Info) { i.Runtimes = []string{"runc"}; delete(i.Programs, "runsc") })}, map[string]Level{"gvisor.program": Note}},
		{"not registered", []func(*fake){info(func(i *engine.Info) { i.Runtimes = []string{"runc"}; delete(i.Programs, "runsc") })}, map[string]Level{"gvisor.runtime": Note}},
		{"registered, not there", []func(*fake){func(m *fake) { delete(m.programs, "/usr/bin/runsc") }}, map[string]Level{"engines.runtime[" + defaultHost + " runsc]": Missing, "gvisor.program": Note}},
		{"without oci-seccomp", []func(*fake){args()}, map[string]Level{registered0: Warning}},
		{"oci-seccomp switched off", []func(*fake){args("--oci-seccomp=false")}, map[string]Level{registered0: Warning}},
		{"oci-seccomp with one dash", []func(*fake){args("-oci-seccomp=true")}, nil},
		{"on kvm", []func(*fake){args("--oci-seccomp", "--platform=kvm")}, map[string]Level{registered0: Warning}},
		{"on kvm, in two words", []func(*fake){args("--oci-seccomp", "--platform", "kvm")}, map[string]Level{registered0: Warning}},
		{"under /tmp", []func(*fake){func(m *fake) { m.files["tmp/runsc"] = file("") }, info(func(i *engine.Info) {
			i.Programs["runsc"] = engine.Program{Path: "/tmp/runsc", Args: []string{"--oci-seccomp"}}
		})}, map[string]Level{registered0: Missing}},
		{"a shim", []func(*fake){info(func(i *engine.Info) { i.Programs["runsc"] = engine.Program{Type: "io.containerd.runsc.v1"} })}, map[string]Level{registered0: Note}},
		{"a shim of something else", []func(*fake){info(func(i *engine.Info) { i.Programs["runsc"] = engine.Program{Type: "io.containerd.kata.v2"} })}, map[string]Level{"gvisor.runtime": Note}},
		{"called otherwise", []func(*fake){info(func(i *engine.Info) {
			delete(i.Programs, "runsc")
			i.Runtimes, i.Programs["gvisor"] = []string{"runc", "gvisor"}, engine.Program{Path: "/usr/bin/runsc"}
		})}, map[string]Level{"gvisor.runtime[" + defaultHost + " gvisor]": Warning}},
		{"Debian's runsc", []func(*fake){runsc("0.0~20221219.0-2")}, map[string]Level{runsc0: Missing, registered0: Missing}},
		{"last year's runsc", []func(*fake){runsc("release-20251001.0")}, map[string]Level{runsc0: Warning}},
		{"runsc of the Go module", []func(*fake){runsc("v0.0.0-20260701204157-69c2d17aea96")}, map[string]Level{runsc0: Note}},
		{"runsc without a date", []func(*fake){runsc("unknown")}, map[string]Level{runsc0: Note}},
		{"runsc under /tmp", []func(*fake){func(m *fake) {
			m.env["PATH"], m.programs["/tmp/x/runsc"] = "/tmp/x", "runsc version release-20261012.0"
		}},
			map[string]Level{"gvisor.program[/tmp/x/runsc]": Missing}},

		{"no guest", []func(*fake){func(m *fake) { m.guest = errors.New("missing") }}, map[string]Level{"tightship.guest[amd64]": Missing}},
		{"lock directory", []func(*fake){func(m *fake) { m.denied = append(m.denied, "/home/user/.cache/tightship/runs") }}, map[string]Level{"tightship.lock-directory": Missing}},
		{"leftovers", []func(*fake){func(m *fake) { m.left = make([]engine.Resource, 5) }}, map[string]Level{"tightship.leftovers" + at0: Warning}},
		{"leftovers not known", []func(*fake){func(m *fake) { m.leftErr = errors.New("hangs") }}, map[string]Level{"tightship.leftovers" + at0: Warning}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := with(ready(), row.change...).result()
			want := row.want
			if want == nil {
				want = map[string]Level{}
			}
			if diff := cmp.Diff(want, levels(r)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			invariants(t, r)
		})
	}
}

// The ways that are closed by each mutation, and no others.
func TestWays(t *testing.T) {
	ways := func(r Result) (open []string) {
		for _, w := range r.Ways {
			if w.Works {
				open = append(open, w.Engine+" "+w.Runtime)
			}
		}
		slices.Sort(open)
		return open
	}
	// An ordinary user's containers run under runsc where there is no daemon.
	user := []string{"docker runc", "docker runsc", "oci runsc"}
	all := []string{"docker runc", "docker runsc", "oci runc", "oci runsc"}
	for _, row := range []struct {
		name   string
		change func(*fake)
		want   []string
	}{
		{"user", func(*fake) {}, user},
		{"root", func(m *fake) { m.uid, m.denied = 0, nil }, all},
		{"no daemonless engine", func(m *fake) { m.own = false }, all[:2]},
		{"no engine", func(m *fake) { m.engines = nil }, user[2:]},
		{"userns off", func(m *fake) { m.files["proc/sys/kernel/unprivileged_userns_clone"] = file("0") }, all[:2]},
		{"userns off, root", func(m *fake) {
			m.files["proc/sys/kernel/unprivileged_userns_clone"] = file("0")
			m.uid, m.denied = 0, nil
		}, all},
		{"not delegated", func(m *fake) { m.files[userUnit+"/cgroup.controllers"] = file("cpu") }, user},
		{"no guest", func(m *fake) { m.guest = errors.New("no") }, nil},
		{"lock directory", func(m *fake) { m.denied = []string{"/home/user/.cache/tightship/runs"} }, nil},
		{"runsc too old", func(m *fake) { m.programs["/usr/bin/runsc"] = "runsc version release-20220101.0" }, []string{"docker runc"}},
		{"Windows containers", func(m *fake) {
			i := dockerInfo()
			i.OS = "windows"
			m.engines[defaultHost] = i
		}, user[2:]},
		{"on kvm", func(m *fake) {
			i := dockerInfo()
			i.Programs["runsc"] = engine.Program{Path: "/usr/bin/runsc", Args: []string{"--platform=kvm"}}
			m.engines[defaultHost] = i
		}, []string{"docker runc", "oci runsc"}},
		{"hybrid cgroups and crun", func(m *fake) {
			m.uid, m.denied = 0, nil
			m.files["proc/self/mountinfo"], m.files["proc/cgroups"] = file(hybridMounts), file(v1Controllers)
			m.programs["/usr/bin/crun"] = "crun version 1.24"
			i := dockerInfo()
			i.Runtimes = []string{"crun"}
			m.engines[defaultHost] = i
		}, all},
		{"Podman with crun on hybrid cgroups", func(m *fake) {
			m.uid, m.denied, m.own = 0, nil, false
			m.files["proc/self/mountinfo"], m.files["proc/cgroups"] = file(hybridMounts), file(v1Controllers)
			i := podmanInfo() // as Podman 4.3 answers, started with --runtime
			i.Runtime = "/usr/bin/crun"
			m.engines[defaultHost] = i
		}, []string{"podman runsc"}},
		{"Podman elsewhere", func(m *fake) {
			m.own = false
			i := podmanInfo()
			i.Local = false
			m.engines[defaultHost] = i
		}, []string{"podman crun"}},
		{"no user namespaces", func(m *fake) { m.files["proc/sys/user/max_user_namespaces"] = file("0") }, all[:2]},
		{"runsc is gone", func(m *fake) { delete(m.programs, "/usr/bin/runsc") }, []string{"docker runc"}},
		{"runsc under /tmp", func(m *fake) {
			m.files["tmp/runsc"] = file("")
			i := dockerInfo()
			i.Programs["runsc"] = engine.Program{Path: "/tmp/runsc"}
			m.engines[defaultHost] = i
		}, []string{"docker runc", "oci runsc"}},
		{"the old runsc is another", func(m *fake) {
			m.programs["/usr/bin/runsc"] = "runsc version release-20220101.0"
			m.files["srv/runsc"] = file("")
			i := dockerInfo()
			i.Programs["runsc"] = engine.Program{Path: "/srv/runsc"}
			m.engines[defaultHost] = i
		}, []string{"docker runc", "docker runsc"}},
		{"crun elsewhere", func(m *fake) {
			m.programs["/usr/bin/crun"] = "crun version 1.24"
		}, []string{"docker runc", "docker runsc", "oci runsc"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := with(ready(), row.change).result()
			if diff := cmp.Diff(row.want, ways(r)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if r.Works != (len(row.want) > 0) {
				t.Errorf("works is %v", r.Works)
			}
		})
	}
}

// Whether the kernel's account can be read decides what the evidence can be.
func TestAccount(t *testing.T) {
	for _, row := range []struct{ local, readable, want bool }{
		{true, true, true}, {true, false, false}, {false, true, false},
	} {
		m := ready()
		i := dockerInfo()
		i.Local, m.account, m.own = row.local, row.readable, false
		m.engines[defaultHost] = i
		for _, w := range m.result().Ways {
			if w.Account != row.want || !w.Works {
				t.Errorf("%+v: %+v", row, w)
			}
		}
	}
}

// Steps fit the one who reads them.
func TestSteps(t *testing.T) {
	denied := func(m *fake) {
		m.own = false
		m.engines[defaultHost] = fmt.Errorf("%w: permission denied at x", engine.ErrPermission)
	}
	for _, row := range []struct {
		name        string
		change      func(*fake)
		want, never string
	}{
		{"in the group already", func(m *fake) { denied(m); m.files["etc/group"] = file("docker:x:999:a,user\n") }, "newgrp docker", "usermod"},
		{"root's socket", func(m *fake) { denied(m); m.files["etc/group"] = file("root:x:999:\n") }, "rootless", "usermod"},
		{"Fedora", func(m *fake) { m.engines, m.files = nil, fedora(); m.programs = nil }, "dnf install -y moby-engine", "apt-get"},
		{"another system", func(m *fake) { m.engines, m.programs = nil, nil; m.files["etc/os-release"] = file("ID=arch") }, "on Fedora", "pacman"},
		{"no systemd", func(m *fake) { m.engines = nil; delete(m.files, "run/systemd/system/x") }, "sudo dockerd", "systemctl"},
		{"root needs no sudo", func(m *fake) { m.uid, m.engines = 0, nil; delete(m.files, "run/systemd/system/x") }, "dockerd >", "sudo dockerd"},
		{"Podman without a socket", func(m *fake) { m.engines, m.programs = nil, map[string]string{"/usr/bin/podman": ""} }, "systemctl --user enable --now podman.socket", "docker.io"},
		{"ssh", func(m *fake) {
			m.env["DOCKER_HOST"] = "ssh://me:pw@there:22"
			m.engines["ssh://me:pw@there:22"] = fmt.Errorf("%w: ssh:// addresses are not supported", engine.ErrUnreachable)
		}, "unset DOCKER_HOST", "pw@"},
		{"API version fixed", func(m *fake) {
			m.env["DOCKER_API_VERSION"] = "1.30"
			m.engines[defaultHost] = fmt.Errorf("%w: API 1.30 was asked for", engine.ErrVersion)
		}, "unset DOCKER_API_VERSION", "apt-get"},
		{"plain TCP to itself", func(m *fake) {
			m.env["DOCKER_HOST"] = "tcp://127.0.0.1:2375"
			m.engines["tcp://127.0.0.1:2375"] = dockerInfo()
		}, "tcp://127.0.0.1:2375", "without TLS"},
		{"group may not use the socket", func(m *fake) {
			denied(m)
			m.files["run/docker.sock"] = &fstest.MapFile{Mode: fs.ModeSocket | 0o600, Sys: &syscall.Stat_t{Gid: 999}}
			m.files["var/run/docker.sock"] = m.files["run/docker.sock"]
		}, "rootless", "usermod"},
		{"no address", func(m *fake) { m.env["DOCKER_HOST"] = "rubbish" }, "nothing usable at rubbish (DOCKER_HOST)", "://rubbish"},
		{"no engine there", func(m *fake) { m.engines[defaultHost] = fmt.Errorf("%w: rubbish", engine.ErrBadAnswer) }, "see what listens there", "apt-get"},
		{"image missing", func(m *fake) { m.engines[defaultHost] = fakeEngine{info: dockerInfo()} }, "tightship image build", "name one of yours"},
		{"plain TCP", func(m *fake) { m.env["DOCKER_HOST"] = "tcp://far:2375"; m.engines["tcp://far:2375"] = dockerInfo() }, "without TLS", "\x00"},
		{"TCP with TLS", func(m *fake) {
			m.env["DOCKER_HOST"], m.env["DOCKER_TLS_VERIFY"] = "tcp://far:2375", "1"
			m.engines["tcp://far:2375"] = dockerInfo()
		}, "tcp://far:2375", "without TLS"},
		{"a runtime to be quoted", func(m *fake) {
			i := dockerInfo()
			i.Runtimes = []string{"a b;reboot"}
			m.engines[defaultHost] = i
		}, "tightship verify '--runtime=a b;reboot' ", "\x00"},
		{"root's Podman", func(m *fake) {
			m.files["run/podman/podman.sock"] = socket(0)
			m.engines = map[string]any{podmanRoot: fmt.Errorf("%w: permission denied", engine.ErrPermission)}
		}, "systemctl --user enable --now podman.socket", "usermod"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := with(ready(), row.change).result()
			text := fmt.Sprintf("%+v", r)
			if !strings.Contains(text, row.want) || strings.Contains(text, row.never) {
				t.Errorf("want %q, never %q:\n%s", row.want, row.never, text)
			}
			invariants(t, r)
		})
	}
}
