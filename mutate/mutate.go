// Package mutate holds the weakenings: each takes one protection away from a
// container's launch settings, while the policy that judges it stays as it is.
//
// They exist because a check that cannot fail is worth less than none. Each
// check declares the mutations that must make it fail (check.Check.Mutations),
// and the end-to-end tests launch every mutation for real and demand that the
// declared checks fail and no others.
//
// A mutation acts on what the engine is told, not on the policy: that is the
// fault worth catching, a flag that was lost between what somebody decided and
// what was started.
package mutate

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/spec"
)

// Mutation is one weakening.
type Mutation struct {
	ID    string // as checks name it
	Title string // what it does, in words
	// Apply weakens settings in place; what it may leave out where Image or Socket
	// is all that changes, All fills in.
	Apply func(*spec.Container)
	// Socket asks for a Unix socket on the engine's host on which somebody listens,
	// as the source of what is mounted where Docker has its own.
	Socket bool
	// Local says that the weakening is about this very host, so that the engine must
	// be on it.
	Local bool
	// Abstract asks for somebody who listens on an abstract name there.
	Abstract bool
	// Dir asks for a directory there, as the source of what is mounted at DirTarget.
	Dir bool
	// Shared asks for a directory of the host's on a mount that it shares with
	// others, as the source of what is mounted at SharedTarget.
	Shared bool
	// Image is what the weakening changes about the image; nil for nothing.
	Image *spec.ImageChange
	// MayBeRefused is why an engine or a kernel may refuse to start such a
	// container; "" where none has a reason to. Refused, it is not demonstrable.
	MayBeRefused string
	// Blinds are the checks whose control this mutation takes away, so that they
	// cannot be measured. They must then be inconclusive, never pass, never fail.
	Blinds []string
}

// What is asked for again and again is made once.
var (
	catalogue = sync.OnceValue(check.Catalogue)
	alone     = sync.OnceValue(singles)

	everything = sync.OnceValue(func() []Mutation {
		all := slices.Concat(alone(), combinations())
		for i := range all {
			if all[i].Apply == nil {
				all[i].Apply = func(*spec.Container) {}
			}
		}
		return all
	})
)

// Flips returns the IDs of the checks that must fail under a mutation.
func Flips(id string) []string {
	var all []string
	p, two := pair(id)
	for _, c := range catalogue() {
		if slices.Contains(c.Mutations, id) || two && p.expected("", c.ID) == check.Fail {
			all = append(all, c.ID)
		}
	}
	return all
}

// ByID finds a mutation.
func ByID(id string) (Mutation, bool) {
	for _, m := range All() {
		if m.ID == id {
			return m, true
		}
	}
	return Mutation{}, false
}

// All returns every mutation. The slice is the caller's.
func All() []Mutation { return slices.Clone(everything()) }

// singles is every mutation but the combinations.
func singles() []Mutation {
	return slices.Concat(filesystem(), user(), limits(), capabilities(), environment(), secrets(), surface(),
		kernelSurface(), pseudoFiles(), namespaces(), mounts(), network(), hidden())
}

// scratch is the tmpfs of the default policy that the mutations work on.
const scratch = "/tmp"

// scratchOf is the tmpfs that the mutations work on: the default policy's, else
// the first; "" where there is none.
func scratchOf(c *spec.Container) string {
	if _, ok := c.Tmpfs[scratch]; ok {
		return scratch
	}
	for _, at := range slices.Sorted(maps.Keys(c.Tmpfs)) {
		return at
	}
	return ""
}

// onTmpfs weakens the options of the scratch tmpfs, where there is one.
func onTmpfs(f func(*spec.Tmpfs)) func(*spec.Container) {
	return func(c *spec.Container) {
		if at := scratchOf(c); at != "" {
			t := c.Tmpfs[at]
			f(&t)
			c.Tmpfs[at] = t
		}
	}
}

// otherGID is the user with another group: 1000, or the next where it has that.
func otherGID(user string) string {
	uid, gid, _ := strings.Cut(user, ":")
	if gid == "1000" {
		return uid + ":1001"
	}
	return uid + ":1000"
}

