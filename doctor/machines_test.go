package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"syscall"
	"testing/fstest"
	"time"

	"github.com/tightship-dev/tightship/engine"
)

// fake is a machine that is not there: files, engines by address, programs by
// path with what they print.
type fake struct {
	goos     string
	uid      int
	user     string
	env      map[string]string
	files    fstest.MapFS
	denied   []string // directories that this user may not write to
	engines  map[string]any
	programs map[string]string
	left     []engine.Resource
	leftErr  error
	guest    error
	account  bool
	own      bool // tightship has the daemonless engine
}

const (
	podmanRoot = "unix:///run/podman/podman.sock"
	podmanUser = "unix:///run/user/1000/podman/podman.sock"
)

var today = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// fakeEngine answers from memory.
type fakeEngine struct {
	engine.Engine
	info  engine.Info
	image bool
}

func (e fakeEngine) Info(context.Context) (engine.Info, error) { return e.info, nil }
func (e fakeEngine) Close() error                              { return nil }
func (e fakeEngine) Image(context.Context, string) (engine.Image, error) {
	if !e.image {
		return engine.Image{}, engine.ErrNoImage
	}
	return engine.Image{}, nil
}

func (m fake) probes() Probes {
	files := maps.Clone(m.files)
	for path := range m.programs {
		files[strings.TrimPrefix(path, "/")] = &fstest.MapFile{Mode: 0o755}
	}
	return Probes{
		GOOS: m.goos, Arch: "amd64", UID: m.uid, User: m.user, Cores: 8,
		Now: func() time.Time { return today }, FS: files,
		Getenv: func(name string) string { return m.env[name] },
		Connect: func(_ context.Context, host string) (engine.Engine, error) {
			if host == "" { // as docker.New finds it
				e, _ := m.probes().context()
				host = e.Host
			}
			switch e := m.engines[host].(type) {
			case engine.Info:
				return fakeEngine{info: e, image: true}, nil
			case fakeEngine:
				return e, nil
			case error:
				return nil, fmt.Errorf("docker: ping: %w", e)
			}
			return nil, fmt.Errorf("docker: ping: %w: %s: no such file or directory", engine.ErrUnreachable, host)
		},
		Leftovers: func(context.Context, engine.Engine) ([]engine.Resource, error) { return m.left, m.leftErr },
		Version: func(_ context.Context, path string) ([]byte, error) {
			if m.programs[path] == "" {
				return nil, errors.New("exit status 1")
			}
			return []byte(m.programs[path]), nil
		},
		Writable: func(dir string) error {
			for _, d := range m.denied {
				if dir == d {
					return fs.ErrPermission
				}
			}
			return nil
		},
		Account: func() bool { return m.account },
		Guest:   func(string) error { return m.guest },
		Dir:     "/opt/tightship", Title: "v1.0.0 (go1.26.3, linux/amd64)",
		RunDir: "/home/user/.cache/tightship/runs", Daemonless: m.own, Image: "tightship-agent:latest",
	}
}

func (m fake) result() Result { return Examine(Look(context.Background(), m.probes())) }

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func socket(gid uint32) *fstest.MapFile {
	return &fstest.MapFile{Mode: fs.ModeSocket | 0o660, Sys: &syscall.Stat_t{Gid: gid, Ino: uint64(gid) + 1}}
}

const (
	v2Mounts     = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 21 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
	hybridMounts = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n" +
		"31 21 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" +
		"33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n34 31 0:31 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n" +
		"35 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	v1Controllers = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t3\t1\nmemory\t4\t19\t1\npids\t8\t3\t1\nhugetlb\t0\t3\t1\n"
	userUnit      = "sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service"
)

