package prove

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/mutate"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/report"
)

// recording is what one proof saw of each mutant, the last time it was tried.
type recording struct {
	base    evidence
	mutants []evidence
}

func (r *recording) add(e evidence) {
	if e.mutation.ID == "" {
		r.base = e
		return
	}
	if i := slices.IndexFunc(r.mutants, func(old evidence) bool { return old.mutation.ID == e.mutation.ID }); i >= 0 {
		r.mutants[i] = e
		return
	}
	r.mutants = append(r.mutants, e)
}

// proof judges the recording again, with other judges if there are any.
func (r *recording) proof(checks []*check.Check) report.ProofResult {
	now := time.Now()
	var rendered []report.Check
	in := *r.base.in
	in.Results = map[string]check.Result{}
	for _, c := range checks {
		res := c.Decide(&in, now)
		in.Results[c.ID] = res
		rendered = append(rendered, report.Check{ID: c.ID, Verdict: string(res.Verdict), Evidence: string(res.Evidence)})
	}
	b := newBaseline(report.Result{Checks: rendered, Summary: report.Summarize(rendered)}, r.base.in, checks, now)
	var chosen []mutate.Mutation
	var mutants []report.Mutant
	for _, e := range r.mutants {
		chosen = append(chosen, e.mutation)
		mutants = append(mutants, b.judge(e))
	}
	return b.assess(chosen, mutants)
}

// names is the checks that a proof has something against.
func names(p report.ProofResult) map[string]bool {
	named := map[string]bool{}
	for _, c := range p.Baseline.Checks {
		if c.Verdict == "fail" || c.Verdict == "inconclusive" {
			named[c.ID] = true
		}
	}
	for _, m := range p.Mutants {
		for _, c := range m.Cells {
			if c.Actual != c.Expected {
				named[c.Check] = true
			}
		}
	}
	for _, w := range p.Witnesses {
		if w.Reason == "" && !slices.Contains(w.Seen, attempt) {
			named[w.Check] = true // blind, or it would have a reason
		}
	}
	return named
}

// spoiled is a recording in which the observations of one probe are others.
func (r *recording) spoiled(in *check.Input, edit func(check.Twin, probe.Role, map[string]probe.Observation)) *check.Input {
	if in == nil {
		return nil
	}
	out := *in
	out.Twins = map[check.Twin]*check.TwinState{}
	for name, tw := range in.Twins {
		mine := *tw
		mine.Seen = map[probe.Role]map[string]probe.Observation{}
		for role, seen := range tw.Seen {
			mine.Seen[role] = maps.Clone(seen)
			edit(name, role, mine.Seen[role])
		}
		out.Twins[name] = &mine
	}
	return &out
}

// unheard are the probes of which no weakening can tell whether they say the
// truth, by kernel ("" is every one), with the reason.
var unheard = map[string]map[string]string{
	"": {
		"marker":     "it says that the guest runs at all, before anything is weakened",
		"memfd":      "it feeds the residual risks, and no verdict",
		"suid.plant": "it places what suid.run attempts with; what it reports is whether that worked",
	},
	check.GVisor: {
		"dev.make":      "the sandbox's device nodes are the same few whatever the engine adds, which dev.list sees",
		"namespaces":    "a sandbox has namespaces of its own whatever it is told of the host's",
		"net.packet":    "runsc takes CAP_NET_RAW away again, which a packet socket needs",
		"sockets":       "runsc connects nobody to a socket of the host's",
		"dev.open":      "device nodes never lead to the host there, with the option and without; the row is not graded as exercised",
		"exhaust.cpu":   "the host's counter tells what came of it",
		"exhaust.tmpfs": "no weakening there takes the bound away and leaves the size that statfs shows",
		"rlimit.core":   "a sandbox dumps no core with the limit or without; the row is not graded as exercised",
		"tmp.write":     "an empty /tmp of the image is writable there, with the policy's tmpfs and without",
	},
}

// redundant are the probes that show the same losses, so that of one alone no
// weakening can tell either; of all of them together it must.
var redundant = [][]string{{"dev.list", "dev.make"}}

// unweakened are the checks that no weakening can break on a kernel, so that a judge
// that passes always cannot be told there either, with the reason.
var unweakened = map[string]map[string]string{
	check.GVisor: {"ns.net": "gVisor does not start in the host's network"},
}

// unnoticed are the probes whose silence changes no verdict.
var unnoticed = map[string][]string{"": {"memfd"}, check.GVisor: {"dev.open"}}

