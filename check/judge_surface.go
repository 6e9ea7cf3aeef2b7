package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
)

// pinned is the system calls that the pinned default profile allows, with
// whatever arguments, to a container without capabilities.
var pinned = sync.OnceValue(func() map[string]bool {
	var profile struct {
		Syscalls []struct {
			Names    []string
			Action   string
			Includes struct{ Caps []string }
		}
	}
	allowed := map[string]bool{}
	if json.Unmarshal([]byte(policy.SeccompProfile("")), &profile) != nil {
		return allowed // which then allows nothing; a test reads it
	}
	for _, rule := range profile.Syscalls {
		if rule.Action != "SCMP_ACT_ALLOW" || len(rule.Includes.Caps) > 0 {
			continue
		}
		for _, name := range rule.Names {
			allowed[name] = true
		}
	}
	return allowed
})

// judgeSurface counts. The bar is the pinned profile: a call that it denies and
// that is reached makes the surface larger than the bar.
func judgeSurface(in *Input) Result {
	a := accountPart(in, part{filter: true})
	a.byActsAlone()
	main, why := in.swept(Main)
	if why != "" {
		return a.unmeasured(why)
	}
	free, why := in.swept(Isolate)
	if why != "" {
		return a.unmeasured(why)
	}
	var open, held []string
	reached, possible := 0, 0
	for name, came := range main {
		if came == through {
			reached++
			if !pinned()[name] {
				open = append(open, name)
			}
		} else if free[name] == through {
			held = append(held, name)
		}
		if free[name] == through {
			possible++
		}
	}
	slices.Sort(open)
	slices.Sort(held)
	seen := fmt.Sprintf("%d of %d system calls are reachable, %d without a filter; only the filter keeps %d away: %s", reached, len(main), possible, len(held), few(held))
	switch {
	case len(open) > 0:
		return a.decide(off, Exercised, seen, plural(len(open), "call", "calls")+" reached that the pinned default profile denies: "+few(open))
	case len(main) != len(free):
		return a.decide(silent, NoGrade, seen, fmt.Sprintf("the control failed: %d calls were swept, and %d without a filter", len(main), len(free)))
	case len(held) == 0:
		return a.decide(silent, NoGrade, seen, "no call was both refused here and possible without a filter")
	}
	return a.decide(on, Exercised, seen, fmt.Sprintf("%d of %d calls are reachable, none beyond the pinned default profile; without a filter it is %d", reached, len(main), possible))
}

// judgeLSM reads the label. No attempt tells a security module's refusal from
// another's, so the label is what there is.
func judgeLSM(in *Input) Result {
	var a account
	a.wanted, a.declared = "a label that confines", "the engine chooses it"
	a.ask(in, func(k *kernel.State) (string, answer) {
		if k.LSM == "" {
			return "no label", silent
		}
		return "label " + k.LSM, answerOf(confines(k.LSM))
	})
	o, why := in.see(Main, probe.User, "kernel.free")
	if why != "" {
		return a.unmeasured(why)
	}
	own, asked := o.Facts["lsm"]
	grade := Kernel
	if a.kernelIs == silent {
		grade = Declared // the host's own word is missing
	}
	seen := "its own label: " + onOff(own == "", "none", own)
	switch {
	case Lacking(in.kernelName(), "kernel.lsm") != "":
		return a.result(NotApplicable, NoGrade, seen, Lacking(in.kernelName(), "kernel.lsm"))
	case !asked:
		return a.unmeasured("the guest did not say what label it has")
	case own == "" && a.kernelIs == silent:
		return a.result(NotApplicable, NoGrade, seen, "this host has neither AppArmor nor SELinux")
	case own == "":
		return a.decide(silent, NoGrade, seen, "the host says that there is a label, and the guest found none")
	case !confines(own):
		return a.decide(off, grade, seen, "the label confines nothing: "+own)
	}
	return a.decide(on, grade, seen, "the container runs under "+own)
}

// confines says whether a label is one that refuses anything: AppArmor's as
// "profile (mode)", SELinux's as "user:role:type:level".
func confines(label string) bool {
	if f := strings.Split(label, ":"); len(f) >= 3 && !strings.Contains(label, "(") {
		return !slices.Contains([]string{"unconfined_t", "spc_t", "kernel_t", "init_t", "unconfined_service_t", "container_runtime_t"}, f[2])
	}
	return strings.HasSuffix(label, "(enforce)")
}
