package mutate

import "github.com/tightship-dev/tightship/spec"

// kernelSurface weakens what of the kernel can be called: each capability that
// the pinned profile ties system calls to, or that opens one by itself. Not
// CAP_SYS_MODULE: what it opens depends on how the host's kernel was built.
func kernelSurface() []Mutation {
	var all []Mutation
	for _, name := range []string{"SYS_ADMIN", "BPF", "PERFMON", "DAC_READ_SEARCH", "SYS_BOOT", "SYS_PTRACE"} {
		all = append(all, Mutation{ID: "caps." + name, Title: "CAP_" + name + " is added", Apply: func(c *spec.Container) {
			c.CapAdd = append(c.CapAdd, name)
		}})
	}
	return all
}