// remembered is the checks with judges that are asked once about each recorded
// input. A judge is a pure function, and the guard judges the same evidence again
// for every judge that it breaks. That of the whole is left out: it asks for the
// others' verdicts, which are not the same each time.
func (r *recording) remembered(checks []*check.Check) []*check.Check {
	type question struct {
		id string
		on unsafe.Pointer // the map of twins, which copies of an input share
	}
	recorded := map[unsafe.Pointer]bool{}
	for _, e := range append(r.mutants, r.base) {
		if e.in != nil {
			recorded[reflect.ValueOf(e.in.Twins).UnsafePointer()] = true
		}
	}
	said := map[question]check.Result{}
	var out []*check.Check
	for _, c := range checks {
		asking := *c
		if c.ID != stack {
			asking.Judge = func(in *check.Input) check.Result {
				q := question{c.ID, reflect.ValueOf(in.Twins).UnsafePointer()}
				if !recorded[q.on] {
					return c.Judge(in)
				}
				res, ok := said[q]
				if !ok {
					res = c.Judge(in)
					said[q] = res
				}
				return res
			}
		}
		out = append(out, &asking)
	}
	return out
}

// guard spoils one part of the verifier at a time, and demands that the proof
// judged from the same evidence comes out not proven and names a check that rests
// on that part.
func guard(t *testing.T, r *recording) {
	t.Helper()
	checks := r.remembered(r.base.checks)
	before := names(r.proof(checks)) // nothing, on a machine that has time
	held := verdicts(r.base.in, checks)
	kernel := newBaseline(report.Result{}, r.base.in, checks, time.Now()).kernel
	for i, c := range checks {
		for kind, judge := range map[string]func(*check.Input) check.Result{
			"passes always": func(*check.Input) check.Result { return check.Result{Verdict: check.Pass, Evidence: check.Exercised} },
			"is empty":      func(*check.Input) check.Result { return check.Result{} },
		} {
			if kind == "passes always" && c.NoMutation != "" && c.ID != stack || held[c.ID].Verdict != check.Pass && held[c.ID].Verdict != check.NotApplicable {
				continue
			}
			broken := *c
			broken.Judge = judge
			others := slices.Clone(checks)
			others[i] = &broken
			p := r.proof(others)
			if held[c.ID].Verdict == check.NotApplicable && kind == "passes always" {
				continue // nothing is there that could be lost
			}
			noticed := p.Summary.Verdict != "proven" && names(p)[c.ID]
			if kind == "passes always" && unweakened[kernel][c.ID] != "" {
				if noticed {
					t.Errorf("%s is excused (%s), and it is noticed that its judge passes always", c.ID, unweakened[kernel][c.ID])
				}
				continue
			}
			if !noticed {
				t.Errorf("the judge of %s %s, and it comes out %s, naming %v", c.ID, kind, p.Summary.Verdict, slices.Sorted(maps.Keys(names(p))))
			}
		}
	}
	probes := map[string]bool{}
	for _, tw := range r.base.in.Twins {
		for _, seen := range tw.Seen {
			for name := range seen {
				probes[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(probes)) {
		if strings.HasSuffix(name, check.BelowLimit("")) {
			continue // the control of the one without the suffix
		}
		excused := slices.Contains(slices.Concat(unnoticed[kernel], unnoticed[""]), name)
		if found := beyond(r.silenced(name).proof(checks), before); (len(found) == 0) != excused {
			t.Errorf("probe %s reports nothing, and it comes out as before, but for %v", name, found)
		}
		found := beyond(r.lying(name).proof(checks), before)
		deaf := unheard[""][name]+unheard[kernel][name] != ""
		switch i := slices.IndexFunc(redundant, func(all []string) bool { return slices.Contains(all, name) }); {
		case i >= 0 && !deaf:
			if found = beyond(r.lying(redundant[i]...).proof(checks), before); len(found) == 0 {
				t.Errorf("probes %v say under every weakening what they said without, and it comes out as before", redundant[i])
			}
		case deaf != (len(found) == 0):
			t.Errorf("probe %s says under every weakening what it said without, and it comes out as before, but for %v", name, found)
		}
		t.Logf("probe %s, lying: %v", name, found)
	}
}

// silenced is the recording in which a probe reports nothing.
func (r *recording) silenced(name string) *recording {
	silent := func(_ check.Twin, _ probe.Role, seen map[string]probe.Observation) {
		if _, was := seen[name]; was {
			seen[name] = probe.Observation{Probe: name}
		}
	}
	out := &recording{base: r.base}
	out.base.in = r.spoiled(r.base.in, silent)
	for _, e := range r.mutants {
		e.in = r.spoiled(e.in, silent)
		out.mutants = append(out.mutants, e)
	}
	return out
}

// lying is the recording in which probes say under every weakening what they said
// without.
func (r *recording) lying(names ...string) *recording {
	out := &recording{base: r.base}
	for _, e := range r.mutants {
		e.in = r.spoiled(e.in, func(twin check.Twin, role probe.Role, seen map[string]probe.Observation) {
			for _, name := range names {
				if base := r.base.in.Twins[twin]; base != nil && base.Seen[role][name].Probe != "" {
					seen[name] = base.Seen[role][name]
				}
			}
		})
		out.mutants = append(out.mutants, e)
	}
	return out
}

// beyond is the checks that a proof that is not proven names, less those named
// before.
func beyond(p report.ProofResult, before map[string]bool) []string {
	if p.Summary.Verdict == "proven" {
		return nil
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(names(p))), func(id string) bool { return before[id] || id == stack })
}
