package prove

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/mutate"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/report"
)

// What comes of a mutant.
const (
	killed          = "killed"
	survived        = "survived"
	crossTalk       = "cross-talk"
	notDemonstrable = "not-demonstrable"
	failedToTry     = "error"
)

// stack is the row that repeats what the others found. It is held against each
// mutant apart from them.
const stack = "stack.combined"

// baseline is what was seen with nothing taken away, judged.
type baseline struct {
	result  report.Result
	in      *check.Input
	checks  []*check.Check
	kernel  string // as check.GVisor, "" being Linux
	now     time.Time
	results map[string]check.Result // before anything is accepted
}

func newBaseline(result report.Result, in *check.Input, checks []*check.Check, now time.Time) *baseline {
	b := &baseline{result: result, in: in, checks: checks, now: now, results: verdicts(in, checks)}
	if in.Sandboxed() {
		b.kernel = check.GVisor
	}
	return b
}

// verdicts asks every judge; that of the whole last, which asks for the others'.
func verdicts(in *check.Input, checks []*check.Check) map[string]check.Result {
	own := *in
	own.Results = map[string]check.Result{}
	for _, c := range checks {
		res := c.Judge(&own)
		if res.Verdict == "" {
			res = check.Result{Verdict: check.Inconclusive, Evidence: check.NoGrade, Reason: "the judge gave no verdict"}
		}
		own.Results[c.ID] = res
	}
	return own.Results
}

// template is the ID that mutations know a check by.
func template(id string) string {
	if name, _, many := strings.Cut(id, "["); many {
		return name + "[*]"
	}
	return id
}

// demanded is the checks that must fail under a mutation: those that it flips on
// this kernel and that held before. One need not: the check of a command that the
// policy names by its path, which is found without PATH.
func (b *baseline) demanded(m mutate.Mutation) []*check.Check {
	var all []*check.Check
	for _, c := range b.checks {
		if c.ID != stack && !b.byPath(c) && b.results[c.ID].Verdict == check.Pass && mutate.Expected(b.kernel, m, template(c.ID)) == check.Fail {
			all = append(all, c)
		}
	}
	return all
}

// byPath says whether a check is about a command that the policy names by its
// path. The instances of the template are in the order of the policy's commands.
func (b *baseline) byPath(c *check.Check) bool {
	n := 0
	for _, other := range b.checks {
		if template(other.ID) != "env.command[*]" {
			continue
		}
		if other == c {
			return n < len(b.in.Policy.Environment.Commands) && strings.Contains(b.in.Policy.Environment.Commands[n].Run[0], "/")
		}
		n++
	}
	return false
}

// pointless is why a mutation cannot show anything here, before it is tried; ""
// if it can.
func (b *baseline) pointless(m mutate.Mutation) string {
	if !weakens(b.in.Wanted, m) {
		return nothingThere
	}
	if len(b.demanded(m)) > 0 {
		return ""
	}
	var broken, accepted, absent, blind []string
	declared := mutate.Flips(m.ID)
	for _, c := range b.checks {
		if !slices.Contains(declared, template(c.ID)) {
			continue
		}
		switch b.results[c.ID].Verdict {
		case check.Fail:
			if slices.ContainsFunc(b.in.Policy.Accept, func(a policy.Accept) bool { return a.Check == c.ID && a.Active(b.now) }) {
				accepted = append(accepted, c.ID)
				continue
			}
			broken = append(broken, c.ID)
		case check.NotApplicable:
			absent = append(absent, c.ID)
		case check.Inconclusive:
			blind = append(blind, c.ID)
		}
	}
	var why []string
	for _, w := range []struct {
		ids  []string
		what string
	}{
		{broken, "already broken in the baseline"},
		{accepted, "already below the bar in the baseline, which the policy accepts"},
		{blind, "could not be measured in the baseline"},
		{absent, "does not apply in the baseline"},
	} {
		if len(w.ids) > 0 {
			why = append(why, w.what+": "+strings.Join(w.ids, ", "))
		}
	}
	if len(why) > 0 {
		return strings.Join(why, "; ")
	}
	if !slices.ContainsFunc(b.checks, func(c *check.Check) bool { return slices.Contains(declared, template(c.ID)) }) {
		return "the policy asks for none of the checks that it breaks: " + strings.Join(declared, ", ")
	}
	return "" // an exception of the kernel's, which is held to what it says
}

