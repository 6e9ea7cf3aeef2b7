package check

import (
	"fmt"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
)

func judgeNamespace(in *Input, ns namespace) Result {
	a := account{wanted: "a " + ns.name + " namespace of its own", wantedIs: on, declared: "engines have no word for it"}
	joined := false
	if ns.mode != nil {
		mode := ns.mode(in.declared())
		a.declared, a.declaredIs = ns.name+" "+onOff(mode == "", "as the engine does by default", mode), on
		switch {
		case mode == "host":
			a.declaredIs = off
		case strings.HasPrefix(mode, "container:"), strings.HasPrefix(mode, "ns:"), strings.HasPrefix(mode, "/"):
			a.declaredIs, joined = silent, true
		case mode == "" && ns.name == "cgroup": // its default depends on the host
			a.declaredIs = silent
		}
	}
	host := in.Host[ns.name]
	a.ask(in, func(k *kernel.State) (string, answer) {
		switch id := k.Namespaces[ns.name]; {
		case id == "":
			return "no " + ns.name + " namespace in /proc/PID/ns", silent
		case host == "":
			return id, silent
		default:
			return id + onOff(id == host, ", the host's", ", not the host's "+host), answerOf(id != host)
		}
	})
	o, why := in.see(Main, probe.User, "namespaces")
	if why != "" {
		return a.unmeasured(why)
	}
	first, found := attempt(o, "be in the kernel's first namespace", ns.name)
	id := o.Facts["id:"+ns.name]
	seen := show(first) + "; it is in " + onOff(id == "", "one that has no identity", id)
	var more probe.Attempt
	if ns.found != "" {
		more, _ = attempt(o, ns.found, "")
		seen += "; " + show(more) + onOff(more.Note == "", "", " ("+more.Note+")")
	}
	if ns.name == "uts" {
		seen += "; host name " + o.Facts["hostname"]
	}
	if ns.name == "pid" {
		seen += fmt.Sprintf("; %s processes to be seen", o.Facts["processes"])
	}
	switch {
	case first.OK:
		return a.decide(off, Exercised, seen, "it is in the "+ns.name+" namespace that the kernel began with, the host's")
	case id != "" && id == host:
		return a.decide(off, Exercised, seen, "it is in the host's "+ns.name+" namespace")
	case joined:
		return in.judgeJoined(a, ns.name, seen)
	case id == "" && first.Errno == "ENOENT" && in.takes("ns."+ns.name, SandboxCgroups):
		return a.decide(a.declaredIs, Declared, seen, "this kernel has no cgroup namespaces, and its cgroups are not the host's; the engine was told one of its own")
	case more.OK:
		return a.decide(off, Exercised, seen, "it finds what is the host's: "+ns.reveals)
	case !found || id == "":
		return a.decide(silent, NoGrade, seen, "its identity could not be read")
	}
	if ctl, ok := control(o, "find its own mount"); ns.name == "mnt" && !ok {
		return a.decide(silent, NoGrade, seen, "the control failed: "+show(ctl))
	}
	if ctl, ok := control(o, "find a setting of any network"); ns.name == "net" && !ok {
		return a.decide(silent, NoGrade, seen, "the control failed: "+show(ctl))
	}
	return a.decide(on, Exercised, seen, "it is neither the kernel's first"+onOff(host == "", "", " nor this host's"))
}

// judgeJoined judges a namespace of somebody else's, which a twin does not join.
// What is left is the kernel's word about the container itself.
func (in *Input) judgeJoined(a account, name, seen string) Result {
	o := in.Original
	if o == nil || o.Kernel == nil || o.Kernel.Namespaces[name] == "" || o.Host[name] == "" {
		return a.decide(silent, NoGrade, seen, "it joins another container's, which the twin does not, and the running container's own could not be read")
	}
	id := o.Kernel.Namespaces[name]
	a.kernel, a.kernelIs = id, answerOf(id != o.Host[name])
	return a.decide(a.kernelIs, Kernel, seen, "it joins another container's, which the twin does not; the running container's is not the host's")
}
