package report

import (
	"fmt"
	"io"
	"strings"
)

// ProofMarkdown writes p as GitHub Flavored Markdown within MaxMarkdown bytes:
// the count, what was not shown and why, and a row per weakening.
func ProofMarkdown(w io.Writer, p Proof) error {
	page := newMdPage()
	for _, r := range p.Results {
		page.proof(r)
	}
	return page.writeTo(w)
}

func (p *mdPage) proof(r ProofResult) {
	word, meaning := proofHeadline(r)
	name := joined(" on ", subjectName(r.Baseline.Subject), r.Baseline.Subject.Runtime)
	p.add("## %s %s: proof of %s\n\n**%s** %s\n\n%s\n\n", headlineSign(word), word, mdText(name), word, meaning, mdCode(ProofCounts(r.Summary)))
	for _, m := range r.Mutants {
		if m.Outcome == "killed" || m.Outcome == "not-demonstrable" {
			continue
		}
		v := mutantView(m)
		p.add("- %s **%s** %s %s: %s\n", v.Sign, v.Word, mdCode(m.ID), mdText(m.Title), mdText(m.Reason))
	}
	p.add("\n")
	if len(r.Mutants) > 0 && p.open(fmt.Sprintf("<details><summary>Every weakening: %d</summary>\n\n", len(r.Mutants))) {
		p.table("", "outcome", "weakening", "what it does", "noticed by", "blinded", "seen by")
		for _, m := range r.Mutants {
			v := mutantView(m)
			by, blinded, seen := proofCells(m)
			if m.Outcome == "not-demonstrable" {
				by = mdText(m.Reason)
			}
			p.row(v.Sign, v.Word, mdCode(m.ID), mdText(m.Title), by, blinded, mdText(seen))
		}
		p.close()
	}
	var idle []Witness
	for _, w := range r.Witnesses {
		if len(w.Killers) == 0 {
			idle = append(idle, w)
		}
	}
	if len(idle) > 0 && p.open(fmt.Sprintf("<details><summary>Checks that no weakening moved: %d</summary>\n\n", len(idle))) {
		p.table("check", "as it is", "why")
		for _, w := range idle {
			p.row(mdCode(w.Check), markOf(w.Baseline).word, mdText(w.Reason))
		}
		p.close()
	}
}

// proofCells is the checks that noticed a weakening, those that it blinded, and
// which accounts saw it alone.
func proofCells(m Mutant) (noticed, blinded, seen string) {
	var n, b []string
	saw := map[string]bool{}
	for _, c := range m.Cells {
		switch stateOf(m, c) {
		case cellKilled:
			n = append(n, mdCode(c.Check))
			for _, s := range c.Seen {
				saw[s] = true
			}
		case cellBlinded:
			b = append(b, mdCode(c.Check))
		}
	}
	var who []string
	for _, a := range heatAccounts {
		if saw[a] {
			who = append(who, a)
		}
	}
	return strings.Join(n, " "), strings.Join(b, " "), strings.Join(who, ", ")
}
