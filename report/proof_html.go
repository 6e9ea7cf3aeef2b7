package report

import (
	"fmt"
	"io"
	"strings"
)

// proofStyle is the stylesheet of a proof's page: the common one and the map's.
var proofStyle = func() string {
	b, err := htmlFiles.ReadFile("html/proof.css")
	if err != nil {
		panic(err) // it is embedded
	}
	return style + string(b)
}()

// ProofHTML writes p as one page, like HTML: a map of every weakening and every
// check for each runtime, what was not shown and why, and the witnesses.
func ProofHTML(w io.Writer, p Proof) error {
	page := htmlProof{}
	title := "Proof of " + plural(len(p.Results), "subject")
	for i, r := range p.Results {
		page.Results = append(page.Results, newHTMLProofResult(r, fmt.Sprintf("p%d", i+1)))
	}
	if len(p.Results) == 1 {
		title = page.Results[0].Word + ": " + page.Results[0].Name
	}
	page.htmlHead = newHTMLHead(title, proofStyle)
	return execute(w, "proof", page)
}

type htmlProof struct {
	htmlHead
	Results []htmlProofResult
}

type htmlProofResult struct {
	htmlMark
	Anchor, Name, Meaning, Totals string
	Facts                         []htmlField
	Keys                          []htmlMark
	Groups                        []htmlGroup
	Columns                       []htmlProofColumn
	Rows                          []htmlMutant
	Trouble                       []htmlCheck
	Witnesses                     []htmlWitness
}

type htmlGroup struct {
	Name  string
	Width int
}

type htmlProofColumn struct {
	ID, Title string
	First     bool // of its section
}

type htmlMutant struct {
	htmlMark
	ID, Title string
	Cells     []htmlProofCell
}

type htmlProofCell struct {
	State, Sign, Word, Seen, Tip string
	First                        bool
}

type htmlWitness struct {
	htmlMark
	ID, Seen, Reason string
	Killers          []string
}

func newHTMLProofResult(r ProofResult, anchor string) htmlProofResult {
	word, meaning := proofHeadline(r)
	view := htmlProofResult{
		htmlMark: outcomeView(word), Anchor: anchor, Name: onRuntime(r.Baseline.Subject),
		Meaning: capital(meaning), Totals: ProofCounts(r.Summary),
	}
	for _, f := range facts(r.Baseline) {
		view.Facts = append(view.Facts, htmlField{Label: f.label, Text: Sanitize(f.text, maxName)})
	}
	for _, state := range []string{cellKilled, cellBlinded, cellSurvived, cellCrossTalk, cellSpared, cellLeftOut} {
		view.Keys = append(view.Keys, htmlMark{state, cellMarks[state].sign, cellMarks[state].word})
	}
	grid := newHeatGrid(r)
	var first []bool
	for _, sec := range grid.columns {
		view.Groups = append(view.Groups, htmlGroup{Sanitize(sec.name, maxName), len(sec.checks)})
		for i, c := range sec.checks {
			view.Columns = append(view.Columns, htmlProofColumn{Sanitize(c.ID, maxName), Sanitize(c.Title, maxName), i == 0})
			first = append(first, i == 0)
		}
	}
	for _, row := range grid.rows {
		m := row.mutant
		line := htmlMutant{htmlMark: mutantView(m), ID: Sanitize(m.ID, maxName), Title: Sanitize(m.Title, maxName)}
		for i, c := range row.cells {
			line.Cells = append(line.Cells, newHTMLProofCell(m, c, first[i]))
		}
		view.Rows = append(view.Rows, line)
		if m.Outcome != "killed" {
			view.Trouble = append(view.Trouble, newHTMLTrouble(m))
		}
	}
	for _, w := range r.Witnesses {
		line := htmlWitness{htmlMark: viewOf(w.Baseline), ID: Sanitize(w.Check, maxName), Reason: Sanitize(w.Reason, maxField), Seen: Sanitize(strings.Join(w.Seen, ", "), maxName)}
		for _, k := range w.Killers {
			line.Killers = append(line.Killers, Sanitize(k, maxName))
		}
		view.Witnesses = append(view.Witnesses, line)
	}
	return view
}

func newHTMLProofCell(m Mutant, c heatCell, first bool) htmlProofCell {
	if c.state == cellUntouched {
		return htmlProofCell{First: first}
	}
	mark := cellMarks[c.state]
	cell := htmlProofCell{State: c.state, Sign: mark.sign, Word: mark.word, First: first}
	cell.Tip = Sanitize(joined(": ", m.ID+" × "+c.check, mark.word, c.reason), maxField)
	if strings.Trim(c.seen, "-") != "" {
		cell.Seen = c.seen
	}
	return cell
}

// newHTMLTrouble is a weakening that was not noticed as declared, with why.
func newHTMLTrouble(m Mutant) htmlCheck {
	view := htmlCheck{htmlMark: mutantView(m), ID: Sanitize(m.ID, maxName), Title: Sanitize(m.Title, maxName), Open: m.Outcome != "not-demonstrable"}
	if m.Reason != "" {
		view.Evidence = append(view.Evidence, htmlField{"reason", Sanitize(m.Reason, maxVerbose), "reason"})
	}
	for _, c := range m.Cells {
		if state := stateOf(m, c); state == cellSurvived || state == cellCrossTalk {
			text := fmt.Sprintf("%s: expected %s, came to %s. %s", c.Check, c.Expected, c.Actual, c.Reason)
			view.Evidence = append(view.Evidence, htmlField{Label: cellMarks[state].word, Text: Sanitize(text, maxVerbose)})
		}
	}
	return view
}

// mutantView is a weakening's outcome in the colours of verdicts.
func mutantView(m Mutant) htmlMark {
	switch m.Outcome {
	case "killed":
		return htmlMark{pass, "✓", "noticed"}
	case "survived":
		return htmlMark{fail, "✗", "SURVIVED"}
	case "cross-talk":
		return htmlMark{fail, "≠", "CROSS-TALK"}
	case "not-demonstrable":
		return htmlMark{notApplicable, "–", "not shown"}
	}
	return htmlMark{inconclusive, "?", "not tried"}
}

func outcomeView(word string) htmlMark {
	verdict := inconclusive
	switch word {
	case "PROVEN":
		verdict = pass
	case "FAILED":
		verdict = fail
	}
	m := viewOf(verdict)
	m.Word = word
	return m
}
