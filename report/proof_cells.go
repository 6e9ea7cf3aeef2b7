package report

import "slices"

// What a cell of a proof came to.
const (
	cellKilled    = "killed"        // it had to fail, and did
	cellBlinded   = "blinded"       // its control was taken away, and it said that it could not measure
	cellSurvived  = "survived"      // it had to notice, and did not
	cellCrossTalk = "cross-talk"    // it had to stay as it was, and did not
	cellSpared    = "spared"        // another check made from the same template noticed
	cellUntouched = ""              // it had to stay as it was, and did
	cellLeftOut   = "not-attempted" // it was left out under this weakening
)

// cellMark is a cell's sign and what it says. Signs differ, so that colour is not
// needed to tell them apart.
var cellMarks = map[string]mark{
	cellKilled:    {"✓", "noticed"},
	cellBlinded:   {"?", "blinded, and said so"},
	cellSurvived:  {"✗", "SURVIVED"},
	cellCrossTalk: {"≠", "CROSS-TALK"},
	cellSpared:    {"○", "another of its kind noticed"},
	cellLeftOut:   {"·", "not attempted"},
}

func stateOf(m Mutant, c Cell) string {
	switch {
	case c.Expected == fail && c.Actual == fail:
		return cellKilled
	case c.Expected == fail && m.Outcome == "killed":
		return cellSpared
	case c.Expected == fail:
		return cellSurvived
	case c.Expected != c.Actual:
		return cellCrossTalk
	case c.Actual == inconclusive:
		return cellBlinded
	}
	return cellUntouched
}

// heatAccounts are who can see a loss, in the order in which it convinces.
var heatAccounts = []string{"attempt", "kernel", "engine"}

// seenText is which accounts alone showed a loss, a character each: "AKE", "-K-".
func seenText(c Cell) string {
	b := []byte("---")
	for i, a := range heatAccounts {
		if slices.Contains(c.Seen, a) {
			b[i] = "AKE"[i]
		}
	}
	return string(b)
}

// heatGrid is a proof's mutants as rows and its checks as columns.
type heatGrid struct {
	columns []section // the baseline's checks, by section
	rows    []heatRow
}

type heatRow struct {
	mutant Mutant
	cells  []heatCell // one per column
}

type heatCell struct {
	state, seen, check, reason string
}

// newHeatGrid lays a proof out. A cell or a check left out that the baseline does
// not have gets a column of its own, so that nothing is hidden.
func newHeatGrid(r ProofResult) heatGrid {
	checks := slices.Clone(r.Baseline.Checks)
	known := map[string]bool{}
	for _, c := range checks {
		known[c.ID] = true
	}
	add := func(id string) {
		if !known[id] {
			known[id] = true
			checks = append(checks, Check{ID: id, Section: "not in the baseline"})
		}
	}
	for _, m := range r.Mutants {
		for _, c := range m.Cells {
			add(c.Check)
		}
		for _, id := range m.NotAttempted {
			add(id)
		}
	}
	g := heatGrid{columns: sections(checks)}
	at := map[string]int{}
	n := 0
	for _, sec := range g.columns {
		for _, c := range sec.checks {
			at[c.ID] = n
			n++
		}
	}
	for _, m := range r.Mutants {
		row := heatRow{m, make([]heatCell, n)}
		for _, id := range m.NotAttempted {
			row.cells[at[id]] = heatCell{state: cellLeftOut, check: id}
		}
		for _, c := range m.Cells {
			row.cells[at[c.Check]] = heatCell{stateOf(m, c), seenText(c), c.Check, c.Reason}
		}
		g.rows = append(g.rows, row)
	}
	return g
}