// judge says what came of a mutant.
func (b *baseline) judge(e evidence) report.Mutant {
	m := report.Mutant{ID: e.mutation.ID, Title: e.mutation.Title, Cells: []report.Cell{}, NotAttempted: notAttempted(b.checks, e.mutation)}
	for _, id := range mutate.Flips(m.ID) {
		if c, ok := check.ByID(id); ok {
			m.Section = string(c.Section)
			break
		}
	}
	switch {
	case e.why != "":
		m.Outcome, m.Reason = notDemonstrable, e.why
		return m
	case e.err != nil:
		m.Outcome, m.Reason = failedToTry, e.err.Error()
		return m
	case e.in == nil:
		m.Outcome, m.Reason = failedToTry, "it was not tried"
		return m
	}
	got := verdicts(e.in, b.checks)
	demanded := b.demanded(e.mutation)
	var missed, crossed []string
	for _, c := range b.checks {
		before, now := b.results[c.ID].Verdict, got[c.ID].Verdict
		want := mutate.Expected(b.kernel, e.mutation, template(c.ID))
		switch {
		case !concerns(e.mutation, c), c.ID == stack, before == check.Fail, before == check.Inconclusive:
			continue // nothing can be shown with it
		case before == check.NotApplicable && (want != check.Pass || now == check.NotApplicable):
			continue
		case before == check.NotApplicable:
			want = check.NotApplicable
		}
		if want == check.Pass && now == check.Pass {
			continue
		}
		cell := report.Cell{Check: c.ID, Expected: string(want), Actual: string(now), Seen: []string{}, Unclear: []string{}, Reason: got[c.ID].Reason}
		if now == check.Fail {
			cell.Seen, cell.Unclear = seenBy(c, b.in, e.in)
		}
		m.Cells = append(m.Cells, cell)
		switch {
		case now == want:
		case want == check.Fail && now == check.Pass && b.byPath(c):
			m.Cells = m.Cells[:len(m.Cells)-1]
		case want == check.Fail:
			missed = append(missed, c.ID)
		default:
			crossed = append(crossed, c.ID)
		}
	}
	if len(demanded) > 0 && len(missed) == 0 && got[stack].Verdict != check.Fail && slices.ContainsFunc(b.checks, func(c *check.Check) bool { return c.ID == stack }) {
		m.Cells = append(m.Cells, report.Cell{Check: stack, Expected: string(check.Fail), Actual: string(got[stack].Verdict), Seen: []string{}, Unclear: []string{}, Reason: got[stack].Reason})
		missed = append(missed, stack)
	}
	switch {
	case len(missed) > 0:
		m.Outcome, m.Reason = survived, "not noticed by "+strings.Join(missed, ", ")
		if len(crossed) > 0 {
			m.Reason += "; undeclared: " + strings.Join(crossed, ", ")
		}
	case len(crossed) > 0:
		m.Outcome, m.Reason = crossTalk, "undeclared: "+strings.Join(crossed, ", ")
	case len(demanded) == 0:
		m.Outcome, m.Reason = notDemonstrable, b.excused(e.mutation)
	default:
		m.Outcome = killed
	}
	return m
}

// excused is why a mutation breaks nothing on this kernel.
func (b *baseline) excused(m mutate.Mutation) string {
	var why []string
	for _, id := range mutate.Flips(m.ID) {
		if w := mutate.WhyNotShown(b.kernel, m.ID, id); w != "" && !slices.Contains(why, w) {
			why = append(why, w)
		}
	}
	if len(why) == 0 {
		return "no check is declared to notice it"
	}
	return strings.Join(why, "; ")
}

// unrepeated says whether a mutant's trouble may be a busy machine's: it could not
// be tried, a check came to no verdict, or one failed that nothing was taken from.
// A check that holds although it should not is never that.
func unrepeated(m report.Mutant) bool {
	if m.Outcome == killed || m.Outcome == notDemonstrable {
		return false
	}
	return !slices.ContainsFunc(m.Cells, func(c report.Cell) bool { return c.Actual == string(check.Pass) && c.Actual != c.Expected })
}

// unsure is the indexes of the mutants to try once more: those whose attempt was
// the only one that could have shown a loss, and with trouble those whose trouble
// may be a busy machine's.
func (b *baseline) unsure(chosen []mutate.Mutation, mutants []report.Mutant, trouble bool) []int {
	again := map[string]bool{}
	for _, w := range b.assess(chosen, mutants).Witnesses {
		if b.unmoved(w) {
			for _, id := range w.Killers {
				again[id] = true
			}
		}
	}
	var all []int
	for i, m := range mutants {
		if m.ID != "" && (again[m.ID] || trouble && unrepeated(m)) {
			all = append(all, i)
		}
	}
	return all
}

