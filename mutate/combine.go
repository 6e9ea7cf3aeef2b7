package mutate

import (
	"slices"
	"sync"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/spec"
)

// Pair is two weakenings at once, as protections mask one another: what one takes
// away alone may show only when the other is gone as well, or no longer.
type Pair struct {
	A, B string // IDs; the pair's own is A+B
	// Title says why the two matter together.
	Title string
	// But is what checks come to that is not what either weakening alone makes of
	// them; a failure of one is a failure of both otherwise.
	But map[string]check.Verdict
}

// ID names the pair as a mutation.
func (p Pair) ID() string { return p.A + "+" + p.B }

// Pairs is every combination of two that is tried.
var Pairs = []Pair{
	{A: "seccomp.unconfined", B: "nnp.off", Title: "every system call, and privileges to be gained with them"},
	{A: "seccomp.unconfined", B: "caps.NET_ADMIN", Title: "a capability, and the system calls that it is for"},
	{A: "seccomp.unconfined", B: "network.bridge", Title: "every system call, and somebody to talk to"},
	{A: "nnp.off", B: "tmpfs.suid", Title: "setuid works in the tmpfs, and no-new-privileges no longer hides it"},
	{A: "nnp.off", B: "caps.SETUID", Title: "a capability in the bounding set, and a way for a setuid program to gain it"},
	{A: "user.root", B: "rootfs.writable", Title: "root, and a root file system that yields to it"},
	{A: "user.root", B: "nnp.off", Title: "root, and setuid programs that work"},
	{
		A: "user.root", B: "caps.DAC_OVERRIDE", Title: "root, and the capability that makes permissions mean nothing",
		// Root without it cannot write in a directory of the user's; with it, everywhere.
		But: map[string]check.Verdict{"fs.workspace-writable": check.Pass},
	},
	{A: "memory.unlimited", B: "pids.unlimited", Title: "neither of the limits that stop a fork bomb"},
	{A: "memory.unlimited", B: "tmpfs.unbounded", Title: "a tmpfs without a size, and no memory limit that would bound it"},
	{A: "network.bridge", B: "caps.NET_RAW", Title: "a network, and the right to forge packets on it"},
	{A: "network.bridge", B: "sysctl.dropped", Title: "a network, and ports on it that others trust"},
	{A: "rootfs.writable", B: "tmpfs.exec", Title: "places to write to, and a place to run from"},
	{A: "tmpfs.dev", B: "caps.MKNOD", Title: "device nodes work in the tmpfs, and can be made"},
	{
		A: "rootfs.writable", B: "tmpfs.dropped", Title: "what was the tmpfs is a directory of the writable root",
		// Without the tmpfs nothing can be placed there and nothing is measured; with
		// a writable root programs run from it, files grow past any size, and setuid
		// files stay where they are planted.
		But: map[string]check.Verdict{"fs.tmp-noexec": check.Fail, "fs.tmp-bounded": check.Fail, "priv.no-suid": check.Pass},
	},
}

// combinations weakens two weakenings at once.
func combinations() []Mutation {
	var all []Mutation
	for _, p := range Pairs {
		a, b := single(p.A), single(p.B)
		m := Mutation{ID: p.ID(), Title: p.Title, Image: a.Image,
			Socket: a.Socket || b.Socket, Local: a.Local || b.Local, Abstract: a.Abstract || b.Abstract, Dir: a.Dir || b.Dir, Shared: a.Shared || b.Shared,
			MayBeRefused: a.MayBeRefused,
			Apply: func(c *spec.Container) {
				a.apply(c)
				b.apply(c)
			}}
		if m.Image == nil {
			m.Image = b.Image
		}
		if m.MayBeRefused == "" {
			m.MayBeRefused = b.MayBeRefused
		}
		for _, c := range catalogue() {
			if p.expected("", c.ID) == check.Inconclusive {
				m.Blinds = append(m.Blinds, c.ID)
			}
		}
		all = append(all, m)
	}
	return all
}

// apply is Apply, which may be nil.
func (m Mutation) apply(c *spec.Container) {
	if m.Apply != nil {
		m.Apply(c)
	}
}

// single finds a weakening that is no combination; the zero one where there is
// none of that name, which a test of this package tells.
func single(id string) Mutation {
	all := alone()
	if i := slices.IndexFunc(all, func(m Mutation) bool { return m.ID == id }); i >= 0 {
		return all[i]
	}
	return Mutation{}
}

var pairs = sync.OnceValue(func() map[string]Pair {
	all := map[string]Pair{}
	for _, p := range Pairs {
		all[p.ID()] = p
	}
	return all
})

// pair finds a combination.
func pair(id string) (Pair, bool) {
	p, ok := pairs()[id]
	return p, ok
}

// expected is what a check must come to under both: a failure of either, else
// what either leaves unmeasured, unless the pair says otherwise.
func (p Pair) expected(kernel, id string) check.Verdict {
	if v, ok := p.But[id]; ok {
		return v
	}
	a, b := Expected(kernel, single(p.A), id), Expected(kernel, single(p.B), id)
	for _, v := range []check.Verdict{check.Fail, check.Inconclusive} {
		if a == v || b == v {
			return v
		}
	}
	return check.Pass
}
