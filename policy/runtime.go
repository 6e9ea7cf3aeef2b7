package policy

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// GVisor says whether a runtime is gVisor's, by the name that the engine knows
// it under: "runsc", "gvisor", or one with either in it, as
// "io.containerd.runsc.v1". What a container's kernel really is shows only
// inside; this is for what has to be settled before.
func GVisor(runtime string) bool {
	runtime = strings.ToLower(runtime)
	return strings.Contains(runtime, "runsc") || strings.Contains(runtime, "gvisor")
}

// Forever is the Until of what the built-in policy accepts: it is true for as
// long as the runtime is what it is. A file names a date of its own.
const Forever Date = "9999-12-31"

// gVisorLacks is what gVisor does not have, so that no setting brings it back.
// Nothing is here that another setting or another way to register runsc mends.
var gVisorLacks = []Accept{{
	Check: "user.no-privileged-port",
	Reason: "gVisor has no privileged ports and ignores the sysctl; what is bound is bound in the sandbox's own network stack, " +
		"and network none connects that to nothing",
	Until: Forever,
}}

// DefaultFor is Default on a runtime: "" leaves Default's. For gVisor it accepts
// in the open what gVisor lacks, and nothing else.
func DefaultFor(runtime string) *Policy {
	p := Default()
	if runtime != "" {
		p.Runtime = runtime
	}
	if GVisor(runtime) {
		p.Accept = append(p.Accept, gVisorLacks...)
	}
	return p
}

// InitTemplateFor is InitTemplate on a runtime: "" leaves Default's. What it
// accepts ends a year after now, for somebody to look at again.
func InitTemplateFor(runtime string, now time.Time) []byte {
	p, out := DefaultFor(runtime), InitTemplate()
	if runtime == "" {
		return out
	}
	replace := func(old, text string) { out = bytes.Replace(out, []byte(old), []byte(text), 1) }
	const column = 36 // of the comments
	replace(fmt.Sprintf("%-*s#", column, "runtime: "+Default().Runtime), fmt.Sprintf("%-*s #", column-1, "runtime: "+yamlText(p.Runtime)))
	if len(p.Accept) == 0 {
		return out
	}
	var b strings.Builder
	b.WriteString("accept:\n")
	for _, a := range p.Accept {
		fmt.Fprintf(&b, "  - check: %s\n    reason: %s\n    until: %s\n", a.Check, yamlText(a.Reason), now.UTC().AddDate(1, 0, 0).Format(dateLayout))
	}
	replace("accept: []\n", b.String())
	return out
}
