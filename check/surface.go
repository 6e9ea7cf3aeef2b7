package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
)

// surfaceChecks are the rows about what of the kernel and the network can be
// reached at all. They judge the two settings of the policy that no other row
// rests on.
func surfaceChecks() []*Check {
	return []*Check{
		{
			ID: "kernel.syscall-filter", Section: KernelSection,
			Title:    "System calls that nobody needs are refused",
			Why:      "Most ways out of a container went through a system call that no agent ever makes. The filter is what stands between those and the host's kernel.",
			Attempt:  "The user makes harmless forms of calls that the pinned default profile denies and that need no capability: keyctl for its own keyring's ID, io_uring_setup with bad arguments, and unshare of a user namespace in a child that ends at once.",
			Control:  "In a twin without a filter at least one of the same calls gets past it.",
			Settings: []string{"seccomp"}, Fix: Fix{
				Policy:     "seccomp: default",
				Docker:     "--security-opt seccomp=profile.json with what `tightship seccomp show` prints, and never seccomp=unconfined",
				Compose:    "security_opt: [\"seccomp:profile.json\"]",
				Kubernetes: "securityContext.seccompProfile: {type: RuntimeDefault}",
			}, Refs: []string{"CIS-Docker 5.22", "PSS seccompProfile_restricted", "PSS seccompProfile_baseline", "OWASP-Docker 6", "NSA-CISA 1.10", "NIST-800-190 4.4.3", "MITRE-ATTACK T1611"},
			Needs:     needs(need(Main, probe.User, "syscall.filter"), need(Isolate, probe.User, "syscall.filter")),
			Mutations: []string{"seccomp.unconfined", "caps.SYS_ADMIN", "privileged"},
			Judge:     judgeSyscallFilter,
		},
		{
			ID: "net.no-interface", Section: NetworkSection,
			Title:    "There is no network but loopback",
			Why:      "What an agent cannot reach it cannot leak to, and nobody there can give it orders.",
			Attempt:  "The user lists the network interfaces and which of them are up. No packet is sent.",
			Control:  "The loopback interface is in the list.",
			Settings: []string{"network"}, Fix: Fix{
				Policy:     "network: none",
				Docker:     "--network none",
				Compose:    "network_mode: none",
				Kubernetes: "a NetworkPolicy that denies all egress; a pod always has an interface",
			}, Refs: []string{"CIS-Docker 5.30", "OWASP-Docker 5", "NIST-800-190 4.4.2", "MITRE-ATTACK T1041"},
			Needs:     need(Main, probe.User, "net.interfaces"),
			Mutations: []string{"network.bridge", "ns.net-host"},
			Judge:     judgeNoInterface,
		},
	}
}

func judgeSyscallFilter(in *Input) Result {
	w, d := in.Policy.Seccomp, in.declared().Seccomp
	a := account{
		wanted: "seccomp: " + w, wantedIs: answerOf(w != policy.SeccompUnconfined),
		declared: "a profile of its own", declaredIs: answerOf(d != policy.SeccompUnconfined),
	}
	switch d {
	case "":
		a.declared, a.declaredIs = "the engine's default profile", silent
	case policy.SeccompUnconfined:
		a.declared = "seccomp unconfined"
	}
	a.ask(in, func(k *kernel.State) (string, answer) {
		if k.Seccomp < 0 {
			return "no Seccomp line", silent
		}
		return fmt.Sprintf("Seccomp %d", k.Seccomp), answerOf(k.Seccomp == 2)
	})
	o, why := in.see(Main, probe.User, "syscall.filter")
	if why != "" {
		return a.unmeasured(why)
	}
	iso, why := in.see(Isolate, probe.User, "syscall.filter")
	if why != "" {
		return a.unmeasured(why)
	}
	seen := show(o.Attempts...) + "; without a filter: " + show(iso.Attempts...)
	held := 0
	for _, t := range o.Attempts {
		free, found := attempt(iso, t.Act, t.On)
		switch {
		case t.OK:
			return a.decide(off, Exercised, seen, t.Act+" got past the filter")
		case refused(t.Errno) && found && free.OK:
			held++
		}
	}
	if held == 0 {
		return a.decide(silent, NoGrade, seen, "no call was both refused here and possible without a filter")
	}
	return a.decide(on, Exercised, seen, plural(held, "call", "calls")+" refused that get through without a filter")
}

func judgeNoInterface(in *Input) Result {
	w, d := in.Policy.Network, in.declared().Network
	a := account{
		wanted: "network: " + string(w), wantedIs: answerOf(w == policy.NetworkNone),
		declared: "network " + d, declaredIs: answerOf(d == "none"),
	}
	o, why := in.see(Main, probe.User, "net.interfaces")
	if why != "" {
		return a.unmeasured(why)
	}
	all := strings.Fields(o.Facts["interfaces"])
	seen := "interfaces: " + strings.Join(all, ", ")
	if down := o.Facts["down"]; down != "" {
		seen += "; down, so that they lead nowhere: " + down
	}
	if !slices.Contains(all, "lo") {
		return a.decide(silent, NoGrade, seen, "the control failed: not even lo was seen")
	}
	if len(all) > 1 {
		return a.decide(off, Exercised, seen, "there are other interfaces than lo")
	}
	return a.decide(on, Exercised, seen, "lo is the only interface")
}