func filesystem() []Mutation {
	return []Mutation{
		{ID: "rootfs.writable", Title: "the root file system is writable", Apply: func(c *spec.Container) { c.ReadonlyRootfs = false }},
		{
			ID: "tmpfs.dropped", Title: "no tmpfs is mounted", Apply: func(c *spec.Container) { delete(c.Tmpfs, scratchOf(c)) },
			Blinds: []string{"fs.tmp-noexec", "fs.tmp-nosuid", "fs.tmp-nodev", "fs.tmp-bounded", "fs.nothing-else-writable", "priv.no-suid"},
		},
		{ID: "tmpfs.exec", Title: "the tmpfs allows execution", Apply: onTmpfs(func(t *spec.Tmpfs) { t.Exec = true })},
		{ID: "tmpfs.suid", Title: "the tmpfs honours setuid", Apply: onTmpfs(func(t *spec.Tmpfs) { t.Suid = true })},
		{ID: "tmpfs.dev", Title: "the tmpfs honours device nodes", Apply: onTmpfs(func(t *spec.Tmpfs) { t.Dev = true })},
		{ID: "tmpfs.unbounded", Title: "the tmpfs has no size", Apply: onTmpfs(func(t *spec.Tmpfs) { t.Size = 0 })},
		{
			ID: "tmpfs.exec-suid-nnp-off", Title: "the tmpfs allows execution and setuid, and no-new-privileges is off",
			Apply: func(c *spec.Container) {
				onTmpfs(func(t *spec.Tmpfs) { t.Exec, t.Suid = true, true })(c)
				c.NoNewPrivileges = false
			},
		},
		{ID: "workspace.none", Title: "the workspace is not mounted", Apply: func(c *spec.Container) { c.Mounts = nil }},
		{ID: "workspace.ro", Title: "the workspace is mounted read-only", Apply: func(c *spec.Container) {
			for i := range c.Mounts {
				c.Mounts[i].ReadOnly = true
			}
		}},
		{ID: "mount.extra-tmpfs", Title: "another tmpfs is mounted", Apply: func(c *spec.Container) {
			c.Tmpfs["/srv/extra"] = spec.Tmpfs{Size: 1 << 20}
		}},
		{ID: "mount.host-rw", Title: "a host directory is mounted read-write", Apply: func(c *spec.Container) {
			c.Mounts = append(c.Mounts, spec.Mount{Kind: spec.Bind, Source: "/var/tmp", Target: "/mnt/host"})
		}},
		{ID: "mount.below-tmpfs", Title: "a host directory is mounted below the tmpfs", Apply: func(c *spec.Container) {
			if at := scratchOf(c); at != "" {
				c.Mounts = append(c.Mounts, spec.Mount{Kind: spec.Bind, Source: "/var/tmp", Target: at + "/host"})
			}
		}},
		{ID: "mount.over-mqueue", Title: "a host directory is mounted over /dev/mqueue", Apply: func(c *spec.Container) {
			c.Mounts = append(c.Mounts, spec.Mount{Kind: spec.Bind, Source: "/var/tmp", Target: "/dev/mqueue"})
		}},
		{ID: "shm.exec", Title: "/dev/shm allows execution", Apply: func(c *spec.Container) {
			c.Tmpfs["/dev/shm"] = spec.Tmpfs{Size: 64 << 20, Exec: true}
		}},
		{ID: "shm.large", Title: "/dev/shm is four times the engines' default", Apply: func(c *spec.Container) { c.ShmSize = 256 << 20 }},
	}
}

func user() []Mutation {
	const ports = "net.ipv4.ip_unprivileged_port_start"
	return []Mutation{
		{
			ID: "user.root", Title: "the agent runs as root", Apply: func(c *spec.Container) { c.User = "0:0" },
			// A setuid-root program gives root nothing new, so it is no control; and
			// there is no other user whose process could be traced.
			Blinds: []string{"priv.no-new-privs", "priv.no-suid", "kernel.no-ptrace-across"},
		},
		{ID: "user.other-gid", Title: "the agent runs with another gid", Apply: func(c *spec.Container) { c.User = otherGID(c.User) }},
		{ID: "user.extra-group", Title: "the agent is in one more group", Apply: func(c *spec.Container) { c.Groups = append(c.Groups, "4") }},
		{ID: "nnp.off", Title: "no-new-privileges is off", Apply: func(c *spec.Container) { c.NoNewPrivileges = false }},
		{ID: "nnp.off-capability", Title: "no-new-privileges is off, and there is a capability to gain", Apply: func(c *spec.Container) {
			c.NoNewPrivileges = false
			c.CapAdd = append(c.CapAdd, "NET_BIND_SERVICE")
		}},
		{ID: "sysctl.dropped", Title: "the engine's own port sysctl applies", Apply: func(c *spec.Container) { delete(c.Sysctls, ports) }},
		{
			ID: "sysctl.all-ports-privileged", Title: "every port that is not ephemeral is privileged", Apply: func(c *spec.Container) { c.Sysctls[ports] = "32768" },
			Blinds: []string{"user.no-privileged-port"},
		},
	}
}

