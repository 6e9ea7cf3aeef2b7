package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
)

// part is one part of the kernel that is to be out of reach.
type part struct {
	// topic is what its attempts carry as On.
	topic string
	// calls are the system calls of the sweep that lead there and that the pinned
	// filter denies.
	calls []string
	// caps are the capabilities that open it, by themselves or because the pinned
	// profile ties its calls to them; filter is whether no filter opens it too.
	caps   []string
	filter bool
	// shownBy names, for an act that takes a capability, another one that shows
	// what is possible where the permission is there.
	shownBy map[string]string
}

// lacking is why a part is out of reach on a kernel, whatever the filter and the
// capabilities are. It holds only as long as no attempt gets through.
var lacking = map[string]map[string]string{
	GVisor: {
		"kernel.no-bpf":           "gVisor has no BPF",
		"kernel.no-perf":          "gVisor has no performance events",
		"kernel.no-io-uring":      "gVisor has no io_uring unless runsc runs with --iouring",
		"kernel.no-userfaultfd":   "gVisor has no userfaultfd",
		"kernel.no-handle-open":   "gVisor opens no file by its handle",
		"kernel.no-modules-kexec": "gVisor loads no modules, and is a process on the host that no call replaces or restarts",
		"kernel.lsm":              "the workload's processes are gVisor's, which has no security module",
	},
}

// Lacking says why a check is not applicable on a kernel; "" where it is.
func Lacking(kernel, id string) string { return lacking[kernel][id] }

// outcome is what came of an attempt: through is past everything, denied a
// refusal, and none says that this kernel has no such thing.
type outcome int

const (
	unclear outcome = iota
	through
	denied
	none
)

func (in *Input) outcome(ok bool, errno string) outcome {
	switch {
	case ok:
		return through
	case refused(errno), errno == probe.Killed:
		return denied
	case errno == "ENOSYS", errno == "EAFNOSUPPORT":
		return none
	// gVisor's way to say that it has a call's number and nothing behind it.
	case in.Sandboxed() && (errno == "ENODEV" || errno == "ENOTSUP"):
		return none
	}
	return unclear
}

// sweptCalls is about how many calls a sweep makes. A dozen judges read it, and prove
// asks them thousands of times.
const sweptCalls = 512

// swept reads what the sweep says of each call: every errno that is no refusal
// shows that the call was reached.
func (in *Input) swept(t Twin) (map[string]outcome, string) {
	o, why := in.see(t, probe.User, "syscall.sweep")
	if why != "" {
		return nil, why
	}
	came := make(map[string]outcome, sweptCalls)
	for errno, names := range o.Facts {
		what := in.outcome(errno == probe.Reached, errno)
		if what == unclear {
			what = through
		}
		for name := range strings.FieldsSeq(names) {
			came[name] = what
		}
	}
	return came, ""
}

// evidence collects the attempts on a part.
type evidence struct {
	broken, shown, plain, absent, odd []string
}

// weigh puts one attempt where it belongs: main is what came of it in the
// container, free what came of it without a filter.
func (e *evidence) weigh(name string, main, free outcome) {
	switch {
	case main == through:
		e.broken = append(e.broken, name)
	case main == unclear:
		e.odd = append(e.odd, name)
	case free == through: // refused, or denied by a filter that answers ENOSYS
		e.shown = append(e.shown, name)
	case free == none, main == none:
		e.absent = append(e.absent, name)
	default:
		e.plain = append(e.plain, name)
	}
}

func (e *evidence) text() string {
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{
		{"got through", e.broken}, {"refused, and shown to be possible", e.shown}, {"refused", e.plain},
		{"not in this kernel", e.absent}, {"neither refused nor possible", e.odd},
	} {
		if len(p.names) > 0 {
			parts = append(parts, p.what+": "+few(p.names))
		}
	}
	return strings.Join(parts, "; ")
}

// accountPart is what the sources say of a part.
func accountPart(in *Input, p part) account {
	open := func(caps []string) string {
		for _, c := range p.caps {
			if slices.Contains(caps, c) || slices.Contains(caps, "ALL") {
				return ", CAP_" + c
			}
		}
		return ""
	}
	wanted, d := in.Policy, in.declared()
	a := account{
		wanted:   "seccomp: " + wanted.Seccomp + open(wanted.Capabilities),
		wantedIs: answerOf(open(wanted.Capabilities) == "" && !(p.filter && wanted.Seccomp == policy.SeccompUnconfined)),
		declared: "a system call filter" + open(d.CapAdd), declaredIs: answerOf(open(d.CapAdd) == "" && !d.Privileged),
	}
	if d.Seccomp == policy.SeccompUnconfined || d.Privileged {
		a.declared = "seccomp unconfined" + open(d.CapAdd) + onOff(d.Privileged, ", privileged", "")
		if p.filter {
			a.declaredIs = off
		}
	}
	a.ask(in, func(k *kernel.State) (string, answer) {
		caps := open(kernel.CapNames(k.Caps.Bounding))
		switch {
		case caps != "" || p.filter && k.Seccomp == 0:
			return fmt.Sprintf("Seccomp %d%s", k.Seccomp, caps), off
		case p.filter && k.Seccomp < 0:
			return "no Seccomp line", silent
		}
		return fmt.Sprintf("Seccomp %d, and none of the capabilities that open it", k.Seccomp), on
	})
	return a
}

