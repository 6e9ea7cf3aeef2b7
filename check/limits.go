package check

import (
	"fmt"
	"strconv"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
)

func limitChecks() []*Check {
	fix := func(policy, docker, compose, kube string) Fix {
		return Fix{Policy: policy, Docker: docker, Compose: compose, Kubernetes: kube}
	}
	return []*Check{
		{
			ID: "limits.pids", Section: Limits, Seeds: []string{"process_limit"},
			Title:    "A fork bomb stops at the limit",
			Why:      "Without a limit one runaway loop takes the host's process table with it.",
			Attempt:  "In the disposable twin, where a limit above 128 is scaled down to that, the user forks children that stay alive, towards 64 more than the limit, counts them and removes them.",
			Control:  "The first forks succeed, and the kernel's counter of refused forks moves.",
			Settings: []string{"limits.pids"}, Fix: fix("limits: {pids: 100}", "--pids-limit 100", "pids_limit: 100", "the kubelet's podPidsLimit (per node)"),
			Refs:  []string{"CIS-Docker 5.29", "OWASP-Docker 7", "NSA-CISA 4.0", "NIST-800-190 4.4.3", "MITRE-ATTACK T1499"},
			Needs: need(Exhaust, probe.User, "exhaust.pids"), Mutations: []string{"pids.unlimited"},
			Judge: judgePIDs,
		},
		{
			ID: "limits.memory", Section: Limits, Seeds: []string{"memory_limit"},
			Title:    "Memory stops at the limit",
			Why:      "A process that eats the host's memory takes other people's work down before it dies itself.",
			Attempt:  "In the disposable twin, whose limit is scaled down by one factor (an unlimited one stays unlimited), a child touches memory past it; --full-scale does it at the declared size.",
			Control:  "The child reports that it touched half, and the kernel's counter of OOM kills moves.",
			Settings: []string{"limits.memory"}, Fix: fix("limits: {memory: 2g}", "--memory 2g", "mem_limit: 2g", "resources.limits.memory: 2Gi"),
			Refs:  []string{"CIS-Docker 5.11", "OWASP-Docker 7", "NSA-CISA 4.0", "NIST-800-190 4.4.3", "MITRE-ATTACK T1499"},
			Needs: need(Exhaust, probe.User, "exhaust.memory"), Mutations: []string{"memory.unlimited"},
			Judge: judgeMemory,
		},
		{
			ID: "limits.swap", Section: Limits,
			Title:    "Swap is no way around the memory limit",
			Why:      "--memory alone allows as much swap again on top, and a swapping container slows the whole host.",
			Attempt:  "None: the kernel's limit on memory plus swap is read and must equal the one on memory.",
			Control:  "The same file holds another value where swap is allowed.",
			Settings: []string{"limits.swap"}, Fix: fix("limits: {swap: 0}", "--memory-swap equal to --memory", "memswap_limit equal to mem_limit", "the kubelet's failSwapOn, or memorySwap: NoSwap"),
			Refs:  []string{"CIS-Docker 5.11"},
			Needs: need(Main, probe.User, "ids"), Mutations: []string{"swap.unlimited", "memory.unlimited"},
			Judge: judgeSwap,
		},
		{
			ID: "limits.cpu", Section: Limits, Seeds: []string{"cpu_limit_set"},
			Title:    "CPU time stops at the quota",
			Why:      "An agent in a loop must not starve the host. nproc shows the host's cores whatever the quota: it proves nothing.",
			Attempt:  "In the isolating twin, whose quota is scaled below the host's cores, more threads than the quota burn.",
			Control:  "The kernel's counter of throttled periods moves: the threads wanted more than they got.",
			Settings: []string{"limits.cpus"}, Fix: fix("limits: {cpus: 2}", "--cpus 2", "cpus: 2", "resources.limits.cpu: 2"),
			Refs:  []string{"CIS-Docker 5.12", "OWASP-Docker 7", "NSA-CISA 4.1", "NIST-800-190 4.4.3", "MITRE-ATTACK T1496"},
			Needs: need(Isolate, probe.User, "exhaust.cpu"), Mutations: []string{"cpus.unlimited"},
			Judge: judgeCPU,
		},
		{
			ID: "limits.nofile", Section: Limits,
			Title:    "Open files stop at the limit",
			Why:      "Descriptors are kernel memory; a leak in one container must not become everyone's.",
			Attempt:  "A child duplicates descriptors until it is refused, and counts them.",
			Control:  "The first ones open.",
			Settings: []string{"limits.nofile"}, Fix: fix("limits: {nofile: 1024}", "--ulimit nofile=1024:1024", "ulimits: {nofile: 1024}", "not in the API: the runtime's default"),
			Refs:  []string{"CIS-Docker 5.19", "OWASP-Docker 7", "NIST-800-190 4.4.3"},
			Needs: need(Main, probe.User, "rlimit.nofile"), Mutations: []string{"nofile.unlimited"},
			Judge: judgeNoFile,
		},
		{
			ID: "limits.core", Section: Limits,
			Title:    "No core is dumped",
			Why:      "A core file is the process's memory on disk: prompts, tokens, everything.",
			Attempt:  "The limit is read; where the host writes cores to files a child aborts.",
			Control:  "In a twin without the limit the same child does dump a core.",
			Settings: []string{"limits.core"}, Fix: fix("limits: {core: 0}", "--ulimit core=0", "ulimits: {core: 0}", "not in the API: the runtime's default"),
			Refs:  []string{"CIS-Docker 5.19"},
			Needs: needs(need(Main, probe.User, "rlimit.core"), need(Isolate, probe.User, "rlimit.core")), Mutations: []string{"core.unlimited"},
			Judge: judgeCore,
		},
	}
}

