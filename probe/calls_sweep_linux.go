package probe

import (
	"fmt"
	"os"
	"slices"
	"strconv"
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

// Killed is what a call came to that ended whoever made it, as filters can ask
// for. Reached is what one came to that succeeded.
const (
	Killed  = "killed"
	Reached = "success"
)

// callSweep makes every system call once, in a child, and records the calls by
// what came of them: the facts' keys are errnos. A filter that kills ends the
// child; another one goes on behind the call that was its end.
func callSweep(s *session, r *recorder) {
	all := allCalls()
	by := map[string][]string{}
	kills := 0
	for next := 0; next < len(all); {
		out, err := run(s.self, "calls", strconv.Itoa(next))
		for line := range strings.Lines(out + "\n") {
			name, came, ok := strings.Cut(strings.TrimSpace(line), " ")
			if !ok {
				continue
			}
			if next >= len(all) || name != all[next].name {
				r.fail("the child that sweeps said %q", line)
				return
			}
			by[came] = append(by[came], name)
			next++
		}
		if next < len(all) {
			if kills++; kills > 200 || err == nil {
				r.fail("the child that sweeps ended at %s: %v", all[next].name, err)
				return
			}
			by[Killed] = append(by[Killed], all[next].name)
			next++
		}
	}
	for came, names := range by {
		r.fact(came, strings.Join(names, " "))
	}
}

// helperCalls makes the calls from the nth on and prints after each what came of
// it, so that the last line says where it ended.
func helperCalls(n int) {
	for _, c := range allCalls()[min(n, len(allCalls())):] {
		came := Reached
		if _, _, e := unix.RawSyscall6(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5]); e != 0 {
			came = errnoName(e)
		}
		fmt.Fprintln(os.Stdout, c.name, came)
	}
}
