package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// Each row changes one thing about the hardened evidence and says what the
// verdict must become and a word that the reason must hold.
func TestJudges(t *testing.T) {
	const (
		fail, open, na = check.Fail, check.Inconclusive, check.NotApplicable
		pass           = check.Pass
	)
	rows := []struct {
		id, name string
		edit     edit
		want     check.Verdict
		reason   string
	}{
		{"fs.root-read-only", "a file in /etc", outcome(main, R, "fs.create", "create", "/etc", ""), fail, "/etc"},
		{"fs.root-read-only", "a file in the user's own directory", outcome(main, U, "fs.create", "create", "/home/claude-agent", ""), fail, "/home/claude-agent"},
		{"fs.root-read-only", "refused by permissions only", func(in *check.Input) {
			outcome(main, R, "fs.create", "create", "", "EACCES")(in)
			outcome(main, U, "fs.create", "create", "", "EACCES")(in)
		}, open, "because of the mount"},
		{"fs.root-read-only", "control refused", controls(main, R, "fs.create", "EROFS"), open, "control"},
		{"fs.root-read-only", "policy weaker", weak(func(p *policy.Policy) { p.Rootfs = policy.Writable }), fail, "policy itself"},
		{"fs.root-read-only", "kernel has it rw", without("/", "ro"), fail, "kernel"},
		{"fs.usr-read-only", "a file in /usr/bin", outcome(main, R, "fs.create", "create", "/usr/bin", ""), fail, "/usr/bin"},
		{"fs.usr-read-only", "control refused", controls(main, R, "fs.create", "EROFS"), open, "control"},
		{"fs.usr-read-only", "no /usr in the image", attempts(main, R, "fs.create", func(a *probe.Attempt) bool {
			if strings.HasPrefix(a.On, "/usr") {
				a.On = "/opt"
			}
			return true
		}), na, "/usr"},
		{"fs.var-read-only", "a file in /var/tmp", outcome(main, U, "fs.create", "create", "/var/tmp", ""), fail, "/var/tmp"},
		{"fs.var-read-only", "control refused", controls(main, R, "fs.create", "EROFS"), open, "control"},
		{"fs.tmp-writable", "refused", outcome(main, U, "tmp.write", "write, fsync, read back, delete", "/tmp", "EROFS"), fail, "cannot be used"},
		{"fs.tmp-writable", "not tried there", attempts(main, U, "tmp.write", func(a *probe.Attempt) bool { a.On = "/elsewhere"; return true }), open, "/tmp"},
		{"fs.tmp-writable", "kernel has no mount", unmounted("/tmp"), fail, "kernel"},
		{"fs.tmp-writable", "policy has none", weak(func(p *policy.Policy) { p.Tmpfs = nil }), na, "no tmpfs"},
		{"fs.tmp-noexec", "execve works", outcome(main, U, "tmp.exec", "execve", "/tmp", ""), fail, "/tmp"},
		{"fs.tmp-noexec", "mmap works", outcome(main, U, "tmp.exec", "mmap PROT_EXEC", "/tmp", ""), fail, "/tmp"},
		{"fs.tmp-noexec", "execve fails for another reason", outcome(main, U, "tmp.exec", "execve", "/tmp", "ENOENT"), open, "right reason"},
		{"fs.tmp-noexec", "the control does not run", controls(main, U, "tmp.exec", "EACCES"), open, "control"},
		{"fs.tmp-noexec", "policy weaker", tmpfs(func(t *policy.Tmpfs) { t.Exec = true }), fail, "policy itself"},
		{"fs.tmp-noexec", "kernel lacks it", without("/tmp", "noexec"), fail, "kernel"},
		{"fs.tmp-nosuid", "root by a setuid file", outcome(isolate, U, "suid.run", "execve setuid-root file", "/tmp", ""), fail, "root"},
		{"fs.tmp-nosuid", "policy weaker", tmpfs(func(t *policy.Tmpfs) { t.Suid = true }), fail, "policy itself"},
		{"fs.tmp-nosuid", "kernel lacks it", without("/tmp", "nosuid"), fail, "kernel"},
		{"fs.tmp-nosuid", "the control gives no root, no kernel", func(in *check.Input) {
			outcome(isolate, U, "suid.run", "execve setuid-root helper", "", "unchanged")(in)
			in.Twins[main].Kernel = nil
		}, open, "control"},
		{"fs.tmp-nosuid", "not executable, no kernel", func(in *check.Input) {
			outcome(isolate, U, "suid.run", "execve setuid-root file", "/tmp", "EACCES")(in)
			in.Twins[main].Kernel = nil
		}, open, "put to the test"},
		{"fs.tmp-nodev", "the node opens", outcome(isolate, R, "dev.open", "open a device node", "/tmp", ""), fail, "opened"},
		{"fs.tmp-nodev", "the control does not open, no kernel", func(in *check.Input) {
			controls(isolate, R, "dev.open", "EACCES")(in)
			in.Twins[main].Kernel = nil
		}, open, "control"},
		{"fs.tmp-nodev", "kernel lacks it", without("/tmp", "nodev"), fail, "kernel"},
		{"fs.tmp-nodev", "policy weaker", tmpfs(func(t *policy.Tmpfs) { t.Dev = true }), fail, "policy itself"},
		{"fs.tmp-bounded", "no end", outcome(exhaust, U, "exhaust.tmpfs", "write without end", "/tmp", ""), fail, "more than its size"},
		{"fs.tmp-bounded", "another errno", outcome(exhaust, U, "exhaust.tmpfs", "write without end", "/tmp", "EIO"), open, "ENOSPC"},
		{"fs.tmp-bounded", "nothing fits", controls(exhaust, U, "exhaust.tmpfs", "ENOSPC"), open, "control"},
		{"fs.tmp-bounded", "larger than declared", fact(main, U, "tmp.stat", "size:/tmp", "4294967296"), fail, "4 GiB"},
		{"fs.tmp-bounded", "not a mount", attempts(main, U, "tmp.stat", func(a *probe.Attempt) bool { a.Mount = "/"; return true }), open, "mount"},
		{"fs.tmp-bounded", "policy weaker", tmpfs(func(t *policy.Tmpfs) { t.Size = 0 }), fail, "policy itself"},
		{"fs.workspace-writable", "refused", outcome(main, U, "workspace", "rename", "", "EROFS"), fail, "cannot work"},
		{"fs.workspace-writable", "not there", attempts(main, U, "workspace", func(a *probe.Attempt) bool { a.Act = "stat"; return true }), open, "not there"},
		{"fs.workspace-writable", "policy has none", weak(func(p *policy.Policy) { p.Workspace.Mode = policy.WorkspaceNone }), na, "no workspace"},
		{"fs.workspace-writable", "read-only asked for, writes succeed", weak(func(p *policy.Policy) { p.Workspace.Mode = policy.WorkspaceRO }), fail, ""},
		{"fs.workspace-writable", "kernel has nothing there", unmounted("/home/claude-agent/workspace"), fail, "kernel"},
		{"fs.nothing-else-writable", "the user found a place", add(main, U, "fs.sweep", probe.Attempt{Act: "create", On: "/mnt/x", OK: true, Mount: "/mnt/x"}), fail, "/mnt/x"},
		{"fs.nothing-else-writable", "uid 0 found a place", add(main, R, "fs.sweep", probe.Attempt{Act: "create", On: "/opt", OK: true, Mount: "/"}), fail, "/opt"},
		{"fs.nothing-else-writable", "a socket of the host's", func(in *check.Input) {
			d := &in.Twins[main].Declared
			d.Mounts = append(d.Mounts, spec.Mount{Kind: spec.Bind, Source: "/run/docker.sock", Target: "/docker.sock"})
		}, fail, "/run/docker.sock at /docker.sock"},
		{"fs.nothing-else-writable", "neither written nor refused", add(main, R, "fs.sweep", probe.Attempt{Act: "create", On: "/mnt/full", Errno: "EIO", Mount: "/mnt/full"}), open, "EIO"},
		{"fs.nothing-else-writable", "a declared tmpfs refused too", controls(main, U, "fs.sweep", "EROFS"), open, "sweep"},
		{"fs.nothing-else-writable", "nothing attempted", fact(main, R, "fs.sweep", "attempts", "0"), open, "sweep"},
		{"fs.nothing-else-writable", "cut short", fact(main, U, "fs.sweep", "truncated", "true"), open, "sweep"},
		{"fs.nothing-else-writable", "control refused", controls(main, U, "fs.create", "EROFS"), open, "sweep"},
		{"fs.nothing-else-writable", "policy weaker", weak(func(p *policy.Policy) { p.Rootfs = policy.Writable }), fail, "policy itself"},
		{"fs.shm-bounded", "code runs", outcome(main, U, "tmp.exec", "execve", "/dev/shm", ""), fail, "/dev/shm"},
		{"fs.shm-bounded", "too large", fact(main, U, "tmp.stat", "size:/dev/shm", "1073741824"), fail, "1 GiB"},
		{"fs.shm-bounded", "size unknown", fact(main, U, "tmp.stat", "size:/dev/shm", ""), open, "size"},
		{"fs.shm-bounded", "kernel lacks noexec", without("/dev/shm", "noexec"), fail, "kernel"},
		{"fs.dev-tmpfs", "the user writes", outcome(main, U, "dev.create", "create", "/dev", ""), fail, "/dev"},
		{"fs.dev-tmpfs", "another errno", outcome(main, U, "dev.create", "create", "/dev", "ENOENT"), open, "ENOENT"},
		{"fs.dev-tmpfs", "control refused", controls(main, U, "dev.create", "EACCES"), open, "control"},
		{"fs.dev-tmpfs", "root asked for", weak(func(p *policy.Policy) { p.User.UID = 0 }), fail, "policy itself"},

		{"user.non-root", "uid 0", fact(main, U, "ids", "uids", "0 0 0"), fail, "uid 0"},
		{"user.non-root", "only the saved uid is 0", fact(main, U, "ids", "uids", "1000 1000 0"), fail, "uid 0"},
		{"user.non-root", "fsuid 0", fact(main, U, "ids", "fsuid", "0"), fail, "uid 0"},
		{"user.non-root", "unreadable", fact(main, U, "ids", "fsuid", ""), open, "read"},
		{"user.non-root", "the auditor reads no 0", fact(main, R, "ids", "uids", "1000 1000 1000"), open, "control"},
		{"user.non-root", "another name", fact(main, U, "ids", "name", "mallory"), fail, "mallory"},
		{"user.non-root", "no passwd entry", fact(main, U, "ids", "passwd", "no entry"), pass, "uid decides"},
		{"user.non-root", "kernel sees 0", kern(func(k *kernel.State) { k.UIDs[1] = 0 }), fail, "kernel"},
		{"user.non-root", "root asked for", weak(func(p *policy.Policy) { p.User.UID = 0 }), fail, "policy itself"},
		{"user.identity", "another gid", fact(main, U, "ids", "gids", "100 0 100"), fail, "gids"},
		{"user.identity", "another uid", fact(main, U, "ids", "uids", "1001 1001 1001"), fail, "uids"},
		{"user.identity", "one more group", fact(main, U, "ids", "groups", "100 999"), fail, "999"},
		{"user.identity", "a declared group is missing", weak(func(p *policy.Policy) { p.User.Groups = []int64{7} }), fail, "7"},
		{"user.identity", "groups unreadable", fact(main, U, "ids", "groups", ""), open, "read"},
		{"user.no-escalation", "setuid works", outcome(main, U, "escalate", "setuid(0)", "", ""), fail, "setuid(0)"},
		{"user.no-escalation", "the setuid helper gives root", outcome(main, U, "escalate", "execve setuid-root helper", "", ""), fail, "helper"},
		{"user.no-escalation", "the capability helper gives one", outcome(main, U, "escalate", "execve file-capability helper", "", ""), fail, "helper"},
		{"user.no-escalation", "a way was not tried", attempts(main, U, "escalate", func(a *probe.Attempt) bool {
			a.Control = a.Control || a.Act == "setgid(0)"
			return true
		}), open, "every way"},
		{"user.no-escalation", "refused oddly", outcome(main, U, "escalate", "setgroups([0])", "", "ENOSYS"), open, "every way"},
		{"user.no-escalation", "own uid refused", controls(main, U, "escalate", "EPERM"), open, "control"},
		{"user.no-escalation", "the helper lost its bit", fact(main, U, "escalate", "helper:suid", "no privilege"), open, "helper"},
		{"user.no-escalation", "the helper lost its capability", fact(main, U, "escalate", "helper:filecap", "no privilege"), open, "capability"},
		{"user.no-escalation", "the capability helper gives nothing anywhere", outcome(isolate, U, "escalate", "execve file-capability helper", "", "unchanged"), open, "capability"},
		{"user.no-escalation", "the helper gives nothing anywhere", outcome(isolate, U, "escalate", "execve setuid-root helper", "", "unchanged"), open, "control"},
		{"user.no-escalation", "root asked for", weak(func(p *policy.Policy) { p.User.UID = 0 }), fail, "policy itself"},
		{"user.no-privileged-port", "80 binds", outcome(main, U, "bind", "bind tcp4", "80", ""), fail, "80"},
		{"user.no-privileged-port", "UDP 443 binds on IPv6", outcome(main, U, "bind", "bind udp6", "443", ""), fail, "443"},
		{"user.no-privileged-port", "all taken", outcome(main, U, "bind", "bind tcp4", "", "EADDRINUSE"), open, "right reason"},
		{"user.no-privileged-port", "control refused", controls(main, U, "bind", "EACCES"), open, "control"},
		{"user.no-privileged-port", "the engine says it is not set", func(in *check.Input) {
			in.Twins[main].Declared.Sysctls = nil
		}, fail, "the engine was not told"},
		{"user.no-privileged-port", "the engine does not report it", func(in *check.Input) {
			in.Twins[main].Declared.Sysctls, in.Twins[main].Undeclared = nil, []string{"sysctls"}
		}, pass, "EACCES"},
		{"user.no-privileged-port", "not reported, and 80 binds", func(in *check.Input) {
			in.Twins[main].Declared.Sysctls, in.Twins[main].Undeclared = nil, []string{"sysctls"}
			outcome(main, U, "bind", "bind tcp4", "80", "")(in)
		}, fail, "80"},
		{"user.no-privileged-port", "policy drops the sysctl", weak(func(p *policy.Policy) { p.Sysctls = nil }), fail, "policy itself"},
		{"user.unprivileged-port", "8080 refused", outcome(main, U, "bind", "bind, listen, connect to itself", "8080", "EACCES"), fail, "8080"},
		{"user.unprivileged-port", "8080 taken", outcome(main, U, "bind", "bind, listen, connect to itself", "8080", "EADDRINUSE"), open, "taken"},
		{"user.unprivileged-port", "not tried", attempts(main, U, "bind", func(a *probe.Attempt) bool { a.Act = "x"; return true }), open, "attempt"},

		{"limits.pids", "all forks live", outcome(exhaust, U, "exhaust.pids", "fork without end", "", ""), fail, "alive"},
		{"limits.pids", "another errno", outcome(exhaust, U, "exhaust.pids", "fork without end", "", "ENOMEM"), open, "ENOMEM"},
		{"limits.pids", "refused far above", fact(exhaust, U, "exhaust.pids", "forks", "150"), open, "not by this limit"},
		{"limits.pids", "refused early, and no counter", func(in *check.Input) {
			in.Twins[exhaust].After = nil
			fact(exhaust, U, "exhaust.pids", "forks", "5")(in)
		}, open, "not by this limit"},
		{"limits.pids", "no counter", func(in *check.Input) { in.Twins[exhaust].After = nil }, pass, ""},
		{"limits.pids", "the counter did not move", func(in *check.Input) { in.Twins[exhaust].After.PIDsMax = in.Twins[exhaust].Kernel.Cgroup.PIDsMax }, open, "not by this limit"},
		{"limits.pids", "no fork at all", controls(exhaust, U, "exhaust.pids", "EAGAIN"), open, "control"},
		{"limits.pids", "unlimited asked for", weak(func(p *policy.Policy) { p.Limits.PIDs = 0 }), fail, "policy itself"},
		{"limits.pids", "kernel has none", kern(func(k *kernel.State) { k.Cgroup.PIDs = kernel.NoLimit }), fail, "kernel"},
		{"limits.memory", "the child lives", outcome(exhaust, U, "exhaust.memory", "touch past the limit", "", ""), fail, "lived"},
		{"limits.memory", "the child ends oddly", outcome(exhaust, U, "exhaust.memory", "touch past the limit", "", "error"), open, "another reason"},
		{"limits.memory", "half is not reached", controls(exhaust, U, "exhaust.memory", "error"), open, "control"},
		{"limits.memory", "the counter did not move", func(in *check.Input) { in.Twins[exhaust].After.OOMKills = 0 }, open, "not by this limit"},
		{"limits.memory", "unlimited asked for", weak(func(p *policy.Policy) { p.Limits.Memory = 0 }), fail, "policy itself"},
		{"limits.memory", "rounded down to a page", func(in *check.Input) {
			in.Policy.Limits.Memory += 1000
			in.Twins[main].Declared.Memory += 1000
		}, pass, ""},
		{"limits.memory", "kernel has more", kern(func(k *kernel.State) { k.Cgroup.Memory *= 2 }), fail, "kernel"},
		{"limits.swap", "kernel allows swap", kern(func(k *kernel.State) { k.Cgroup.Swap *= 2 }), fail, "kernel"},
		{"limits.swap", "no accounting", kern(func(k *kernel.State) { k.Cgroup.Swap = kernel.NotKnown }), pass, "only the engine"},
		{"limits.swap", "swap asked for", weak(func(p *policy.Policy) { p.Limits.Swap = 1 << 30 }), fail, "policy itself"},
		{"limits.cpu", "burned past the quota, unthrottled", func(in *check.Input) {
			in.Twins[isolate].After.CPUThrottled = 0
			fact(isolate, U, "exhaust.cpu", "cpu_us", "1900000")(in)
			fact(isolate, U, "exhaust.cpu", "wall_us", "1000000")(in)
		}, fail, "more than the quota"},
		{"limits.cpu", "burned past the quota, whatever the counters say", func(in *check.Input) {
			fact(isolate, U, "exhaust.cpu", "cpu_us", "1900000")(in)
			fact(isolate, U, "exhaust.cpu", "wall_us", "1000000")(in)
		}, fail, "burned more"},
		{"limits.cpu", "a burst within one period", func(in *check.Input) {
			in.Twins[isolate].After.CPUThrottled = 0
			fact(isolate, U, "exhaust.cpu", "cpu_us", "50000")(in)
			fact(isolate, U, "exhaust.cpu", "wall_us", "50000")(in)
		}, open, "not throttled"},
		{"limits.cpu", "only the container sees that it was throttled", func(in *check.Input) {
			in.Twins[isolate].After = nil
			fact(isolate, U, "exhaust.cpu", "throttled", "2")(in)
		}, pass, "throttled"},
		{"limits.cpu", "no quota, burned past it", func(in *check.Input) {
			in.Twins[isolate].Declared.MilliCPU = 0
			in.Twins[isolate].After.CPUThrottled = 0
			fact(isolate, U, "exhaust.cpu", "cpu_us", "1900000")(in)
			fact(isolate, U, "exhaust.cpu", "wall_us", "1000000")(in)
		}, fail, "scaled quota"},
		{"limits.cpu", "never throttled, burned little", func(in *check.Input) {
			in.Twins[isolate].After.CPUThrottled = 0
			fact(isolate, U, "exhaust.cpu", "cpu_us", "1000")(in)
		}, open, "not throttled"},
		{"limits.cpu", "time unreadable", fact(isolate, U, "exhaust.cpu", "cpu_us", ""), open, "read"},
		{"limits.cpu", "unlimited asked for", weak(func(p *policy.Policy) { p.Limits.CPUs = 0 }), fail, "policy itself"},
		{"limits.cpu", "kernel has no quota", kern(func(k *kernel.State) { k.Cgroup.CPUQuota = kernel.NoLimit }), fail, "kernel"},
		{"limits.nofile", "never refused", outcome(main, U, "rlimit.nofile", "open descriptors until refused", "", ""), fail, "open at once"},
		{"limits.nofile", "more than the limit", fact(main, U, "rlimit.nofile", "had", "1025"), fail, "1025"},
		{"limits.nofile", "fewer", fact(main, U, "rlimit.nofile", "had", "900"), open, "900"},
		{"limits.nofile", "another errno", outcome(main, U, "rlimit.nofile", "open descriptors until refused", "", "ENFILE"), open, "ENFILE"},
		{"limits.nofile", "none opens", controls(main, U, "rlimit.nofile", "EMFILE"), open, ""},
		{"limits.nofile", "kernel has more", kern(func(k *kernel.State) { k.Limits["nofile"] = kernel.Rlimit{Soft: 1024, Hard: 4096} }), fail, "kernel"},
		{"limits.core", "a core", outcome(main, U, "rlimit.core", "core dump", "", ""), fail, "core"},
		{"limits.core", "hard limit open", fact(main, U, "rlimit.core", "hard", "unlimited"), fail, "may dump"},
		{"limits.core", "limit unreadable", fact(main, U, "rlimit.core", "soft", ""), open, "read"},
		{"limits.core", "no child was aborted", controls(main, U, "rlimit.core", "error"), open, "aborted"},
		{"limits.core", "the host pipes cores", fact(main, U, "rlimit.core", "not aborted", "piped"), pass, "no core was provoked"},
		{"limits.core", "cores asked for", weak(func(p *policy.Policy) { p.Limits.Core = -1 }), fail, "policy itself"},
		{"limits.core", "kernel has one", kern(func(k *kernel.State) { k.Limits["core"] = kernel.Rlimit{Soft: 0, Hard: -1} }), fail, "kernel"},

		{"caps.none", "one in the bounding set of uid 0", fact(main, R, "ids", "cap:bounding", "0000000000000400"), fail, "NET_BIND_SERVICE"},
		{"caps.none", "one in the ambient set of the user", fact(main, U, "ids", "cap:ambient", "0000000000000001"), fail, "CHOWN"},
		{"caps.none", "unreadable", fact(main, U, "ids", "cap:effective", "?"), open, "read"},
		{"caps.none", "the control finds none", fact(isolate, R, "ids", "cap:bounding", "0000000000000000"), open, "control"},
		{"caps.none", "one asked for", weak(func(p *policy.Policy) { p.Capabilities = []string{"NET_RAW"} }), fail, "policy itself"},
		{"caps.none", "kernel has one", kern(func(k *kernel.State) { k.Caps.Bounding = 1 }), fail, "kernel"},
		{"caps.exercised", "chown works", outcome(exhaust, R, "caps.acts", "chown its own file to uid 65534", "", ""), fail, "CAP_CHOWN"},
		{"caps.exercised", "an act works in the main twin", outcome(main, R, "caps.acts", "chroot to /", "", ""), fail, "CAP_SYS_CHROOT"},
		{"caps.exercised", "nothing was refused for lack of permission", attempts(exhaust, R, "caps.acts", func(a *probe.Attempt) bool { a.OK, a.Errno = false, "ENOSYS"; return true }), open, "no act"},
		{"caps.exercised", "nothing works with capabilities either", attempts(isolate, R, "caps.acts", func(a *probe.Attempt) bool { a.OK, a.Errno = false, "EPERM"; return true }), open, "no act"},
		{"caps.exercised", "the user's files are missing", attempts(exhaust, U, "marker", func(a *probe.Attempt) bool { a.OK, a.Errno = false, "EROFS"; return true }), open, "files"},
		{"caps.exercised", "another capability is asked for", weak(func(p *policy.Policy) { p.Capabilities = []string{"NET_ADMIN"} }), pass, ""},
		{"caps.no-network-admin", "flags can be set", outcome(exhaust, R, "net.admin", "SIOCSIFFLAGS", "", ""), fail, "SIOCSIFFLAGS"},
		{"caps.no-network-admin", "a link can be made in the main twin", outcome(main, R, "net.admin", "RTM_NEWLINK", "", ""), fail, "RTM_NEWLINK"},
		{"caps.no-network-admin", "no attempt refused", attempts(exhaust, R, "net.admin", func(a *probe.Attempt) bool { a.OK, a.Errno = false, "ENOSYS"; return true }), open, "permission"},
		{"caps.no-network-admin", "not even readable", controls(exhaust, R, "net.admin", "ENODEV"), open, "control"},
		{"priv.no-new-privs", "not set", fact(main, U, "ids", "no_new_privs", "0"), fail, "not set"},
		{"priv.no-new-privs", "unreadable", fact(main, U, "ids", "no_new_privs", ""), open, "read"},
		{"priv.no-new-privs", "root by the helper", outcome(main, U, "escalate", "execve setuid-root helper", "", ""), fail, "root"},
		{"priv.no-new-privs", "the helper cannot run", outcome(main, U, "escalate", "execve setuid-root helper", "", "EACCES"), open, "executed"},
		{"priv.no-new-privs", "the helper gives nothing anywhere", outcome(isolate, U, "escalate", "execve setuid-root helper", "", "unchanged"), open, "control"},
		{"priv.no-new-privs", "off asked for", weak(func(p *policy.Policy) { p.NoNewPrivileges = false }), fail, "policy itself"},
		{"priv.no-new-privs", "kernel lacks it", kern(func(k *kernel.State) { k.NoNewPrivs = new(bool) }), fail, "kernel"},
		{"priv.no-suid", "root from /dev/shm", outcome(main, U, "suid.run", "execve setuid-root file", "/dev/shm", ""), fail, "/dev/shm"},
		{"priv.no-suid", "not in the tmpfs", attempts(main, R, "suid.plant", func(a *probe.Attempt) bool {
			if a.On == "/tmp" {
				a.OK, a.Errno = false, "ENOSPC"
			}
			return true
		}), open, "/tmp"},
		{"priv.no-suid", "nothing could be planted", attempts(main, R, "suid.plant", func(a *probe.Attempt) bool { a.OK, a.Errno = false, "EROFS"; return true }), open, "placed"},
		{"priv.no-suid", "the helper gives nothing anywhere", outcome(isolate, U, "suid.run", "execve setuid-root helper", "", "unchanged"), open, "control"},

		{"env.command[node]", "not there", outcome(main, U, "env.commands", "run", "node --version", "ENOENT"), fail, "PATH"},
		{"env.command[node]", "hangs", outcome(main, U, "env.commands", "run", "node --version", "timeout"), fail, "hangs"},
		{"env.command[node]", "not executable", outcome(main, U, "env.commands", "run", "node --version", "EACCES"), fail, "executed"},
		{"env.command[node]", "fails", outcome(main, U, "env.commands", "run", "node --version", "error"), fail, "error"},
		{"env.command[node]", "wrong version", attempts(main, U, "env.commands", func(a *probe.Attempt) bool { a.Note = "v18.0.0"; return true }), fail, "match"},
		{"env.command[node]", "something else was run", attempts(main, U, "env.commands", func(a *probe.Attempt) bool { a.On = "true"; return true }), open, "not run"},
		{"env.python-package[requests]", "import fails", outcome(main, U, "env.python", "import", "requests", "error"), fail, "error"},
		{"env.python-package[requests]", "not tried", attempts(main, U, "env.python", func(a *probe.Attempt) bool { a.On = "os"; return true }), open, "not tried"},
		{"env.git-identity", "no name", outcome(main, U, "env.git", "git config --get", "user.name", "error"), fail, "user.name"},
		{"env.git-identity", "no git", outcome(main, U, "env.git", "git config --get", "user.email", "ENOENT"), fail, "PATH"},
		{"env.git-identity", "another address", weak(func(p *policy.Policy) { p.Environment.Git.UserEmail = "^nobody@nowhere$" }), fail, "user.email"},
		{"env.git-identity", "not asked", attempts(main, U, "env.git", func(a *probe.Attempt) bool { a.Act = "x"; return true }), open, "asked"},
		{"env.git-noninteractive", "it asks", outcome(main, U, "env.git", "git ls-remote with a terminal", "", "prompted"), fail, "prompted"},
		{"env.git-noninteractive", "it hangs", outcome(main, U, "env.git", "git ls-remote with a terminal", "", "hung"), fail, "hung"},
		{"env.git-noninteractive", "the server was never asked", controls(main, U, "env.git", "error"), open, "control"},
		{"env.git-noninteractive", "no git", outcome(main, U, "env.git", "git ls-remote with a terminal", "", "ENOENT"), fail, "PATH"},

		{"secrets.environment", "in the declared environment", func(in *check.Input) {
			in.Twins[main].Declared.Env = append(in.Twins[main].Declared.Env, "DB_PASSWORD=hunter2hunter2")
		}, fail, "DB_PASSWORD"},
		{"secrets.environment", "in a process", add(main, R, "secrets.env", probe.Attempt{Act: "found", On: "pid 7 TOKEN", OK: true, Note: "GitHub token, 40 bytes, hash 01234567"}), fail, "pid 7"},
		{"secrets.environment", "a declared variable is not seen", fact(main, U, "secrets.env", "variable:PATH", ""), open, "control"},

		{"secrets.files", "the user reads one", add(main, U, "secrets.files", probe.Attempt{Act: "found", On: "/home/a/.netrc", OK: true, Note: "under the key password, 9 bytes, hash 01234567"}), fail, "/home/a/.netrc (under"},
		{"secrets.files", "uid 0 reads one", add(main, R, "secrets.files", probe.Attempt{Act: "found", On: "/run/secrets/x", OK: true, Note: "mounted as a secret"}), fail, "/run/secrets/x"},
		{"secrets.files", "one that is closed to both", both(add(main, U, "secrets.files", probe.Attempt{Act: "read", On: "/home/b/.netrc", Errno: "EACCES"}),
			add(main, R, "secrets.files", probe.Attempt{Act: "read", On: "/home/b/.netrc", Errno: "EACCES"})), pass, "no credential"},
		{"secrets.files", "the user does not find the planted key", controls(main, U, "secrets.files", "ENOENT"), open, "control failed"},
		{"secrets.files", "uid 0 does not", controls(main, R, "secrets.files", "ENOENT"), open, "as auditor"},
		{"secrets.image", "in a variable", func(in *check.Input) { in.Image.Env = append(in.Image.Env, "API_TOKEN=hunter2hunter2") }, fail, "ENV API_TOKEN"},
		{"secrets.image", "in a label", func(in *check.Input) { in.Image.Labels["com.example.api-key"] = "hunter2hunter2" }, fail, "LABEL com.example.api-key"},
		{"secrets.image", "a revision in a label", func(in *check.Input) {
			in.Image.Labels["vcs.ref"] = "3b4668b0f1e2d3c4b5a697887766554433221100"
		}, pass, "nothing"},
		{"secrets.image", "a build argument", func(in *check.Input) {
			in.Image.History = append(in.Image.History, "RUN |1 NPM_TOKEN=hunter2hunter2 /bin/sh -c npm ci # buildkit")
		}, fail, "history NPM_TOKEN"},
		{"secrets.image", "a random build argument", func(in *check.Input) {
			in.Image.History = append(in.Image.History, "ARG THING=q7Zx9Lm2Vt4Bn8Kw3Rs6Yp1Hd5Jf0Gc")
		}, fail, "history THING"},
		{"secrets.image", "a checksum in a command", func(in *check.Input) {
			in.Image.History = append(in.Image.History, "RUN /bin/sh -c want=q7Zx9Lm2Vt4Bn8Kw3Rs6Yp1Hd5Jf0Gc TOKEN=$(cat /run/secrets/t) make")
		}, pass, "nothing"},
		{"secrets.image", "nothing is reported", func(in *check.Input) { in.Image = check.Image{} }, open, "control failed"},
		{"secrets.image", "a directory", func(in *check.Input) { in.Image = check.Image{Directory: true} }, na, "directory"},
		{"secrets.canary", "the variable, as uid 0", add(main, R, "secrets.canary", probe.Attempt{Act: "find the variable in", On: "pid 7", OK: true}), fail, "pid 7"},
		{"secrets.canary", "the file, as the user", outcome(main, U, "secrets.canary", "find the file in", "/home/claude-agent/workspace", ""), fail, "the file in /home/claude-agent/workspace"},
		{"secrets.canary", "its directory is mounted, says the engine", func(in *check.Input) {
			d := &in.Twins[main].Declared
			d.Mounts = append(d.Mounts, spec.Mount{Kind: spec.Bind, Source: "/home/me/", Target: "/mnt"})
			in.Planted.Home = []string{"/home/me/.cache/x"}
		}, fail, "/home/me/ at /mnt"},
		{"secrets.canary", "a neighbour is mounted", func(in *check.Input) {
			d := &in.Twins[main].Declared
			d.Mounts = append(d.Mounts, spec.Mount{Kind: spec.Bind, Source: "/home/me", Target: "/mnt"})
			in.Planted.Home = []string{"/home/meg/.cache/x"}
		}, pass, "were"},
		{"secrets.canary", "a mount that is closed to both", both(outcome(main, U, "secrets.canary", "find the file in", "/home/claude-agent/workspace", "EACCES"),
			outcome(main, R, "secrets.canary", "find the file in", "/home/claude-agent/workspace", "EACCES")), pass, "were"},
		{"secrets.canary", "the copies are not found", controls(main, U, "secrets.canary", "ENOENT"), open, "control failed"},
		{"secrets.canary", "nor by uid 0", controls(main, R, "secrets.canary", "ENOENT"), open, "as auditor"},
		{"secrets.canary", "no mount was looked through", attempts(main, R, "secrets.canary", func(a *probe.Attempt) bool {
			a.Errno = strings.Replace(a.Errno, "ENOENT", "EIO", 1)
			return true
		}), open, "nothing was looked for"},

		{"net.no-route", "a way to the metadata service", outcome(main, U, "net.route", "route to", "169.254.169.254", ""), fail, "169.254.169.254"},
		{"net.no-route", "none to loopback", controls(main, U, "net.route", "ENETUNREACH"), open, "control"},
		{"net.no-route", "another answer", outcome(main, U, "net.route", "route to", "1.1.1.1", "ENOMEM"), open, "1.1.1.1 (ENOMEM)"},
		{"net.no-route", "no such protocol for any", outcome(main, U, "net.route", "route to", "", "EAFNOSUPPORT"), open, "nothing was asked"},
		{"net.no-route", "a bridge asked for", weak(func(p *policy.Policy) { p.Network = policy.NetworkBridge }), fail, "policy itself"},
		{"net.host-unreachable", "one is reached", func(in *check.Input) {
			outcome(main, U, "net.host", "connect tcp", in.Planted.Listeners[0], "")(in)
		}, fail, "reached at"},
		{"net.host-unreachable", "no listener inside is", controls(main, U, "net.host", "ECONNREFUSED"), open, "control"},
		{"net.host-unreachable", "one does not answer", outcome(main, U, "net.host", "connect tcp", "", "ETIMEDOUT"), open, "ETIMEDOUT"},
		{"net.host-unreachable", "one was not tried", func(in *check.Input) { in.Planted.Listeners = append(in.Planted.Listeners, "192.0.2.77:1") }, open, "not tried"},
		{"net.host-unreachable", "nobody listens", func(in *check.Input) { in.Planted.ListenNote = "the engine runs on another host" }, na, "another host"},
		{"net.host-unreachable", "a network, where nobody listens", func(in *check.Input) {
			in.Planted.ListenNote, in.Twins[main].Declared.Network = "not dialled", "macvlan1"
		}, fail, "was not told"},
		{"net.no-dns", "a way to the resolver", outcome(main, U, "net.dns", "route to", "", ""), fail, "resolver"},
		{"net.no-dns", "nothing inside is reached", controls(main, U, "net.dns", "ECONNREFUSED"), open, "control"},
		{"net.no-dns", "another answer", outcome(main, U, "net.dns", "route to", "", "EIO"), open, "EIO"},

		{"kernel.syscall-filter", "keyctl works", outcome(main, U, "syscall.filter", "keyctl", "", ""), fail, "keyctl"},
		{"kernel.syscall-filter", "refused for other reasons", attempts(main, U, "syscall.filter", func(a *probe.Attempt) bool { a.OK, a.Errno = false, "ENOSYS"; return true }), open, "no call"},
		{"kernel.syscall-filter", "refused without a filter too", attempts(isolate, U, "syscall.filter", func(a *probe.Attempt) bool { a.OK, a.Errno = false, "EPERM"; return true }), open, "no call"},
		{"kernel.syscall-filter", "unconfined asked for", weak(func(p *policy.Policy) { p.Seccomp = policy.SeccompUnconfined }), fail, "policy itself"},
		{"kernel.syscall-filter", "kernel has none", kern(func(k *kernel.State) { k.Seccomp = 0 }), fail, "kernel"},
		{"net.no-interface", "another interface", fact(main, U, "net.interfaces", "interfaces", "lo eth0"), fail, "other interfaces"},
		{"net.no-interface", "none at all", fact(main, U, "net.interfaces", "interfaces", "eth0"), open, "control"},
		{"net.no-interface", "a bridge asked for", weak(func(p *policy.Policy) { p.Network = policy.NetworkBridge }), fail, "policy itself"},

		{"ns.pid", "the kernel's first", outcome(main, U, "namespaces", "be in the kernel's first namespace", "pid", ""), fail, "began with"},
		{"ns.pid", "this host's", func(in *check.Input) { fact(main, U, "namespaces", "id:pid", in.Host["pid"])(in) }, fail, "the host's"},
		{"ns.pid", "no identity", fact(main, U, "namespaces", "id:pid", ""), open, "could not be read"},
		{"ns.pid", "the kernel says the host's", func(in *check.Input) { in.Twins[main].Kernel.Namespaces["pid"] = in.Host["pid"] }, fail, "kernel"},
		{"ns.net", "the kernel's first", outcome(main, U, "namespaces", "be in the kernel's first namespace", "net", ""), fail, "began with"},
		{"ns.net", "this host's", func(in *check.Input) { fact(main, U, "namespaces", "id:net", in.Host["net"])(in) }, fail, "the host's"},
		{"ns.net", "no identity", fact(main, U, "namespaces", "id:net", ""), open, "could not be read"},
		{"ns.net", "the kernel says the host's", func(in *check.Input) { in.Twins[main].Kernel.Namespaces["net"] = in.Host["net"] }, fail, "kernel"},
		{"ns.ipc", "the kernel's first", outcome(main, U, "namespaces", "be in the kernel's first namespace", "ipc", ""), fail, "began with"},
		{"ns.ipc", "this host's", func(in *check.Input) { fact(main, U, "namespaces", "id:ipc", in.Host["ipc"])(in) }, fail, "the host's"},
		{"ns.ipc", "no identity", fact(main, U, "namespaces", "id:ipc", ""), open, "could not be read"},
		{"ns.ipc", "the kernel says the host's", func(in *check.Input) { in.Twins[main].Kernel.Namespaces["ipc"] = in.Host["ipc"] }, fail, "kernel"},
		{"ns.uts", "the kernel's first", outcome(main, U, "namespaces", "be in the kernel's first namespace", "uts", ""), fail, "began with"},
		{"ns.uts", "this host's", func(in *check.Input) { fact(main, U, "namespaces", "id:uts", in.Host["uts"])(in) }, fail, "the host's"},
		{"ns.uts", "no identity", fact(main, U, "namespaces", "id:uts", ""), open, "could not be read"},
		{"ns.uts", "the kernel says the host's", func(in *check.Input) { in.Twins[main].Kernel.Namespaces["uts"] = in.Host["uts"] }, fail, "kernel"},
		{"ns.mnt", "the kernel's first", outcome(main, U, "namespaces", "be in the kernel's first namespace", "mnt", ""), fail, "began with"},
		{"ns.mnt", "this host's", func(in *check.Input) { fact(main, U, "namespaces", "id:mnt", in.Host["mnt"])(in) }, fail, "the host's"},
		{"ns.mnt", "no identity", fact(main, U, "namespaces", "id:mnt", ""), open, "could not be read"},
		{"ns.mnt", "the kernel says the host's", func(in *check.Input) { in.Twins[main].Kernel.Namespaces["mnt"] = in.Host["mnt"] }, fail, "kernel"},
		{"ns.cgroup", "the kernel's first", outcome(main, U, "namespaces", "be in the kernel's first namespace", "cgroup", ""), fail, "began with"},
		{"ns.cgroup", "this host's", func(in *check.Input) { fact(main, U, "namespaces", "id:cgroup", in.Host["cgroup"])(in) }, fail, "the host's"},
		{"ns.cgroup", "no identity", fact(main, U, "namespaces", "id:cgroup", ""), open, "could not be read"},
		{"ns.cgroup", "the kernel says the host's", func(in *check.Input) { in.Twins[main].Kernel.Namespaces["cgroup"] = in.Host["cgroup"] }, fail, "kernel"},
		{"ns.pid", "another first process", outcome(main, U, "namespaces", "find another first process", "", ""), fail, "process 1"},
		{"ns.pid", "another container's", func(in *check.Input) { in.Twins[main].Declared.PIDMode = "container:x" }, open, "joins"},
		{"ns.pid", "another container's, which is read", func(in *check.Input) {
			in.Twins[main].Declared.PIDMode = "container:x"
			in.Original = &check.Original{Host: in.Host, Kernel: &kernel.State{Namespaces: map[string]string{"pid": "pid:[7]"}}}
		}, pass, "not the host's"},
		{"ns.pid", "another container's, which has the host's", func(in *check.Input) {
			in.Twins[main].Declared.PIDMode = "container:x"
			in.Original = &check.Original{Host: in.Host, Kernel: &kernel.State{Namespaces: map[string]string{"pid": in.Host["pid"]}}}
		}, fail, "kernel"},
		{"ns.net", "a setting of the host's", outcome(main, U, "namespaces", "find a setting of the host's network", "", ""), fail, "the host's"},
		{"ns.net", "no setting at all", controls(main, U, "namespaces", "ENOENT"), open, "control"},
		{"ns.mnt", "its own mount is not there", controls(main, U, "namespaces", "ENOENT"), open, "control"},
		{"ns.cgroup", "its place is seen", outcome(main, U, "namespaces", "see where in the host's tree its cgroup is", "", ""), fail, "place"},
		{"mounts.no-runtime-socket", "the user connects", add(main, U, "sockets", probe.Attempt{Act: "connect", On: "/run/docker.sock", OK: true}), fail, "/run/docker.sock"},
		{"mounts.no-runtime-socket", "uid 0 connects", add(main, R, "sockets", probe.Attempt{Act: "connect", On: "@x", OK: true}), fail, "@x"},
		{"mounts.no-runtime-socket", "refused", add(main, R, "sockets", probe.Attempt{Act: "connect", On: "/s", Errno: "EACCES"}), pass, "refused"},
		{"mounts.no-runtime-socket", "its own", add(main, U, "sockets", probe.Attempt{Act: "connect to a socket of this container's own", On: "/s", OK: true}), pass, ""},
		{"mounts.no-runtime-socket", "neither", add(main, R, "sockets", probe.Attempt{Act: "connect", On: "/s", Errno: "EMFILE"}), open, "EMFILE"},
		{"mounts.no-runtime-socket", "control refused", controls(main, U, "sockets", "EPERM"), open, "control"},
		{"mounts.no-runtime-socket", "nowhere looked", fact(main, R, "sockets", "looked", "0"), open, "no place"},
		{"mounts.no-runtime-socket", "cut short", fact(main, R, "fs.sweep", "truncated", "true"), open, "cut short"},
		{"mounts.no-runtime-socket", "a directory that holds its place", func(in *check.Input) {
			d := &in.Twins[main].Declared
			d.Mounts = append(d.Mounts, spec.Mount{Kind: spec.Bind, Source: "/run", Target: "/r"})
		}, fail, "/run at /r"},
		{"mounts.no-host-path", "one more", add(main, U, "mounts", probe.Attempt{Act: "look at a mount", On: "/data", OK: true, Note: "directory, ext4"}), fail, "/data"},
		{"mounts.no-host-path", "one that cannot be entered", add(main, U, "mounts", probe.Attempt{Act: "look at a mount", On: "/data", Errno: "EACCES"}), fail, "/data"},
		{"mounts.no-host-path", "an empty tmpfs", func(in *check.Input) {
			add(main, U, "mounts", probe.Attempt{Act: "look at a mount", On: "/t", OK: true})(in)
			fact(main, U, "mounts", "fstype:/t", "tmpfs")(in)
			fact(main, U, "mounts", "entries:/t", "0")(in)
		}, pass, ""},
		{"mounts.no-host-path", "a tmpfs with something in it", func(in *check.Input) {
			add(main, U, "mounts", probe.Attempt{Act: "look at a mount", On: "/t", OK: true})(in)
			fact(main, U, "mounts", "fstype:/t", "tmpfs")(in)
			fact(main, U, "mounts", "entries:/t", "3")(in)
		}, fail, "/t"},
		{"mounts.no-host-path", "a copy of what the image has at /run", mounted("/run", copied), pass, ""},
		{"mounts.no-host-path", "the host's own /run", mounted("/run", copied, func(in *check.Input) { in.HostDevices = []string{"0:1", "0:99"} }), fail, "/run"},
		{"mounts.no-host-path", "a copy, and no table of the host's", mounted("/run", copied, func(in *check.Input) { in.HostDevices = nil }), open, "/run"},
		{"mounts.no-host-path", "a copy of unknown number", mounted("/run", copied, fact(main, U, "mounts", "device:/run", "")), open, "/run"},
		{"mounts.no-host-path", "a copy, and one more", mounted("/run", copied, func(in *check.Input) { in.HostDevices = nil },
			add(main, U, "mounts", probe.Attempt{Act: "look at a mount", On: "/data", OK: true})), fail, "/data"},
		{"mounts.no-host-path", "a writable one at /run", mounted("/run", copied, fact(main, U, "mounts", "access:/run", "rw")), fail, "/run"},
		{"mounts.no-host-path", "a part of one at /run", mounted("/run", copied, fact(main, U, "mounts", "root:/run", "/user/0")), fail, "/run"},
		{"mounts.no-host-path", "a disk at /run", mounted("/run", copied, fact(main, U, "mounts", "fstype:/run", "ext4")), fail, "/run"},
		{"mounts.no-host-path", "a copy at /srv", mounted("/srv", copied), fail, "/srv"},
		{"mounts.no-host-path", "Podman's passwd", func(in *check.Input) {
			add(main, U, "mounts", probe.Attempt{Act: "look at a mount", On: "/etc/passwd", OK: true})(in)
			fact(main, U, "mounts", "kind:/etc/passwd", "file")(in)
			fact(main, U, "mounts", "root:/etc/passwd", "/home/u/containers/abc/userdata/passwd")(in)
		}, pass, ""},
		{"mounts.no-host-path", "the host's passwd", func(in *check.Input) {
			add(main, U, "mounts", probe.Attempt{Act: "look at a mount", On: "/etc/passwd", OK: true})(in)
			fact(main, U, "mounts", "kind:/etc/passwd", "file")(in)
			fact(main, U, "mounts", "root:/etc/passwd", "/etc/passwd")(in)
		}, fail, "/etc/passwd"},
		{"mounts.no-host-path", "another file system over /dev/shm", fact(main, U, "mounts", "fstype:/dev/shm", "ext4"), fail, "/dev/shm"},
		{"mounts.no-host-path", "a directory in a file's place", fact(main, U, "mounts", "kind:/etc/hosts", "directory"), fail, "/etc/hosts"},
		{"mounts.no-host-path", "a system directory asked for", func(in *check.Input) { in.Wanted.Mounts[0].Source = "/etc" }, fail, "policy itself"},
		{"mounts.no-host-path", "a home asked for", func(in *check.Input) { in.Wanted.Mounts[0].Source = "/home/me/" }, fail, "policy itself"},
		{"mounts.no-host-path", "a project in a home asked for", func(in *check.Input) { in.Wanted.Mounts[0].Source = "/home/me/project" }, pass, ""},
		{"mounts.no-host-path", "the engine mounts another", func(in *check.Input) {
			d := &in.Twins[main].Declared
			d.Mounts = append(d.Mounts, spec.Mount{Kind: spec.Bind, Source: "/srv", Target: "/srv"})
		}, fail, "/srv at /srv"},
		{"mounts.no-host-path", "its own mount is not there", controls(main, U, "mounts", "ENOENT"), open, "control"},
		{"mounts.no-host-path", "cut short", fact(main, U, "mounts", "truncated", "true"), open, "as a whole"},
		{"mounts.private-propagation", "a shared one", add(main, U, "mounts", probe.Attempt{Act: "find a shared mount", On: "/data", OK: true}), fail, "/data is shared"},
		{"mounts.private-propagation", "one that follows", add(main, U, "mounts", probe.Attempt{Act: "find a mount that follows another", On: "/data", OK: true}), fail, "/data follows"},
		{"mounts.private-propagation", "the root follows", add(main, U, "mounts", probe.Attempt{Act: "find a mount that follows another", On: "/", OK: true}), pass, ""},
		{"mounts.private-propagation", "kernel has a shared one", kern(func(k *kernel.State) { k.Mounts[0].Propagation = []string{"shared:1"} }), fail, "kernel"},
		{"mounts.private-propagation", "kernel has one that follows", kern(func(k *kernel.State) {
			k.Mounts = append(k.Mounts, kernel.Mount{Target: "/data", Propagation: []string{"master:1"}})
		}), fail, "kernel"},
		{"mounts.private-propagation", "the reader finds none", controls(main, U, "mounts", "own"), open, "control"},
		{"mounts.private-propagation", "not listed", fact(main, U, "mounts", "peer groups", "not listed"), open, "does not say"},
		{"mounts.private-propagation", "no mount looked at", fact(main, U, "mounts", "mounts", "0"), open, "no mount"},

		{"run.clean-exit", "a lost code", func(in *check.Input) { in.Exits[0].Got = 0 }, fail, "42"},
		{"run.clean-exit", "a lost last line", func(in *check.Input) { in.Exits[1].StdoutComplete = false }, fail, "last line"},
		{"run.clean-exit", "left behind", func(in *check.Input) { in.Exits[1].Left = true }, fail, "still there"},
		{"run.clean-exit", "not observed", func(in *check.Input) { in.Exits[0].Problem = "no answer" }, open, "no answer"},
		{"run.clean-exit", "only one code", func(in *check.Input) { in.Exits = in.Exits[:1] }, open, "both"},
		{"run.clean-exit", "none", func(in *check.Input) { in.Exits = nil }, open, "both"},

		{"proc.masked", "the user reads keys", outcome(main, U, "proc.masked", "read", "/proc/keys", ""), fail, "/proc/keys"},
		{"proc.masked", "uid 0 lists firmware", outcome(main, R, "proc.masked", "read", "/sys/firmware", ""), fail, "/sys/firmware"},
		{"proc.masked", "another /proc is there", add(main, U, "proc.masked", probe.Attempt{Act: "access for reading", On: "/host/proc/keys", OK: true}), fail, "/host/proc/keys"},
		{"proc.masked", "the control is not read", controls(main, U, "proc.masked", "EACCES"), open, "control"},
		{"proc.masked", "the control is not read in the twin without masks", controls(isolate, R, "proc.masked", "EACCES"), open, "control"},
		{"proc.masked", "refused by the mode only", func(in *check.Input) {
			outcome(main, U, "proc.masked", "read", "", "EACCES")(in)
			outcome(main, R, "proc.masked", "read", "", "EPERM")(in)
		}, open, "both hidden here"},
		{"proc.masked", "nothing in the twin without masks either", outcome(isolate, R, "proc.masked", "read", "", "empty"), open, "both hidden here"},
		{"proc.masked", "kernel has no mask", unmounted("/proc/keys"), fail, "kernel"},
		{"proc.masked", "declared unmasked", told(func(c *spec.Container) { c.Unmasked = true }), fail, "was not told"},
		{"proc.masked", "declared privileged", told(func(c *spec.Container) { c.Privileged = true }), fail, "privileged"},
		{"proc.masked", "the host's root is mounted", told(bound("/", "/host", true)), fail, "/ of the host mounted at /host"},
		{"proc.masked", "another directory is mounted", told(bound("/proc/sys", "/host", true)), pass, ""},
		{"proc.masked", "an engine that does not say", func(in *check.Input) {
			in.Twins[main].Undeclared = append(in.Twins[main].Undeclared, "unmasked")
		}, pass, ""},

		{"proc.sys-read-only", "core_pattern opens", outcome(main, R, "proc.write", "open for writing", "/proc/sys/kernel/core_pattern", ""), fail, "core_pattern"},
		{"proc.sys-read-only", "irq may be written", outcome(main, R, "proc.write", "ask to write", "/proc/irq/default_smp_affinity", ""), fail, "irq"},
		{"proc.sys-read-only", "a part mounted writable", outcome(main, R, "proc.write", "find mounted for writing", "/proc/bus", ""), fail, "/proc/bus"},
		{"proc.sys-read-only", "another /proc/sys", add(main, R, "proc.write", probe.Attempt{Act: "access for writing", On: "/host/kernel/core_pattern", OK: true}), fail, "/host"},
		{"proc.sys-read-only", "refused by the mode only", func(in *check.Input) {
			outcome(main, R, "proc.write", "open for writing", "", "EACCES")(in)
			outcome(main, R, "proc.write", "ask to write", "", "EACCES")(in)
			outcome(main, R, "proc.write", "find mounted for writing", "", "EACCES")(in)
		}, open, "because of the mount"},
		{"proc.sys-read-only", "control refused", controls(main, R, "proc.write", "EROFS"), open, "control"},
		{"proc.sys-read-only", "kernel has it rw", without("/proc/sys", "ro"), fail, "kernel"},
		{"proc.sys-read-only", "kernel has no mount", unmounted("/proc/sys"), fail, "no mount of its own"},
		{"proc.sys-read-only", "the host's is mounted rw", told(bound("/proc/sys/kernel", "/host", false)), fail, "/proc/sys/kernel of the host"},
		{"proc.sys-read-only", "the host's is mounted ro", told(bound("/proc", "/host", true)), pass, ""},

		{"sys.read-only", "a knob opens", outcome(main, R, "sys.write", "open for writing", "/sys/kernel/profiling", ""), fail, "/sys/kernel/profiling"},
		{"sys.read-only", "another /sys", add(main, R, "sys.write", probe.Attempt{Act: "access for writing", On: "/host/kernel", OK: true}), fail, "/host/kernel"},
		{"sys.read-only", "control refused", controls(main, R, "sys.write", "EROFS"), open, "control"},
		{"sys.read-only", "only the mount's flag", func(in *check.Input) {
			outcome(main, R, "sys.write", "open for writing", "", "EACCES")(in)
			outcome(main, R, "sys.write", "ask to write", "", "EACCES")(in)
		}, pass, "no attempt could show it"},
		{"sys.read-only", "kernel has it rw", kern(func(k *kernel.State) {
			for i := range k.Mounts {
				if k.Mounts[i].Target == "/sys" {
					k.Mounts[i].Options, k.Mounts[i].SuperOptions = []string{"rw"}, []string{"rw"}
				}
			}
		}), fail, "kernel"},
		{"sys.read-only", "the host's is mounted rw", told(bound("/sys", "/host", false)), fail, "/sys of the host"},
		{"sys.read-only", "the host's cgroups are mounted rw", told(bound("/sys/fs/cgroup", "/host", false)), pass, ""},

		{"cgroup.read-only", "a limit opens", attempts(main, R, "cgroup.write", func(a *probe.Attempt) bool {
			a.OK = a.OK || strings.HasSuffix(a.On, "/cgroup.procs")
			return true
		}), fail, "cgroup.procs"},
		{"cgroup.read-only", "another hierarchy", add(main, R, "cgroup.write", probe.Attempt{Act: "access for writing", On: "/host/release_agent", OK: true}), fail, "release_agent"},
		{"cgroup.read-only", "control refused", controls(main, R, "cgroup.write", "EROFS"), open, "control"},
		{"cgroup.read-only", "none mounted", fact(main, R, "cgroup.write", "hierarchies", "0"), na, "no cgroup"},
		{"cgroup.read-only", "none mounted, privileged", func(in *check.Input) {
			fact(main, R, "cgroup.write", "hierarchies", "0")(in)
			told(func(c *spec.Container) { c.Privileged = true })(in)
		}, fail, "privileged"},
		{"cgroup.read-only", "kernel has one rw", kern(func(k *kernel.State) {
			k.Mounts = append(k.Mounts, kernel.Mount{ID: 9999, Parent: k.Mounts[0].ID, Target: "/host", FSType: "cgroup2", Options: []string{"rw"}})
		}), fail, "/host mounted rw"},

		{"dev.allowlist", "the user finds a disk", add(main, U, "dev.list", probe.Attempt{Act: "use a node", On: "/dev/sda", Note: "b 8:0", Errno: "EACCES"}), fail, "/dev/sda (b 8:0), EACCES for user"},
		{"dev.allowlist", "a device that looks like a terminal", add(main, R, "dev.list", probe.Attempt{Act: "use a node", On: "/dev/x", Note: "c 144:0", OK: true}), fail, "c 144:0"},
		{"dev.allowlist", "a disk that looks like a terminal", add(main, R, "dev.list", probe.Attempt{Act: "use a node", On: "/dev/x", Note: "b 136:0", OK: true}), fail, "b 136:0"},
		{"dev.allowlist", "a terminal", add(main, U, "dev.list", probe.Attempt{Act: "use a node", On: "/dev/pts/0", Note: "c 136:0", OK: true}), pass, ""},
		{"dev.allowlist", "tun in /dev", add(main, U, "dev.list", probe.Attempt{Act: "use a node", On: "/dev/net/tun", Note: "c 10:200", OK: true}), fail, "tun"},
		{"dev.allowlist", "the device cgroup allows the log", outcome(isolate, R, "dev.make", "use a node", "c 1:11", ""), fail, "c 1:11 in the isolate twin"},
		{"dev.allowlist", "a disk's node is made, and may be used", add(main, R, "dev.make", probe.Attempt{Act: "use a node", On: "b 7:0", OK: true}), fail, "b 7:0 in the main twin"},
		{"dev.allowlist", "a disk's node is made, and may not be used", func(in *check.Input) {
			outcome(main, R, "dev.make", "mknod", "", "")(in)
			add(main, R, "dev.make", probe.Attempt{Act: "use a node", On: "b 7:0", Errno: "EPERM"})(in)
		}, pass, ""},
		{"dev.allowlist", "null may not be used", attempts(isolate, R, "dev.make", func(a *probe.Attempt) bool {
			if a.Control && a.Act == "use a node" {
				a.OK = false
			}
			return true
		}), open, "control"},
		{"dev.allowlist", "/dev/null does not open", controls(main, U, "dev.list", "EPERM"), open, "control"},
		{"dev.allowlist", "too many nodes", func(in *check.Input) {
			o := in.Twins[main].Seen[R]["dev.list"]
			o.Facts = map[string]string{"truncated": "true"}
			in.Twins[main].Seen[R]["dev.list"] = o
		}, open, "too many"},
		{"dev.allowlist", "no file either", controls(main, R, "dev.make", "EROFS"), open, "control"},
		{"dev.allowlist", "no node can be made in this user namespace", attempts(isolate, R, "dev.make", func(a *probe.Attempt) bool {
			if a.Act != "create" {
				*a = probe.Attempt{Act: "mknod", On: "b 7:0", Errno: "EPERM"}
			}
			return true
		}), pass, "no node can be made"},
		{"dev.allowlist", "one is declared", told(func(c *spec.Container) { c.Devices = []string{"/dev/kvm"} }), fail, "/dev/kvm"},
		{"dev.allowlist", "a graphics card is declared", func(in *check.Input) {
			in.Twins[main].Other = append(in.Twins[main].Other, "device-request=nvidia")
		}, fail, "nvidia"},

		{"stack.combined", "one broken", func(in *check.Input) { in.Results["x"] = check.Result{Verdict: check.Fail} }, fail, "x"},
		{"stack.combined", "one open", func(in *check.Input) { in.Results["x"] = check.Result{Verdict: check.Inconclusive} }, open, "x"},
		{"stack.combined", "a part was left out", func(in *check.Input) { in.LeftOut = 3 }, na, "3 rows"},
		{"stack.combined", "one accepted", func(in *check.Input) { in.Results["x"] = check.Result{Verdict: check.Accepted} }, pass, "x"},
		{"stack.combined", "none at all", func(in *check.Input) { in.Results = nil }, open, ""},

		{"kernel.no-user-namespace", "unshare is reached", swept(main, "unshare", "EINVAL"), fail, "unshare"},
		{"kernel.no-user-namespace", "not swept without a filter", gone(isolate, U, "syscall.sweep"), open, "reported nothing"},
		{"kernel.no-mount", "mount is reached", swept(main, "mount", "EINVAL"), fail, "mount"},
		{"kernel.no-mount", "not swept without a filter", gone(isolate, U, "syscall.sweep"), open, "reported nothing"},
		{"kernel.no-bpf", "bpf is reached", swept(main, "bpf", "EINVAL"), fail, "bpf"},
		{"kernel.no-bpf", "not swept without a filter", gone(isolate, U, "syscall.sweep"), open, "reported nothing"},
		{"kernel.no-perf", "perf_event_open is reached", swept(main, "perf_event_open", "EINVAL"), fail, "perf_event_open"},
		{"kernel.no-perf", "not swept without a filter", gone(isolate, U, "syscall.sweep"), open, "reported nothing"},
		{"kernel.no-io-uring", "io_uring_enter is reached", swept(main, "io_uring_enter", "EINVAL"), fail, "io_uring_enter"},
		{"kernel.no-io-uring", "not swept without a filter", gone(isolate, U, "syscall.sweep"), open, "reported nothing"},
		{"kernel.no-userfaultfd", "userfaultfd is reached", swept(main, "userfaultfd", "EINVAL"), fail, "userfaultfd"},
		{"kernel.no-userfaultfd", "not swept without a filter", gone(isolate, U, "syscall.sweep"), open, "reported nothing"},
		{"kernel.no-keyring", "add_key is reached", swept(main, "add_key", "EINVAL"), fail, "add_key"},
		{"kernel.no-keyring", "not swept without a filter", gone(isolate, U, "syscall.sweep"), open, "reported nothing"},
		{"kernel.no-handle-open", "open_by_handle_at is reached", swept(main, "open_by_handle_at", "EINVAL"), fail, "open_by_handle_at"},
		{"kernel.no-handle-open", "not swept without a filter", gone(isolate, U, "syscall.sweep"), open, "reported nothing"},
		{"kernel.no-modules-kexec", "init_module is reached", swept(main, "init_module", "EINVAL"), fail, "init_module"},
		{"kernel.no-modules-kexec", "not swept without a filter", gone(isolate, U, "syscall.sweep"), open, "reported nothing"},
		{"kernel.no-modules-kexec", "a module could be loaded", outcome(isolate, R, "kernel.caps", "init_module of nothing", "modules", ""), fail, "init_module of nothing"},
		{"kernel.no-handle-open", "the capability opens it", outcome(isolate, R, "kernel.caps", "open_by_handle_at", "handles", ""), fail, "open_by_handle_at"},
		{"kernel.no-mount", "the capability mounts", outcome(isolate, R, "kernel.caps", "mount a tmpfs with an impossible option", "mount", ""), fail, "mount a tmpfs"},
		{"kernel.no-mount", "refused oddly", outcome(main, U, "kernel.free", "mount in a user namespace of its own", "mount", "EIO"), open, "neither"},
		{"kernel.no-user-namespace", "clone makes one", outcome(main, U, "kernel.free", "clone into a user namespace", "user namespace", ""), fail, "clone"},
		{"kernel.no-keyring", "keyctl answers", outcome(main, U, "kernel.free", "keyctl for its own keyring", "keyring", ""), fail, "keyctl"},
		{"kernel.no-bpf", "refused everywhere, the kernel says why", swept(isolate, "bpf", "EPERM"), pass, "own account"},
		{"kernel.no-bpf", "refused everywhere, no kernel account", both(swept(isolate, "bpf", "EPERM"), func(in *check.Input) { in.Twins[main].Kernel = nil }), pass, "only the engine"},
		{"kernel.no-bpf", "refused everywhere, and no filter", both(swept(isolate, "bpf", "EPERM"), kern(func(k *kernel.State) { k.Seccomp = 0 })), fail, "kernel does not"},
		{"kernel.no-bpf", "a kernel without it", both(swept(main, "bpf", "ENOSYS"), swept(isolate, "bpf", "ENOSYS")), na, "none of it"},
		{"kernel.no-io-uring", "the filter kills", both(swept(main, "io_uring_setup", probe.Killed), swept(main, "io_uring_enter", probe.Killed)), pass, "3 acts"},
		{"kernel.socket-families", "AF_ALG opens", outcome(main, U, "kernel.free", "socket(AF_ALG)", "sockets", ""), fail, "AF_ALG"},
		{"kernel.socket-families", "a packet socket opens", outcome(exhaust, R, "net.packet", "socket(AF_PACKET)", "", ""), fail, "AF_PACKET"},
		{"kernel.socket-families", "refused oddly", outcome(main, U, "kernel.free", "socket(AF_VSOCK)", "sockets", "EMFILE"), open, "AF_VSOCK"},
		{"kernel.syscall-surface", "one more call", swept(main, "io_uring_setup", "EFAULT"), fail, "io_uring_setup"},
		{"kernel.syscall-surface", "nothing is freer without a filter", func(in *check.Input) {
			in.Twins[isolate].Seen[U]["syscall.sweep"] = in.Twins[main].Seen[U]["syscall.sweep"]
		}, open, "no call was both"},
		{"kernel.syscall-surface", "the sweeps differ", swept(isolate, "bpf", ""), open, "control"},
		{"kernel.no-ptrace-across", "it attaches", outcome(isolate, R, "kernel.caps", "read another user's process", "ptrace", ""), fail, "read another"},
		{"kernel.no-ptrace-across", "nobody to try it on", outcome(isolate, R, "kernel.caps", "read another user's process", "ptrace", "ESRCH"), open, "neither"},
		{"kernel.no-ptrace-across", "its own child cannot be traced either", controls(isolate, R, "kernel.caps", "EPERM"), pass, "own account"},
		{"kernel.lsm", "confined", label("docker-default (enforce)"), pass, "docker-default"},
		{"kernel.lsm", "by SELinux", label("system_u:system_r:container_t:s0:c1,c2"), pass, "container_t"},
		{"kernel.lsm", "unconfined", label("unconfined"), fail, "kernel does not"},
		{"kernel.lsm", "another's words for it", label("crun (unconfined)"), fail, "kernel does not"},
		{"kernel.lsm", "complain mode", label("docker-default (complain)"), fail, "kernel does not"},
		{"kernel.lsm", "unconfined by SELinux", label("unconfined_u:unconfined_r:spc_t:s0"), fail, "kernel does not"},
		{"kernel.lsm", "only the guest sees it", fact(main, U, "kernel.free", "lsm", "unconfined"), fail, "confines nothing"},
		{"kernel.lsm", "the guest says nothing", gone(main, U, "kernel.free"), open, "reported nothing"},
	}
	covered := map[string]map[check.Verdict]bool{}
	for _, row := range rows {
		t.Run(row.id+"/"+row.name, func(t *testing.T) {
			in := hardened(t)
			row.edit(in)
			r := checkFor(t, in, row.id).Judge(in)
			if r.Verdict != row.want {
				t.Errorf("%s, want %s: %s (observed %s)", r.Verdict, row.want, r.Reason, r.Observed)
			}
			if !strings.Contains(r.Reason, row.reason) {
				t.Errorf("the reason %q does not say %q", r.Reason, row.reason)
			}
		})
		c, _ := check.ByID(row.id)
		if covered[c.ID] == nil {
			covered[c.ID] = map[check.Verdict]bool{}
		}
		covered[c.ID][row.want] = true
	}
	for _, c := range check.Catalogue() {
		if c.Section == check.Drift {
			continue // TestJudgesDrift
		}
		if !covered[c.ID][fail] || !covered[c.ID][open] && c.ID != "limits.swap" {
			t.Errorf("%s lacks a row that fails or one that leaves it open", c.ID)
		}
	}
}

