package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// answer is a source's word on one protection. The zero value is silence.
type answer int

const (
	silent answer = iota
	on
	off
)

func answerOf(ok bool) answer {
	if ok {
		return on
	}
	return off
}

// and combines two answers about parts of one protection: one part off is off,
// and one part unknown leaves the whole unknown.
func (a answer) and(b answer) answer {
	switch {
	case a == off || b == off:
		return off
	case a == silent || b == silent:
		return silent
	}
	return on
}

// account is what the three sources beside the attempt say of one protection,
// in words for the report and as an answer for the verdict.
type account struct {
	wanted, declared, kernel       string
	wantedIs, declaredIs, kernelIs answer
}

// result is a Result with the account's words filled in.
func (a account) result(v Verdict, g Grade, observed, reason string) Result {
	return Result{Verdict: v, Evidence: g, Wanted: a.wanted, Declared: a.declared, Kernel: a.kernel, Observed: observed, Reason: reason}
}

// decide turns an account and the outcome of the attempt into a verdict. A
// source that says off breaks the check whatever the others say, and the first
// one in the chain from policy to kernel is the link to name; silence of the
// attempt is inconclusive, never a pass.
func (a account) decide(held answer, grade Grade, observed, why string) Result {
	switch {
	case a.wantedIs == off:
		return a.result(Fail, grade, observed, "the policy itself asks for less than the bar: "+a.wanted)
	case a.declaredIs == off:
		return a.result(Fail, grade, observed, "the policy asks for it, but the engine was not told: it says "+a.declared)
	case a.kernelIs == off:
		return a.result(Fail, grade, observed, "the engine was told, but the kernel does not enforce it: it has "+a.kernel)
	case held == off && a.kernelIs == on:
		return a.result(Fail, grade, observed, "the policy, the engine and the kernel all say it is on, and yet "+why)
	case held == off && a.declaredIs == on:
		return a.result(Fail, grade, observed, "the policy and the engine say it is on, and yet "+why)
	case held == off:
		return a.result(Fail, grade, observed, why)
	case held == silent:
		return a.result(Inconclusive, NoGrade, observed, why)
	}
	return a.result(Pass, grade, observed, why)
}

// unmeasured is the verdict when a needed observation is missing.
func (a account) unmeasured(why string) Result {
	return a.decide(silent, NoGrade, "", why)
}

// see returns what a probe saw, or why there is nothing to judge.
func (in *Input) see(t Twin, role probe.Role, name string) (probe.Observation, string) {
	tw := in.Twins[t]
	if tw == nil {
		return probe.Observation{}, fmt.Sprintf("the %s twin did not run", t)
	}
	o, ok := tw.Seen[role][name]
	switch {
	case !ok && tw.Problem != "":
		return o, fmt.Sprintf("the %s twin's guest did not get to it: %s", t, tw.Problem)
	case !ok:
		return o, fmt.Sprintf("the %s twin's guest reported nothing from probe %s", t, name)
	case o.Error != "":
		return o, fmt.Sprintf("probe %s could not do its work: %s", name, o.Error)
	case len(o.Attempts) == 0 && len(o.Facts) == 0:
		return o, fmt.Sprintf("probe %s attempted nothing", name)
	}
	return o, ""
}

// declared returns what the engine says of the main twin.
func (in *Input) declared() spec.Container {
	if tw := in.Twins[Main]; tw != nil {
		return tw.Declared
	}
	return spec.Container{}
}

// undeclared says whether the engine's API does not report a setting at all, so
// that its absence from declared is silence and not "off".
func (in *Input) undeclared(field string) bool {
	tw := in.Twins[Main]
	return tw != nil && slices.Contains(tw.Undeclared, field)
}

// kernel returns what the kernel says of the main twin, nil when it could not
// be read.
func (in *Input) kernel() *kernel.State {
	if tw := in.Twins[Main]; tw != nil && !in.Sandboxed() {
		// Before the guest has said which kernel it found, the process may be a
		// sandbox.
		if _, said := tw.Seen[probe.User]["ids"]; said {
			return tw.Kernel
		}
	}
	return nil
}

// kernelNote says why there is no kernel account.
func (in *Input) kernelNote() string {
	switch tw := in.Twins[Main]; {
	case in.Sandboxed():
		return "not read: " + sandboxNote
	case tw != nil && tw.Kernel != nil:
		return "not used: the guest did not say which kernel it runs on"
	}
	if tw := in.Twins[Main]; tw != nil && tw.KernelNote != "" {
		return "not read: " + tw.KernelNote
	}
	return "not read"
}

// ask fills in the kernel's part of an account where there is a kernel account.
func (a *account) ask(in *Input, f func(*kernel.State) (string, answer)) {
	k := in.kernel()
	if k == nil {
		a.kernel = in.kernelNote()
		return
	}
	a.kernel, a.kernelIs = f(k)
}

// refused says whether an errno is the kernel's refusal of permission.
func refused(errno string) bool { return errno == "EPERM" || errno == "EACCES" }

// show renders attempts for the report: what was tried, on what, and what came
// of it.
func show(attempts ...probe.Attempt) string {
	var parts []string
	for _, a := range attempts {
		s := a.Act
		if a.On != "" {
			s += " " + a.On
		}
		if a.OK {
			s += ": succeeded"
		} else {
			s += ": " + a.Errno
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}

// pick returns the attempts that match.
func pick(o probe.Observation, match func(probe.Attempt) bool) []probe.Attempt {
	var out []probe.Attempt
	for _, a := range o.Attempts {
		if match(a) {
			out = append(out, a)
		}
	}
	return out
}

// control returns a control attempt of an act that succeeded, else the last one.
func control(o probe.Observation, act string) (probe.Attempt, bool) {
	var last probe.Attempt
	for _, a := range o.Attempts {
		if a.Control && a.Act == act {
			if a.OK {
				return a, true
			}
			last = a
		}
	}
	return last, false
}

// attempt returns the first non-control attempt of an act on an object; on ""
// matches any.
func attempt(o probe.Observation, act, on string) (probe.Attempt, bool) {
	for _, a := range o.Attempts {
		if !a.Control && a.Act == act && (on == "" || a.On == on) {
			return a, true
		}
	}
	return probe.Attempt{}, false
}

// few shortens a list for a sentence.
func few(list []string) string {
	const most = 6
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}

func onOff(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// mountAt finds what the kernel has mounted at a place of the policy. An engine
// follows the image's symbolic links (/var/run) when it mounts.
func (in *Input) mountAt(k *kernel.State, place string) (kernel.Mount, bool) {
	return k.MountAt(in.real(place))
}

func (in *Input) real(place string) string {
	if tw := in.Twins[Main]; tw != nil {
		if r := tw.Seen[probe.User]["ids"].Facts["real:"+place]; r != "" {
			return r
		}
	}
	return place
}