// accountLimit compares one number in three places; 0 is unlimited in the
// policy and the engine, negative in the kernel.
func accountLimit(in *Input, name string, wanted, declared int64, text func(int64) string, read func(*kernel.Cgroup) int64) account {
	say := func(n int64) string {
		if n <= 0 {
			return "unlimited"
		}
		return text(n)
	}
	a := account{
		wanted: name + ": " + say(wanted), wantedIs: answerOf(wanted > 0),
		declared: name + " " + say(declared), declaredIs: answerOf(declared > 0 && declared == wanted),
	}
	a.askCgroup(in, func(c *kernel.Cgroup) (string, answer) {
		n := read(c)
		if n == kernel.NotKnown {
			return "this controller cannot be read", silent
		}
		// The kernel rounds memory down to whole pages, of up to 64 KiB.
		return say(n), answerOf(n == wanted || name == "memory" && n < wanted && n > wanted-page)
	})
	return a
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// moved says whether one of the kernel's counters grew while a twin ran: on,
// off, or silent where it cannot be read.
func moved(in *Input, t Twin, read func(kernel.Cgroup) int64) answer {
	tw := in.Twins[t]
	if tw == nil || tw.Kernel == nil || tw.After == nil {
		return silent
	}
	before, after := read(tw.Kernel.Cgroup), read(*tw.After)
	if after < 0 {
		return silent
	}
	return answerOf(after > max(before, 0))
}

func counterText(name string, a answer) string {
	switch a {
	case on:
		return "the kernel's " + name + " moved"
	case off:
		return "the kernel's " + name + " did not move"
	}
	return "the kernel's " + name + " could not be read"
}

func judgePIDs(in *Input) Result {
	want := int64(in.Policy.Limits.PIDs)
	a := accountLimit(in, "pids", want, in.declared().PIDs, count, func(c *kernel.Cgroup) int64 { return c.PIDs })
	if r := a.sandboxEnded(in, "limits.pids", "exhaust.pids", "first fork",
		"refused fork", func(c kernel.Cgroup) int64 { return c.PIDsMax }); r != nil {
		return *r
	}
	twin := in.attemptedIn("exhaust.pids")
	o, why := in.see(twin, probe.User, "exhaust.pids")
	if why != "" {
		return a.unmeasured(why)
	}
	reached := ScalePIDs(want, want, in.Twins[twin].FullScale)
	t, found := attempt(o, "fork without end", "")
	_, ok := control(o, "first fork")
	base, _ := strconv.ParseInt(o.Facts["base"], 10, 64)
	forks, err := strconv.ParseInt(o.Facts["forks"], 10, 64)
	counter := moved(in, twin, func(c kernel.Cgroup) int64 { return c.PIDsMax })
	seen := fmt.Sprintf("%s with %d children and %d tasks before; %s", show(t), forks, base, counterText("count of refused forks", counter))
	switch {
	case !found || err != nil:
		return a.decide(silent, NoGrade, seen, "no attempt was made")
	case t.OK:
		return a.decide(off, Exercised, seen, fmt.Sprintf("%d children were alive at once", forks))
	case t.Errno != "EAGAIN":
		return a.decide(silent, NoGrade, seen, "fork failed for another reason: "+t.Errno)
	case !ok:
		return a.decide(silent, NoGrade, seen, "the control failed: not even the first fork succeeded")
	case counter == off || base+forks > reached+16 || counter == silent && base+forks < reached-16:
		return a.decide(silent, NoGrade, seen, "forks were refused, but not by this limit")
	}
	return a.decide(on, Exercised, seen, fmt.Sprintf("fork refused with EAGAIN after %d children", forks))
}

func judgeMemory(in *Input) Result {
	a := accountLimit(in, "memory", int64(in.Policy.Limits.Memory), in.declared().Memory, bytesText, func(c *kernel.Cgroup) int64 { return c.Memory })
	if r := a.sandboxEnded(in, "limits.memory", "exhaust.memory", "touch half",
		"OOM kill", func(c kernel.Cgroup) int64 { return c.OOMKills }); r != nil {
		return *r
	}
	twin := in.attemptedIn("exhaust.memory")
	o, why := in.see(twin, probe.User, "exhaust.memory")
	if why != "" {
		return a.unmeasured(why)
	}
	t, found := attempt(o, "touch past the limit", "")
	_, ok := control(o, "touch half")
	counter := moved(in, twin, func(c kernel.Cgroup) int64 { return c.OOMKills })
	seen := fmt.Sprintf("%s (limit of the twin %s); %s", show(t), bytesText(in.Twins[twin].Declared.Memory), counterText("count of OOM kills", counter))
	switch {
	case !found:
		return a.decide(silent, NoGrade, seen, "no attempt was made")
	case t.OK:
		return a.decide(off, Exercised, seen, "a process touched more than the limit and lived")
	case t.Errno != "SIGKILL":
		return a.decide(silent, NoGrade, seen, "the child ended for another reason: "+t.Errno)
	case !ok:
		return a.decide(silent, NoGrade, seen, "the control failed: the child did not reach half of the limit")
	case counter == off:
		return a.decide(silent, NoGrade, seen, "the child was killed, but not by this limit")
	}
	return a.decide(on, Exercised, seen, "the child was killed past the limit, after it had touched half; the twin lived on")
}

func judgeSwap(in *Input) Result {
	want := int64(in.Policy.Limits.Swap)
	d := in.declared()
	a := account{
		wanted: "swap: " + onOff(want == 0, "none", bytesText(want)), wantedIs: answerOf(want == 0),
		declared: "swap on top of memory: " + onOff(d.Swap == 0, "none", bytesText(d.Swap)), declaredIs: answerOf(d.Memory > 0 && d.Swap == 0),
	}
	a.askCgroup(in, func(c *kernel.Cgroup) (string, answer) {
		if c.Swap == kernel.NotKnown || c.Memory == kernel.NotKnown {
			return "no swap accounting", silent
		}
		return fmt.Sprintf("memory %s, memory+swap %s", bytesText(c.Memory), bytesText(c.Swap)), answerOf(c.Memory > 0 && c.Swap == c.Memory)
	})
	// The first process must really be there for its cgroup to mean anything.
	if _, why := in.see(Main, probe.User, "ids"); why != "" {
		return a.unmeasured(why)
	}
	if a.kernelIs == silent {
		return a.decide(on, Declared, "", "only the engine says so: "+a.kernel)
	}
	return a.decide(a.kernelIs, Kernel, "", "the limit on memory plus swap equals the one on memory")
}

func judgeCPU(in *Input) Result {
	quota := func(c *kernel.Cgroup) int64 { return cpuShare(*c) }
	cpus := func(n int64) string { return strconv.FormatFloat(float64(n)/1000, 'g', -1, 64) + " CPUs" }
	a := accountLimit(in, "cpus", int64(in.Policy.Limits.CPUs), in.declared().MilliCPU, cpus, quota)
	o, why := in.see(Isolate, probe.User, "exhaust.cpu")
	if why != "" {
		return a.unmeasured(why)
	}
	cpu, err1 := strconv.ParseFloat(o.Facts["cpu_us"], 64)
	wall, err2 := strconv.ParseFloat(o.Facts["wall_us"], 64)
	if err1 != nil || err2 != nil || wall <= 0 {
		return a.unmeasured("CPU time could not be read")
	}
	used := cpu / wall
	limit := float64(in.Twins[Isolate].Declared.MilliCPU) / 1000
	counter := moved(in, Isolate, func(c kernel.Cgroup) int64 { return c.CPUThrottled })
	if n, err := strconv.ParseInt(o.Facts["throttled"], 10, 64); err == nil && (counter == silent || n == 0) {
		counter = answerOf(n > 0) // what the container sees of its own cgroup
	}
	seen := fmt.Sprintf("%s threads burned %.2f CPUs against a quota of %.2f; %s", o.Facts["threads"], used, limit, counterText("count of throttled periods", counter))
	switch {
	case limit == 0 && used > scaledQuota(in):
		return a.decide(off, Exercised, seen, "the threads burned more than the scaled quota")
	case limit == 0:
		return a.decide(silent, NoGrade, seen, "the host was too busy for the threads to exceed the quota")
	// Within one period of 100 ms the threads may use the whole quota at once, so
	// a rate means something only over several of them; then it means more than any
	// counter, but for a sandbox, which counts what the host gave to others.
	case used > 1.5*limit+0.15 && wall > 300_000 && !(in.Sandboxed() && counter == on):
		return a.decide(off, Exercised, seen, "the threads burned more than the quota")
	case counter == on:
		return a.decide(on, Exercised, seen, "the threads wanted more and were throttled")
	case counter == silent && used > 0.6*limit:
		return a.decide(on, Exercised, seen, "the threads wanted more and got about the quota")
	}
	return a.decide(silent, NoGrade, seen, "the threads were not throttled, so the quota was not put to the test")
}

// scaledQuota is the quota the isolating twin would have had, in CPUs.
func scaledQuota(in *Input) float64 {
	return float64(ScaleCPU(int64(in.Policy.Limits.CPUs), int64(in.Policy.Limits.CPUs), in.NCPU, in.Twins[Isolate].FullScale)) / 1000
}

func judgeNoFile(in *Input) Result {
	want := int64(in.Policy.Limits.NoFile)
	a := accountLimit(in, "nofile", want, in.declared().Ulimits["nofile"], count, func(*kernel.Cgroup) int64 { return kernel.NotKnown })
	a.kernelIs = silent
	a.ask(in, func(k *kernel.State) (string, answer) {
		l, ok := k.Limits["nofile"]
		if !ok {
			return "no such limit", silent
		}
		return count(l.Hard), answerOf(l.Hard == want)
	})
	o, why := in.see(Main, probe.User, "rlimit.nofile")
	if why != "" {
		return a.unmeasured(why)
	}
	t, found := attempt(o, "open descriptors until refused", "")
	had, err := strconv.ParseInt(o.Facts["had"], 10, 64)
	seen := fmt.Sprintf("%s with %d open", show(t), had)
	_, ok := control(o, "open a descriptor")
	switch {
	case !found || err != nil:
		return a.decide(silent, NoGrade, seen, "no attempt was made")
	case t.OK || had > want:
		return a.decide(off, Exercised, seen, fmt.Sprintf("%d descriptors were open at once", had))
	case t.Errno != "EMFILE" || !ok:
		return a.decide(silent, NoGrade, seen, "refused for another reason: "+t.Errno)
	case had < want:
		return a.decide(silent, NoGrade, seen, fmt.Sprintf("refused already at %d", had))
	}
	return a.decide(on, Exercised, seen, "EMFILE exactly at the limit")
}

func judgeCore(in *Input) Result {
	want := int64(in.Policy.Limits.Core)
	say := func(n int64) string { return onOff(n == 0, "0", bytesText(n)) }
	a := account{wanted: "core: " + say(want), wantedIs: answerOf(want == 0)}
	d, set := in.declared().Ulimits["core"]
	a.declared, a.declaredIs = onOff(set, "core "+say(d), "core not set"), answerOf(set && d == 0)
	a.ask(in, func(k *kernel.State) (string, answer) {
		l, ok := k.Limits["core"]
		if !ok {
			return "no such limit", silent
		}
		return fmt.Sprintf("core soft %d, hard %d", l.Soft, l.Hard), answerOf(l.Soft == 0 && l.Hard == 0)
	})
	o, why := in.see(Main, probe.User, "rlimit.core")
	if why != "" {
		return a.unmeasured(why)
	}
	seen := fmt.Sprintf("limit %s/%s", o.Facts["soft"], o.Facts["hard"])
	if o.Facts["soft"] == "" || o.Facts["hard"] == "" {
		return a.decide(silent, NoGrade, seen, "the limit could not be read")
	}
	if o.Facts["soft"] != "0" || o.Facts["hard"] != "0" {
		return a.decide(off, Exercised, seen, "the process may dump a core")
	}
	grade := Declared // the container's own word, unless the kernel says so too
	if a.kernelIs == on {
		grade = Kernel
	}
	if note := o.Facts["not aborted"]; note != "" {
		return a.decide(on, grade, seen, "the limit is 0; no core was provoked: "+note)
	}
	t, found := attempt(o, "core dump", "")
	var dumped probe.Attempt
	if iso, why := in.see(Isolate, probe.User, "rlimit.core"); why == "" {
		dumped, _ = attempt(iso, "core dump", "")
	}
	_, ok := control(o, "SIGABRT ends a child")
	seen += "; " + show(t) + "; in the twin without the limit: " + show(dumped)
	switch {
	case !found || !ok:
		return a.decide(silent, NoGrade, seen, "no child was aborted")
	case t.OK:
		return a.decide(off, Exercised, seen, "a core was dumped")
	case !dumped.OK:
		return a.decide(on, grade, seen, "the limit is 0 and no core was dumped; the control dumped none either, so this rests on the limit")
	}
	return a.decide(on, Exercised, seen, "no core; without the limit the same child dumps one")
}