// What the sweep leaves out because it is the engine's own is a risk in every report.
func TestWritableCgroupTreeIsARisk(t *testing.T) {
	listed := func(in *check.Input) bool {
		return slices.ContainsFunc(check.Residual(in), func(r check.Risk) bool { return r.ID == "cgroup-tmpfs" })
	}
	in := hardened(t)
	if listed(in) {
		t.Error("listed although nothing of it was seen")
	}
	fact(main, R, "fs.sweep", "cgroup tree", "writable")(in)
	if !listed(in) {
		t.Error("not listed")
	}
}

// What the policy itself allows is listed, and only that.
func TestRisksOfThePolicy(t *testing.T) {
	listed := func(in *check.Input, id string) bool {
		return slices.ContainsFunc(check.Residual(in), func(r check.Risk) bool { return r.ID == id && r.Detail != "" })
	}
	always := []string{"interpreters", "memfd", "shared-kernel", "dev-tmpfs"}
	allowed := []string{"workspace", "workspace-content", "network", "capabilities"}
	in := hardened(t)
	in.Policy.Workspace.Mode = policy.WorkspaceNone
	for _, id := range always {
		if !listed(in, id) {
			t.Errorf("%s is not listed", id)
		}
	}
	for _, id := range allowed {
		if listed(in, id) {
			t.Errorf("%s is listed although the policy allows nothing", id)
		}
	}
	in.Policy.Workspace.Mode, in.Policy.Network, in.Policy.Capabilities = policy.WorkspaceRW, policy.NetworkBridge, []string{"CHOWN"}
	for _, id := range allowed {
		if !listed(in, id) {
			t.Errorf("%s is not listed", id)
		}
	}
	if in.Policy.Workspace.Mode = policy.WorkspaceRO; listed(in, "workspace") || !listed(in, "workspace-content") {
		t.Error("a workspace that is only read")
	}
}

