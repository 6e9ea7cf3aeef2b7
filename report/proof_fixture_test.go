package report

import (
	"fmt"
	"time"
)

// hostileProof has a mutant of every outcome and a cell of every state, and hostile
// text where a container could put some.
func hostileProof() Proof {
	h := hostile[0] + hostile[5]
	checks := []Check{
		{ID: "fs.tmp-noexec", Title: "Nothing runs from a declared tmpfs", Section: "filesystem", Verdict: pass, Evidence: exercised},
		{ID: "fs.tmp-bounded", Title: "A declared tmpfs is full at its size", Section: "filesystem", Verdict: pass, Evidence: exercised},
		{ID: "limits.pids", Title: "The number of processes is bounded", Section: "limits", Verdict: pass, Evidence: exercised},
		{ID: "env.command[a]", Title: "A command runs", Section: "environment", Verdict: pass, Evidence: exercised},
		{ID: "env.command[b]", Title: "A command runs", Section: "environment", Verdict: pass, Evidence: exercised},
		{ID: "hostile" + h, Title: h, Section: h, Verdict: pass, Evidence: exercised},
	}
	baseline := fixture().Results[0]
	baseline.Checks, baseline.Summary = checks, Summarize(checks)
	return Proof{Schema: ProofSchema, Results: []ProofResult{{
		Baseline: baseline,
		Mutants: []Mutant{
			{ID: "tmpfs.exec", Title: "/tmp without noexec", Outcome: "killed", Cells: []Cell{{Check: "fs.tmp-noexec", Expected: fail, Actual: fail, Seen: []string{"attempt", "kernel", "engine"}, Reason: "execve succeeded"}}},
			{ID: "tmpfs.none", Title: "no /tmp", Outcome: "killed", Cells: []Cell{
				{Check: "fs.tmp-noexec", Expected: inconclusive, Actual: inconclusive}, {Check: "fs.tmp-bounded", Expected: fail, Actual: fail, Seen: []string{"kernel"}},
			}},
			{ID: "limits.pids", Title: "no limit on processes", Outcome: "survived", Reason: "not noticed by limits.pids", Cells: []Cell{{Check: "limits.pids", Expected: fail, Actual: pass, Reason: "the counter stopped at 100"}}},
			{ID: "caps.net-raw", Title: "NET_RAW added", Outcome: "cross-talk", Reason: "undeclared: fs.tmp-bounded", Cells: []Cell{{Check: "fs.tmp-bounded", Expected: pass, Actual: fail, Reason: "odd"}}},
			{ID: "env.gone", Title: "a command is gone", Outcome: "killed", Cells: []Cell{{Check: "env.command[a]", Expected: fail, Actual: fail, Seen: []string{"attempt"}}, {Check: "env.command[b]", Expected: fail, Actual: pass}}},
			{ID: "privileged", Title: "--privileged", Outcome: "not-demonstrable", Reason: "cannot start here", NotAttempted: []string{"limits.pids", "env.command[a]", "env.command[b]"}},
			{ID: "late", Title: "could not be tried", Outcome: "error", Reason: "the engine was gone"},
			{ID: h, Title: h, Outcome: h, Reason: h, Cells: []Cell{{Check: "not in the baseline" + h, Expected: pass, Actual: fail, Seen: []string{h}, Reason: h}}, NotAttempted: []string{h}},
		},
		Witnesses: []Witness{
			{Check: "fs.tmp-noexec", Baseline: pass, Killers: []string{"tmpfs.exec"}, Seen: []string{"attempt", "kernel", "engine"}},
			{Check: "limits.pids", Baseline: pass, Reason: "none of its mutations was noticed by it here"},
			{Check: h, Baseline: h, Killers: []string{h}, Seen: []string{h}, Reason: h},
		},
		Summary: ProofSummary{Mutants: 7, Killed: 3, Survived: 1, CrossTalk: 2, NotDemonstrable: 1, Errors: 1, Verdict: failed},
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), DurationMS: 65432,
	}}}
}

// bigProof is a proof of so many mutants and checks, all noticed as declared.
func bigProof(mutants, checks int) Proof {
	r := ProofResult{Baseline: calm(proven).Results[0], Summary: ProofSummary{Mutants: mutants, Killed: mutants, Verdict: proven}}
	r.Baseline.Checks = nil
	for i := range checks {
		r.Baseline.Checks = append(r.Baseline.Checks, Check{ID: fmt.Sprintf("section%d.check-number-%d", i/12, i), Title: "A protection", Section: fmt.Sprintf("section %d", i/12), Verdict: pass, Evidence: exercised})
	}
	for i := range mutants {
		m := Mutant{ID: fmt.Sprintf("setting.weakening-%d", i), Title: "One protection less", Outcome: "killed"}
		for j := range checks {
			switch {
			case i%checks == j:
				m.Cells = append(m.Cells, Cell{Check: r.Baseline.Checks[j].ID, Expected: fail, Actual: fail, Seen: heatAccounts[i%3:]})
			case (i*7+j)%41 == 0:
				m.Cells = append(m.Cells, Cell{Check: r.Baseline.Checks[j].ID, Expected: inconclusive, Actual: inconclusive})
			case j > checks-9 && i%5 == 0:
				m.NotAttempted = append(m.NotAttempted, r.Baseline.Checks[j].ID)
			}
		}
		r.Mutants = append(r.Mutants, m)
	}
	for i, c := range r.Baseline.Checks {
		r.Witnesses = append(r.Witnesses, Witness{Check: c.ID, Baseline: pass, Killers: []string{fmt.Sprintf("setting.weakening-%d", i)}, Seen: heatAccounts})
	}
	r.Summary.Verdict = proven
	return Proof{Schema: ProofSchema, Results: []ProofResult{r}}
}