func limits() []Mutation {
	return []Mutation{
		{ID: "pids.unlimited", Title: "no limit on processes", Apply: func(c *spec.Container) { c.PIDs = 0 }},
		{ID: "memory.unlimited", Title: "no limit on memory", Apply: func(c *spec.Container) { c.Memory, c.Swap = 0, 0 }},
		{ID: "swap.unlimited", Title: "no limit on swap", Apply: func(c *spec.Container) { c.Swap = spec.Unlimited }},
		{ID: "cpus.unlimited", Title: "no CPU quota", Apply: func(c *spec.Container) { c.MilliCPU = 0 }},
		{ID: "nofile.unlimited", Title: "the engine's own limit on open files", Apply: func(c *spec.Container) { delete(c.Ulimits, "nofile") }},
		{ID: "core.unlimited", Title: "core dumps are allowed", Apply: func(c *spec.Container) { c.Ulimits["core"] = -1 }},
	}
}

func capabilities() []Mutation {
	var all []Mutation
	for _, name := range append(slices.Clone(check.DefaultCaps), "NET_ADMIN") {
		all = append(all, Mutation{ID: "caps." + name, Title: "CAP_" + name + " is added back", Apply: func(c *spec.Container) {
			c.CapAdd = append(c.CapAdd, name)
		}})
	}
	return all
}

func surface() []Mutation {
	return []Mutation{
		{ID: "seccomp.unconfined", Title: "no system call filter", Apply: func(c *spec.Container) { c.Seccomp = "unconfined" }},
		{
			ID: "seccomp.no-listen", Title: "the system call filter refuses listen as well", Apply: func(c *spec.Container) {
				c.Seccomp = strings.Replace(c.Seccomp, `"listen",`, "", 1)
			},
			// Their control is a listener inside.
			Blinds: []string{"net.host-unreachable", "net.no-dns"},
		},
		{ID: "network.bridge", Title: "a network is attached", Apply: func(c *spec.Container) { c.Network = "bridge" }},
	}
}

// setEnv sets a variable, whatever the image says.
func setEnv(kv string) func(*spec.Container) {
	return func(c *spec.Container) { c.Env = append(c.Env, kv) }
}

func environment() []Mutation {
	return []Mutation{
		{ID: "env.no-path", Title: "PATH leads nowhere", Apply: setEnv("PATH=/nonexistent")},
		{ID: "env.no-python-home", Title: "Python does not find its library", Apply: setEnv("PYTHONHOME=/nonexistent")},
		{ID: "env.no-git-config", Title: "git reads neither the system's configuration nor the user's", Apply: func(c *spec.Container) {
			c.Env = append(c.Env, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
		}},
		{ID: "env.git-prompt", Title: "git may ask on the terminal", Apply: setEnv("GIT_TERMINAL_PROMPT=1")},
	}
}

// secrets plants credentials that are none: they have a vendor's format and a
// value made up here, in pieces so that no scanner takes this file for a leak.
func secrets() []Mutation {
	fake := func(parts ...string) string { return strings.Join(parts, "") }
	return []Mutation{
		{ID: "env.anthropic-key", Title: "an Anthropic key in the environment", Apply: setEnv(fake("ANTHROPIC_API_KEY=sk-", "ant-api03-", "notakeynotakeynotakey"))},
		{ID: "env.github-token", Title: "a GitHub token under a harmless name", Apply: setEnv(fake("BUILD_INFO=gh", "p_", "0123456789abcdefghijABCDEFGHIJ012345"))},
		{ID: "env.aws-key", Title: "an AWS key ID in the environment", Apply: setEnv(fake("AWS_ID=AK", "IA", "NOTAKEYNOTAKEY12"))},
		{ID: "env.password", Title: "a password in the environment", Apply: setEnv(fake("DB_PASS", "WORD=correct horse"))},
		{ID: "env.private-key", Title: "a private key in the environment", Apply: setEnv(fake("DEPLOY=-----BEGIN OPENSSH PRIV", "ATE KEY-----"))},
		{ID: "env.url-password", Title: "a password inside a URL", Apply: setEnv(fake("INDEX=https://user:", "hunter2", "@pypi.example/simple"))},
		{ID: "env.jwt", Title: "a JSON Web Token", Apply: setEnv(fake("SESSION=ey", "JhbGciOiJub25lIn0.ey", "JzdWIiOiJub2JvZHkifQ.x"))},
		{ID: "env.random", Title: "key material under a harmless name", Apply: setEnv(fake("THING=q7Zx", "9Lm2", "Vt4Bn8", "Kw3Rs6", "Yp1Hd5Jf0Gc"))},
	}
}
