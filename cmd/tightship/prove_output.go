package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/mutate"
	"github.com/tightship-dev/tightship/prove"
	"github.com/tightship-dev/tightship/report"
)

// deliverProof shows the proof and writes it everywhere it should go.
func (a *app) deliverProof(out outputsOf[report.Proof], f proveFlags, p report.Proof) error {
	o := report.TextOptions{Width: a.ui.textWidth(), Color: a.ui.color, Verbose: f.verbose, Quiet: f.quiet}
	if out.stdout == "text" {
		_ = report.ProofText(a.ui.out, p, o) // a failing standard output is remembered
	} else {
		i := slices.Index(namesOf(proofFormats), out.stdout)
		_ = proofFormats[i].render(a.ui.out, p)
		for _, r := range p.Results {
			a.ui.note("%s", report.ProofHeadline(r))
		}
	}
	if err := deliverFiles(a, out, p, "proof", "the proof itself ended; standard output or error has it", report.ProofText); err != nil {
		return err
	}
	return exitForProof(p)
}

// exitForProof is the verdict on all runtimes together.
func exitForProof(p report.Proof) error {
	var outcomes []string
	for _, r := range p.Results {
		outcomes = append(outcomes, report.ProofOutcome(r.Summary))
	}
	return worst(outcomes)
}

// listed is a mutation as JSON.
type listed struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Section string   `json:"section"`
	Flips   []string `json:"flips"`  // checks that must fail
	Blinds  []string `json:"blinds"` // checks that can no longer be measured
}

// listMutations prints what could be tried.
func (a *app) listMutations(c *cobra.Command, f proveFlags) error {
	out, err := parseOutputsOf(f.output, proofFormats)
	if err != nil {
		return err
	}
	if len(out.files) > 0 || out.stdout != "text" && out.stdout != "json" {
		return withHint(fmt.Errorf("--list prints text or json"), "`tightship prove --list -o json`")
	}
	chosen, err := prove.Select(f.mutations)
	if err != nil {
		return err
	}
	all := []listed{}
	for _, m := range chosen {
		l := listed{ID: m.ID, Title: m.Title, Flips: mutate.Flips(m.ID), Blinds: append([]string{}, m.Blinds...)}
		if first, ok := check.ByID(cmp.Or(append(l.Flips, "")[0], "?")); ok {
			l.Section = string(first.Section)
		}
		all = append(all, l)
	}
	if out.stdout == "json" {
		return printJSON(c, "tightship.mutations/v1", all)
	}
	_, err = fmt.Fprint(c.OutOrStdout(), a.mutationText(all))
	return err
}

func (a *app) mutationText(all []listed) string {
	var b strings.Builder
	for _, s := range check.Sections {
		heading := false
		for _, m := range all {
			if m.Section != string(s) {
				continue
			}
			if !heading {
				fmt.Fprintf(&b, "%s\n", s)
				heading = true
			}
			a.hang(&b, fmt.Sprintf("  %-24s  ", m.ID), m.Title)
			a.hang(&b, fmt.Sprintf("  %-24s    ", ""), "breaks "+strings.Join(m.Flips, ", "))
			if len(m.Blinds) > 0 {
				a.hang(&b, fmt.Sprintf("  %-24s    ", ""), "leaves unmeasured "+strings.Join(m.Blinds, ", "))
			}
		}
		if heading {
			b.WriteByte('\n')
		}
	}
	fmt.Fprintf(&b, "%d mutations; `tightship prove --mutation ID` tries one\n", len(all))
	return b.String()
}