// A credential's value appears nowhere in what a judge says.
func TestSecretIsNeverPrinted(t *testing.T) {
	const value = "hunter2hunter2hunter2"
	in := hardened(t)
	in.Twins[main].Declared.Env = append(in.Twins[main].Declared.Env, "API_TOKEN="+value)
	in.Image.Labels["api.token"], in.Image.History = value, append(in.Image.History, "ARG API_TOKEN="+value)
	for _, id := range []string{"secrets.environment", "secrets.image"} {
		r := checkFor(t, in, id).Judge(in)
		if text := strings.Join([]string{r.Wanted, r.Declared, r.Kernel, r.Observed, r.Reason}, " "); strings.Contains(text, value) {
			t.Errorf("the value is shown: %s", text)
		} else if !strings.Contains(text, "21 bytes") {
			t.Errorf("its length is not: %s", text)
		}
	}
}

// The disposable twin keeps the proportion between what is wanted and what is
// declared, and unlimited stays unlimited.
func TestScale(t *testing.T) {
	for name, row := range map[string]struct{ got, want int64 }{
		"wanted":             {check.ScaleMemory(2<<30, 2<<30, false), 64 << 20},
		"twice too much":     {check.ScaleMemory(2<<30, 4<<30, false), 128 << 20},
		"unlimited stays":    {check.ScaleMemory(2<<30, 0, false), 0},
		"small stays":        {check.ScaleMemory(16<<20, 16<<20, false), 16 << 20},
		"full scale":         {check.ScaleMemory(2<<30, 2<<30, true), 2 << 30},
		"many processes":     {check.ScalePIDs(30000, 30000, false), 128},
		"ten times too many": {check.ScalePIDs(30000, 300000, false), 1280},
		"pids unlimited":     {check.ScalePIDs(100, 0, false), 0},
		"few stay":           {check.ScalePIDs(100, 100, false), 100},
		"nothing wanted":     {check.ScaleMemory(0, 2<<30, false), 64 << 20},
		"tmpfs":              {check.ScaleTmpfs(2<<30, 2<<30), 2 << 20},
		"tmpfs unbounded":    {check.ScaleTmpfs(2<<30, 0), 0},
		"cpu below cores":    {check.ScaleCPU(2000, 2000, 2, false), 250},
		"cpu of a big host":  {check.ScaleCPU(2000, 2000, 64, false), 2000},
		"cpu at full scale":  {check.ScaleCPU(500, 500, 2, true), 500},
		"cpu of all cores":   {check.ScaleCPU(2000, 2000, 2, true), 250},
		"cpu unlimited":      {check.ScaleCPU(2000, 0, 2, false), 0},
	} {
		if row.got != row.want {
			t.Errorf("%s: %d, want %d", name, row.got, row.want)
		}
	}
	// An attempt reaches past the wanted limit even where the declared is lost.
	r := check.ReachFor(2<<30, 2000, 100, 1024, 2, false)
	if r.Memory <= 64<<20 || r.PIDs != 164 || r.NoFile != 1088 || r.MilliCPU <= 250 || r.TmpfsFill <= 2<<20 {
		t.Errorf("the attempts do not reach past the limits: %+v", r)
	}
	if big := check.ReachFor(2<<30, 2000, 30000, 1024, 128, false); big.PIDs > 300 || big.Threads > 16 || int64(big.Threads)*1000 <= big.MilliCPU {
		t.Errorf("the attempts of a large host do not fit: %+v", big)
	}
	// A lost limit on processes must show as such, and not by the guest's death of
	// lack of memory: seen on cgroup v2, up to 112 KiB a child beside the guest's 10 MiB.
	if bomb := check.ReachFor(2<<30, 2000, 30000, 1024, 2, false).PIDs*112<<10 + 10<<20; bomb*3/2 > check.ScaleMemory(2<<30, 2<<30, false) {
		t.Errorf("a fork bomb of %d bytes leaves no room", bomb)
	}
	if none := check.ReachFor(0, 0, 0, 0, 2, false); none.Memory == 0 || none.PIDs < 100 || none.NoFile < 1024 || none.MilliCPU == 0 {
		t.Errorf("unlimited is not attempted: %+v", none)
	}
}

// Two commands of the same program are two checks.
func TestCommandIDs(t *testing.T) {
	p := policy.Default()
	p.Environment.Commands = []policy.Command{{Run: []string{"/usr/bin/git", "--version"}}, {Run: []string{"git", "status"}}}
	var ids []string
	for _, c := range check.For(p) {
		if c.Section == check.Environment && strings.HasPrefix(c.ID, "env.command") {
			ids = append(ids, c.ID)
		}
	}
	if strings.Join(ids, " ") != "env.command[git] env.command[git#2]" {
		t.Errorf("%v", ids)
	}
	if c, ok := check.ByID("env.command[git#2]"); !ok || c.ID != "env.command[*]" {
		t.Error("an instance does not find its template")
	}
}