// linux is the files of a current Debian with everything in place.
func linux() fstest.MapFS {
	return fstest.MapFS{
		"etc/os-release":                          file("PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\n"),
		"etc/group":                               file("root:x:0:\ndocker:x:999:\n"),
		"etc/subuid":                              file("user:100000:65536\n"),
		"etc/subgid":                              file("user:100000:65536\n"),
		"proc/sys/kernel/osrelease":               file("6.12.48+deb13-amd64\n"),
		"proc/sys/kernel/core_pattern":            file("core\n"),
		"proc/sys/kernel/seccomp/actions_avail":   file("kill_process trap errno trace allow\n"),
		"proc/sys/user/max_user_namespaces":       file("63000\n"),
		"proc/self/ns/user":                       file(""),
		"proc/self/mountinfo":                     file(v2Mounts),
		"proc/self/cgroup":                        file("0::/user.slice/user-1000.slice/session-1.scope\n"),
		"proc/self/status":                        file("Name:\tx\nSeccomp:\t0\n"),
		"proc/meminfo":                            file("MemTotal:       16384000 kB\nMemFree: 1 kB\n"),
		"proc/filesystems":                        file("nodev\tsysfs\nnodev\toverlay\n\text4\n"),
		"sys/fs/cgroup/cgroup.controllers":        file("cpuset cpu io memory hugetlb pids\n"),
		userUnit + "/cgroup.controllers":          file("cpu memory pids\n"),
		"sys/kernel/security/lsm":                 file("lockdown,capability,yama,apparmor"),
		"run/systemd/system/x":                    file(""),
		"var/run/docker.sock":                     socket(999),
		"run/docker.sock":                         socket(999),
		"home/user/.docker/nothing":               file(""),
		"home/user/.config/containers/registries": file(""),
	}
}

// fedora is linux of the other family.
func fedora() fstest.MapFS {
	f := linux()
	f["etc/os-release"] = file("NAME=Fedora\nID=fedora\nPRETTY_NAME='Fedora Linux 43'\n")
	f["sys/kernel/security/lsm"] = file("lockdown,capability,selinux,bpf")
	f["sys/fs/selinux/enforce"] = file("1")
	delete(f, "run/docker.sock")
	delete(f, "var/run/docker.sock")
	return f
}

func dockerInfo() engine.Info {
	return engine.Info{
		Name: "docker", Version: "28.5.2", API: "1.51", OS: "linux", Arch: "amd64", Cgroup: "v2", Driver: "systemd",
		Runtimes: []string{"io.containerd.runc.v2", "runc", "runsc"}, Runtime: "runc", LSM: "apparmor", Root: "/var/lib/docker", Local: true,
		Programs: map[string]engine.Program{
			"io.containerd.runc.v2": {Path: "runc"}, "runc": {Path: "runc"},
			"runsc": {Path: "/usr/bin/runsc", Args: []string{"--oci-seccomp"}},
		},
	}
}

func podmanInfo() engine.Info {
	return engine.Info{
		Name: "podman", Version: "5.4.2", API: "1.41", OS: "linux", Arch: "amd64", Cgroup: "v2", Driver: "systemd",
		Runtimes: []string{"crun", "kata", "runsc"}, Runtime: "crun", Rootless: true, Root: "/home/user/.local/share/containers/storage", Local: true,
		Programs: map[string]engine.Program{"crun": {Path: "/usr/bin/crun"}, "kata": {Path: "/usr/bin/kata-runtime"}, "runsc": {Path: "/usr/bin/runsc"}},
	}
}

func tools0() map[string]string {
	return map[string]string{
		"/usr/bin/runsc": "runsc version release-20261012.0\nspec: 1.2.1\n", "/usr/sbin/runc": "runc version 1.3.3\ncommit: x\n",
		"/usr/bin/newuidmap": "", "/usr/bin/newgidmap": "", "/usr/sbin/dockerd": "",
	}
}

// ready is a machine on which everything is as it should be.
func ready() fake {
	return fake{
		goos: "linux", uid: 1000, user: "user", account: true, files: linux(), programs: tools0(), own: true,
		env:     map[string]string{"PATH": "/usr/bin:relative:/bin", "HOME": "/home/user"},
		engines: map[string]any{defaultHost: dockerInfo()},
		denied:  []string{"/sys/fs/cgroup"},
	}
}

func with(m fake, changes ...func(*fake)) fake {
	for _, c := range changes {
		c(&m)
	}
	return m
}

