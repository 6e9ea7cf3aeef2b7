package check

import (
	"fmt"
	"slices"
	"strings"
)

func runChecks() []*Check {
	return []*Check{{
		ID: "run.clean-exit", Section: Run, Seeds: []string{"container_exits_cleanly"},
		Title:      "Exit codes and output arrive, and nothing is left",
		Why:        "CI decides on the exit code. A runtime that loses it, or output, or containers, makes every other result doubtful.",
		Attempt:    "One twin's guest is told to exit with 0 and another with 42; each closes its output with a last numbered line; both are removed.",
		Control:    "Two different codes: a code that is always 0 cannot pass.",
		Settings:   []string{"runtime"},
		Fix:        Fix{Policy: "runtime: one that the engine supports", Docker: "check docker info and the daemon's log", Compose: "as docker", Kubernetes: "check the runtime class and the kubelet's log"},
		NoMutation: "No setting takes it away: it is a property of engine and runtime. A fake engine that loses the code, the last line or the removal makes it fail in the unit tests.",
		Needs:      needs(need(Main, "user", "ids"), need(Isolate, "user", "marker")),
		Judge:      judgeCleanExit,
	}}
}

func judgeCleanExit(in *Input) Result {
	a := account{wanted: "exit codes 0 and 42, complete output, nothing left", wantedIs: on}
	var seen, bad []string
	codes := map[int]bool{}
	for _, e := range in.Exits {
		seen = append(seen, fmt.Sprintf("%s twin: asked for %d, got %d", e.Twin, e.Wanted, e.Got))
		switch {
		case e.Problem != "":
			return a.decide(silent, NoGrade, strings.Join(seen, "; "), fmt.Sprintf("the %s twin's end could not be observed: %s", e.Twin, e.Problem))
		case e.Got != e.Wanted:
			bad = append(bad, fmt.Sprintf("exit code %d came back as %d", e.Wanted, e.Got))
		case !e.StdoutComplete:
			bad = append(bad, fmt.Sprintf("the %s twin's output ended before its last line", e.Twin))
		case e.Left:
			bad = append(bad, fmt.Sprintf("the %s twin was still there after its removal", e.Twin))
		}
		codes[e.Got] = true
	}
	text := strings.Join(seen, "; ")
	switch {
	case len(bad) > 0:
		return a.decide(off, Exercised, text, strings.Join(bad, "; "))
	case !codes[0] || !codes[42]:
		return a.decide(silent, NoGrade, text, "not both exit codes were tried")
	}
	return a.decide(on, Exercised, text, "both codes came back, the output was complete and nothing is left")
}

func stackChecks() []*Check {
	return []*Check{{
		ID: "stack.combined", Section: Stack, Seeds: []string{"full_security_stack"},
		Title:      "All of it holds at once, in one container",
		Why:        "Protections that hold one at a time may get in each other's way. This is the report's headline.",
		Attempt:    "None of its own: every other row was measured on one set of settings in one run.",
		Control:    "Any other row that is not held makes it fail or leaves it open.",
		Settings:   []string{},
		Fix:        Fix{Policy: "see the rows that are not held", Docker: "as there", Compose: "as there", Kubernetes: "as there"},
		NoMutation: "It follows from the other rows, so every mutation breaks it; it is left out of each mutation's list of flips and asserted separately.",
		Judge:      judgeStack,
	}}
}

func judgeStack(in *Input) Result {
	counts := map[Verdict][]string{}
	for id, r := range in.Results {
		counts[r.Verdict] = append(counts[r.Verdict], id)
	}
	for _, ids := range counts {
		slices.Sort(ids)
	}
	r := Result{Wanted: "every protection at once", Evidence: Exercised,
		Observed: fmt.Sprintf("%d held, %d accepted, %d not applicable", len(counts[Pass]), len(counts[Accepted]), len(counts[NotApplicable]))}
	switch {
	case len(counts[Fail]) > 0:
		r.Verdict, r.Reason = Fail, "broken: "+few(counts[Fail])
	case len(counts[Inconclusive]) > 0:
		r.Verdict, r.Evidence, r.Reason = Inconclusive, NoGrade, "could not be measured: "+few(counts[Inconclusive])
	case len(counts[Pass]) == 0:
		r.Verdict, r.Evidence, r.Reason = Inconclusive, NoGrade, "no other row was asked for"
	case in.LeftOut > 0:
		r.Verdict, r.Evidence = NotApplicable, NoGrade
		r.Reason = fmt.Sprintf("%s left out, so this says nothing about all of it at once", plural(in.LeftOut, "row was", "rows were"))
	case len(counts[Accepted]) > 0:
		r.Verdict, r.Reason = Pass, "all rows hold in the same run, but for those that the policy accepts: "+few(counts[Accepted])
	default:
		r.Verdict, r.Reason = Pass, "all rows hold in the same run"
	}
	return r
}