// judgePart judges by the attempts alone, as far as they can be shown to succeed
// elsewhere. Where none can, the sources decide, and the grade says so.
func judgePart(in *Input, id string, p part) Result {
	a := accountPart(in, p)
	e, why := in.gather(p)
	if why != "" {
		return a.unknown(why)
	}
	return a.conclude(in, id, e)
}

// judgeSockets judges the families that the filter denies, and the one that it
// leaves to the capabilities.
func judgeSockets(in *Input) Result {
	p := part{topic: "sockets", caps: []string{"NET_RAW"}, filter: true}
	a := accountPart(in, p)
	e, why := in.gather(p)
	if why != "" {
		return a.unknown(why)
	}
	came := map[Twin]outcome{}
	for _, t := range []Twin{Main, Exhaust, Isolate} {
		o, why := in.see(t, probe.Auditor, "net.packet")
		if why != "" {
			return a.unknown(why)
		}
		packet, _ := attempt(o, "socket(AF_PACKET)", "")
		came[t] = in.outcome(packet.OK, packet.Errno)
	}
	// As with caps.exercised, the twin without no-new-privileges decides.
	here := came[Exhaust]
	if came[Main] == through {
		here = through
	}
	e.weigh("socket(AF_PACKET)", here, came[Isolate])
	return a.conclude(in, "kernel.socket-families", e)
}

// judgePtrace needs another user's process to try it on, which the marker names.
func judgePtrace(in *Input) Result {
	p := part{topic: "ptrace", caps: []string{"SYS_PTRACE"}, shownBy: map[string]string{"read another user's process": "read its own child's memory"}}
	a := accountPart(in, p)
	for _, t := range []Twin{Main, Isolate} {
		if _, why := in.see(t, probe.User, "marker"); why != "" {
			return a.unknown(why)
		}
	}
	e, why := in.gather(p)
	if why != "" {
		return a.unknown(why)
	}
	return a.conclude(in, "kernel.no-ptrace-across", e)
}

// gather collects the attempts on a part, or says what is missing.
func (in *Input) gather(p part) (e evidence, why string) {
	main, why := in.swept(Main)
	if why != "" {
		return e, why
	}
	free, why := in.swept(Isolate)
	if why != "" {
		return e, why
	}
	for _, call := range p.calls {
		e.weigh(call, main[call], free[call])
	}
	for _, by := range []struct {
		role probe.Role
		name string
	}{{probe.User, "kernel.free"}, {probe.Auditor, "kernel.caps"}} {
		m, why := in.see(Main, by.role, by.name)
		if why != "" {
			return e, why
		}
		f, why := in.see(Isolate, by.role, by.name)
		if why != "" {
			return e, why
		}
		for _, t := range pick(m, func(t probe.Attempt) bool { return t.On == p.topic && !t.Control }) {
			here, there := in.outcome(t.OK, t.Errno), unclear
			if twin, found := attempt(f, t.Act, t.On); found {
				there = in.outcome(twin.OK, twin.Errno)
			}
			if by.role == probe.Auditor && here != through {
				// The filter and no-new-privileges refuse what the capability alone should:
				// in the twin without both only the capability decides.
				here, there = there, in.shown(p.shownBy[t.Act])
				if here == none {
					there = none // what is not there was not refused
				}
			}
			e.weigh(t.Act, here, there)
		}
	}
	return e, ""
}

// conclude turns the evidence into a verdict.
func (a account) conclude(in *Input, id string, e evidence) Result {
	seen, count := e.text(), len(e.shown)+len(e.plain)
	lacks := Lacking(in.kernelName(), id)
	switch {
	case len(e.broken) > 0:
		a.byActsAlone()
		return a.decide(off, Exercised, seen, "this got through: "+few(e.broken))
	case len(e.odd) > 0:
		return a.unknown("neither refused nor possible: " + few(e.odd))
	case count+len(e.absent) == 0:
		return a.unknown("nothing was attempted")
	case lacks != "" && len(e.shown) == 0:
		return a.result(NotApplicable, NoGrade, seen, lacks)
	case count == 0:
		return a.result(NotApplicable, NoGrade, seen, "this kernel has none of it")
	case len(e.shown) > 0:
		a.byActsAlone()
		return a.decide(on, Exercised, seen, fmt.Sprintf("%s refused, %d of them shown to be possible otherwise", plural(count, "act", "acts"), len(e.shown)))
	case a.kernelIs != silent:
		return a.decide(on, Kernel, seen, "refused; the same is refused without a filter, so that the kernel's own account is what shows why")
	case a.declaredIs != silent:
		return a.decide(on, Declared, seen, "refused; the same is refused without a filter, and only the engine says why")
	}
	return a.unknown("refused with a filter and without")
}

// shown is what came of the act that shows another one to be possible.
func (in *Input) shown(act string) outcome {
	for role, name := range map[probe.Role]string{probe.User: "kernel.free", probe.Auditor: "kernel.caps"} {
		o, _ := in.see(Isolate, role, name)
		for _, t := range o.Attempts {
			if t.Act == act && t.OK {
				return through
			}
		}
	}
	return unclear
}

// unknown is unmeasured where other rows judge what the sources say.
func (a account) unknown(why string) Result {
	a.byActsAlone()
	return a.unmeasured(why)
}
