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

// deliverProof writes the proof everywhere it should go. One that cannot be
// written somewhere is shown: the run that made it was a long one.
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
	lost := false
	for _, s := range out.files {
		if err := s.write(p); err != nil {
			lost = true
			a.ui.error(withHint(fmt.Errorf("cannot write %s: %w", s.name, cause(err)), "the proof itself ended; standard output or error has it"))
		}
	}
	shown := out.stdout == "text" && a.ui.out.err == nil
	if (lost || a.ui.out.err != nil) && !shown {
		a.ui.note("the proof, so that it is not lost:")
		if err := report.ProofText(a.ui.err, p, report.TextOptions{Verbose: true}); err != nil {
			return fmt.Errorf("cannot write the proof to standard error either: %w", cause(err))
		}
	}
	if lost {
		return verdict(exitError)
	}
	return exitForProof(p)
}

// exitForProof is the verdict on all runtimes together: the worst of them.
func exitForProof(p report.Proof) error {
	worst := error(nil)
	for _, r := range p.Results {
		switch report.ProofOutcome(r.Summary) {
		case "proven":
		case "failed":
			return verdict(exitFailed)
		default:
			worst = verdict(exitInconclusive)
		}
	}
	return worst
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