// machines are those that a golden text shows.
func machines() map[string]fake {
	bare := func(m *fake) { m.engines, m.programs, m.own = nil, nil, false }
	noSocket := func(m *fake) { delete(m.files, "run/docker.sock"); delete(m.files, "var/run/docker.sock") }
	return map[string]fake{
		"ready":     ready(),
		"no-engine": with(ready(), bare, noSocket),
		"permission-denied": with(ready(), bare, func(m *fake) {
			m.engines = map[string]any{defaultHost: fmt.Errorf("%w: permission denied at %s", engine.ErrPermission, defaultHost)}
		}),
		"podman-only": with(ready(), bare, func(m *fake) {
			m.files = fedora()
			m.files["run/user/1000/podman/podman.sock"] = socket(1000)
			m.engines = map[string]any{podmanUser: podmanInfo()}
			m.programs = map[string]string{"/usr/bin/podman": "", "/usr/bin/crun": "crun version 1.24\n", "/usr/bin/newuidmap": "", "/usr/bin/newgidmap": ""}
		}),
		"delegated": with(ready(), noSocket, func(m *fake) {
			m.files["run/user/1000/docker.sock"] = socket(1000)
			i := dockerInfo()
			i.Rootless = true
			m.env["DOCKER_CONTEXT"] = "rootless"
			m.files["home/user/.docker/"+contextDir("rootless")+"/meta.json"] =
				file(`{"Name":"rootless","Endpoints":{"docker":{"Host":"unix:///run/user/1000/docker.sock"}}}`)
			m.engines = map[string]any{"unix:///run/user/1000/docker.sock": i}
		}),
		"not-delegated": with(ready(), noSocket, func(m *fake) {
			m.engines = nil
			m.files[userUnit+"/cgroup.controllers"] = file("memory pids\n")
		}),
		"userns-off": with(ready(), bare, noSocket, func(m *fake) {
			m.files["proc/sys/kernel/unprivileged_userns_clone"] = file("0\n")
			m.files["etc/subuid"] = file("other:1:65536\n")
		}),
		"runsc-too-old": with(ready(), func(m *fake) {
			m.programs["/usr/bin/runsc"] = "runsc version 0.0~20221219.0\n"
			m.own = false
		}),
		"dead-host": with(ready(), func(m *fake) {
			m.env["DOCKER_HOST"] = "tcp://user:secret@127.0.0.1:1"
			m.engines["tcp://user:secret@127.0.0.1:1"] = fmt.Errorf("%w: tcp://127.0.0.1:1: connection refused", engine.ErrUnreachable)
		}),
		"too-old": with(ready(), func(m *fake) {
			m.own = false
			m.engines[defaultHost] = fmt.Errorf("%w: its API is 1.39, 1.41 (Docker 20.10) or newer is needed", engine.ErrVersion)
		}),
		"daemonless": with(ready(), noSocket, func(m *fake) {
			m.engines, m.uid, m.user, m.denied = nil, 0, "root", nil
			m.files["proc/self/mountinfo"], m.files["proc/cgroups"] = file(hybridMounts), file(v1Controllers)
			m.programs["/usr/bin/crun"] = "crun version 1.8.1\n"
			m.programs["/opt/tightship/runsc"] = "runsc version v0.0.0-20260701204157-69c2d17aea96\n"
		}),
		"darwin": with(ready(), bare, func(m *fake) {
			m.goos = "darwin"
			m.files = fstest.MapFS{"Users/me/.colima/default/docker.sock": socket(20)}
			m.env = map[string]string{"HOME": "/Users/me"}
			i := dockerInfo()
			i.Local, i.Arch = false, "arm64"
			m.engines = map[string]any{"unix:///Users/me/.colima/default/docker.sock": i}
		}),
		"hostile": with(ready(), func(m *fake) {
			const bad = "\x1b[2J\n$(reboot)';\u202e\u009b1m\xff"
			i := dockerInfo()
			i.Version, i.API, i.Driver, i.Cgroup, i.Root = bad, bad, bad, bad, "/"+bad
			i.Runtimes, i.Runtime = []string{bad, "--help"}, bad
			i.Lacks = []string{bad}
			i.Programs = map[string]engine.Program{bad: {Path: "/tmp/" + bad, Args: []string{bad}}, "--help": {Path: "/runsc" + bad, Args: []string{bad}}}
			m.engines[defaultHost] = i
			m.left = []engine.Resource{{Kind: bad, Name: bad}}
			m.programs["/usr/bin/runsc"] = "runsc version " + strings.Repeat(bad, 99)
			m.files["etc/os-release"] = file("PRETTY_NAME=" + bad)
			m.files["proc/sys/kernel/core_pattern"] = file("|/" + bad)
			m.guest = errors.New(bad)
		}),
	}
}
