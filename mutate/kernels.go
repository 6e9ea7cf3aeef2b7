package mutate

import (
	"slices"

	"github.com/tightship-dev/tightship/check"
)

// Exception is where a mutation comes to something else on a kernel than on
// Linux. With Want Pass the mutation cannot be shown there: not-demonstrable,
// which is counted apart and never as caught.
type Exception struct {
	Kernel   string // as check.GVisor
	Mutation string
	Check    string
	Want     check.Verdict
	Reason   string
}

// Exceptions is all of them.
var Exceptions = []Exception{
	{check.GVisor, "tmpfs.dropped", "fs.tmp-noexec", check.Fail, emptyTmp},
	{check.GVisor, "tmpfs.dropped", "fs.tmp-bounded", check.Fail, emptyTmp},
	{check.GVisor, "tmpfs.dropped", "fs.nothing-else-writable", check.Pass, emptyTmp + ", where the policy declares one"},
	{check.GVisor, "tmpfs.dropped", "priv.no-suid", check.Pass, emptyTmp},
	{check.GVisor, "tmpfs.exec-suid-nnp-off", "priv.no-suid", check.Pass, "gVisor ignores setuid, and a file capability gives nothing where the bounding set is empty"},
	{check.GVisor, "nnp.off-capability", "priv.no-suid", check.Fail, "a file capability stands in for setuid there"},
	{check.GVisor, "nnp.off-capability", "caps.exercised", check.Pass, noPorts},
	{check.GVisor, "caps.NET_BIND_SERVICE", "caps.exercised", check.Pass, noPorts},
	{check.GVisor, "caps.NET_RAW", "caps.exercised", check.Pass, noRaw},
	{check.GVisor, "caps.NET_RAW", "kernel.socket-families", check.Pass, noRaw},
	{check.GVisor, "caps.SYS_CHROOT", "kernel.syscall-surface", check.Pass, "gVisor's chroot asks for the capability before it looks at its argument"},
	{check.GVisor, "caps.DAC_READ_SEARCH", "kernel.syscall-surface", check.Pass, "gVisor opens no file by its handle"},
	{check.GVisor, "caps.SYS_BOOT", "caps.exercised", check.Pass, "gVisor has no reboot, with the capability or without"},
	{check.GVisor, "ns.ipc-host", "fs.nothing-else-writable", check.Fail, hostShm},
	{check.GVisor, "ns.ipc-host", "mounts.no-host-path", check.Fail, hostShm},
	{check.GVisor, "privileged", "fs.nothing-else-writable", check.Fail, "privileged, /sys is writable, and gVisor puts a tmpfs for everybody at /sys/fs/cgroup"},
	{check.GVisor, "sysctl.all-ports-privileged", "user.unprivileged-port", check.Pass, noPorts},
	{check.GVisor, "sysctl.all-ports-privileged", "user.no-privileged-port", check.Fail, noPorts},
	{check.GVisor, "user.root", "fs.tmp-nosuid", check.Inconclusive, rootHasAll},
	{check.GVisor, "image.root-user", "fs.tmp-nosuid", check.Inconclusive, rootHasAll},
}

const (
	rootHasAll = "a file capability, which stands in for setuid there, gives root nothing that it lacks"
	emptyTmp   = "gVisor gives an image whose /tmp is empty a tmpfs there of its own"
	hostShm    = "runsc shows the host's /dev/shm as a directory of the host's, no memory of its own"
	noRaw      = "runsc takes CAP_NET_RAW away again unless it runs with --net-raw"
	noPorts    = "gVisor has no privileged ports, with the capability and the sysctl or without"
)

// declares says whether a check names a mutation.
func declares(id, mutation string) bool {
	i := slices.IndexFunc(catalogue(), func(c *check.Check) bool { return c.ID == id })
	return i >= 0 && slices.Contains(catalogue()[i].Mutations, mutation)
}

// Expected returns what a check must come to under a mutation on a kernel, ""
// being Linux. What the kernel lacks, and so the built-in policy accepts, fails.
func Expected(kernel string, m Mutation, id string) check.Verdict {
	for _, e := range Exceptions {
		if e.Kernel == kernel && e.Mutation == m.ID && e.Check == id {
			return e.Want
		}
	}
	if check.Lacking(kernel, id) != "" {
		return check.NotApplicable
	}
	if p, two := pair(m.ID); two {
		return p.expected(kernel, id)
	}
	switch {
	case declares(id, m.ID):
		return check.Fail
	case slices.Contains(m.Blinds, id):
		return check.Inconclusive
	}
	return check.Pass
}
