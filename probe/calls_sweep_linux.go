package probe

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// allCalls is what is swept on this architecture.
func allCalls() []sweptCall { return slices.Concat(sweptCalls, legacyCalls) }

// SweptCalls names the system calls that are swept, and what is not with the
// reason.
func SweptCalls() (swept []string, not map[string]string) {
	for _, c := range allCalls() {
		swept = append(swept, c.name)
	}
	return swept, notSwept
}

// callSweep makes every system call once, in a child, and records the calls by
// what came of them: the facts' keys are errnos. A filter that kills ends the
// child; another one goes on behind the call that was its end. The child is a
// mere copy of this process with one thread: a program of its own would take
// several of those that a sandbox's limit leaves.
func callSweep(s *session, r *recorder) {
	all := allCalls()
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		r.fail("no memory to share with a child: %v", err)
		return
	}
	defer unix.Munmap(page)
	came := results(page, len(all))
	by := map[string][]string{}
	const most = 200 // children: a filter that kills denies fewer calls
	for next, children := 0, 0; next < len(all); children++ {
		if children == most {
			r.fail("the children that sweep ended one after another, the last at %s", all[next].name)
			return
		}
		if err := sweepFrom(all, came, next); err != nil {
			r.fail("no child to sweep in: %v", err)
			return
		}
		for ; next < len(all) && came[next] != notMade; next++ {
			how := Reached
			if e := unix.Errno(came[next] - made); e != 0 {
				how = errnoName(e)
			}
			by[how] = append(by[how], all[next].name)
		}
		if next < len(all) {
			by[Killed] = append(by[Killed], all[next].name)
			next++
		}
	}
	for how, names := range by {
		r.fact(how, strings.Join(names, " "))
	}
}