// notAttempted is the checks that are left out under a mutation.
func notAttempted(checks []*check.Check, m mutate.Mutation) []string {
	out := []string{}
	for _, c := range checks {
		if !concerns(m, c) {
			out = append(out, c.ID)
		}
	}
	return out
}

// assess puts the mutants together: what was shown of each check, and the whole.
func (b *baseline) assess(chosen []mutate.Mutation, mutants []report.Mutant) report.ProofResult {
	out := report.ProofResult{Baseline: b.result, Mutants: mutants, Witnesses: []report.Witness{}}
	for _, c := range b.checks {
		out.Witnesses = append(out.Witnesses, b.witness(c, chosen, mutants))
	}
	out.Summary = b.summary(out)
	return out
}

// witness says what was shown about one check.
func (b *baseline) witness(c *check.Check, chosen []mutate.Mutation, mutants []report.Mutant) report.Witness {
	w := report.Witness{Check: c.ID, Baseline: string(b.results[c.ID].Verdict), Killers: []string{}, Seen: []string{}, Reason: c.NoMutation}
	seen := map[string]bool{}
	var undone []string
	unclear := false
	wanted, tried := 0, 0 // mutations that are to break it on this kernel
	for _, m := range mutate.All() {
		if mutate.Expected(b.kernel, m, template(c.ID)) == check.Fail {
			wanted++
		}
	}
	for i, m := range mutants {
		if mutate.Expected(b.kernel, chosen[i], template(c.ID)) != check.Fail {
			continue
		}
		tried++
		if m.Outcome == notDemonstrable && len(m.Cells) == 0 {
			undone = append(undone, m.ID+" ("+m.Reason+")")
		}
		for _, cell := range m.Cells {
			if cell.Check == c.ID && cell.Expected == string(check.Fail) && cell.Actual == cell.Expected {
				w.Killers = append(w.Killers, m.ID)
				for _, s := range cell.Seen {
					seen[s] = true
				}
				unclear = unclear || slices.Contains(cell.Unclear, attempt)
			}
		}
	}
	for _, a := range accounts {
		if seen[a] {
			w.Seen = append(w.Seen, a)
		}
	}
	switch {
	case w.Reason != "" || seen[attempt]:
	case len(w.Killers) > 0 && tried < wanted:
		w.Reason = fmt.Sprintf("%d of its %d mutations were tried, and in none did the attempt alone fail", tried, wanted)
	case len(w.Killers) > 0:
		w.Reason = mutate.WhyUnmoved(b.kernel, template(c.ID))
		if w.Reason == "" && unclear && b.results[c.ID].Evidence == check.Exercised {
			w.Reason = report.AttemptUnclear
		}
	case b.results[c.ID].Verdict != check.Pass:
		w.Reason = "it did not hold in the baseline, so nothing can be taken from it"
	case tried == 0:
		w.Reason = report.NotTried
	case len(undone) == tried:
		w.Reason = "none of its mutations can be demonstrated here: " + strings.Join(undone, "; ")
	default:
		w.Reason = "none of its mutations was noticed by it here"
	}
	return w
}

// unmoved says whether a check that is said to rest on an attempt was never moved
// by one, although it had the occasion.
func (b *baseline) unmoved(w report.Witness) bool {
	r := b.results[w.Check]
	return r.Verdict == check.Pass && r.Evidence == check.Exercised && len(w.Killers) > 0 && !slices.Contains(w.Seen, attempt) &&
		(w.Reason == "" || w.Reason == report.AttemptUnclear)
}

func (b *baseline) summary(p report.ProofResult) report.ProofSummary {
	s := report.ProofSummary{}
	for _, m := range p.Mutants {
		switch m.Outcome {
		case killed:
			s.Killed++
		case survived:
			s.Survived++
		case notDemonstrable:
			s.NotDemonstrable++
		case failedToTry:
			s.Errors++
		}
		for _, c := range m.Cells {
			if c.Actual != c.Expected && c.Expected != string(check.Fail) {
				s.CrossTalk++
			}
		}
	}
	s.Mutants = len(p.Mutants) - s.NotDemonstrable
	for _, w := range p.Witnesses {
		switch {
		case !b.unmoved(w):
		case w.Reason == "":
			s.Blind++
		default:
			s.Unclear++
		}
	}
	base := report.Outcome(p.Baseline.Summary)
	switch {
	case s.Survived+s.CrossTalk+s.Blind > 0 || base == "failed":
		s.Verdict = "failed"
	case s.Errors+s.Unclear > 0 || s.Killed == 0 || base != "proven":
		s.Verdict = "inconclusive"
	default:
		s.Verdict = "proven"
	}
	return s
}
